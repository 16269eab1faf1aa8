import msgspec
import numpy as np
import pytest
from support.datasets import clustered
from support.examples import example_of

from bench.analysis.verdict import FELL, HOLDS, ROSE, UNDECIDED, decide
from bench.study.baseline import BaselineOutcome, comparable
from bench.study.experiment import Experiment
from bench.study.study import Study
from bench.study.trial import changed


def drawn(trials, recall, rng, sd=0.002, ids=""):
    """Outcomes whose builds vary about a mean recall, of queries that differ among themselves."""
    outcomes = {}
    for n, trial in enumerate(trials):
        chance = recall + sd * rng.standard_normal() + np.linspace(-0.05, 0.05, trial.data.queries)
        hits = rng.binomial(trial.search.k, np.clip(chance, 0, 1))
        outcomes[comparable(trial)] = example_of(trial, hits, f"{ids}{n}")
    return outcomes


def as_saved(outcomes):
    """Outcomes as a baseline has them."""
    return {key: BaselineOutcome(o.trial, o.hits, o.ids_sha256) for key, o in outcomes.items()}


@pytest.fixture(scope="module")
def simulated():
    experiment = Experiment(
        datasets=["clustered"],
        orders=["random"],
        index=[{"engine": "hnswlib"}],
        ef_search=10,
        build_seeds=10,
    )
    return Study("e", experiment, [clustered(n=1500, queries=4000)]).trials


@pytest.mark.parametrize(
    ("then", "now", "sd", "verdict"),
    [
        (0.9, 0.9, 0.001, HOLDS),
        (0.9, 0.899, 0.0005, HOLDS),
        (0.9, 0.88, 0.002, FELL),
        (0.9, 0.93, 0.002, ROSE),
        (0.9, 0.894, 0.02, UNDECIDED),
    ],
)
def test_verdicts_on_known_differences(simulated, then, now, sd, verdict):
    rng = np.random.default_rng(3)
    was = as_saved(drawn(simulated, then, rng, sd))
    [line, of_engine] = decide(was, drawn(simulated, now, rng, sd, "other"), unchanged=[])
    assert line.verdict == of_engine.verdict == verdict
    assert line.low <= now - then <= line.high
    assert (line.builds, of_engine.case) == ((10, 10), None)


def test_builds_on_several_threads_are_not_held_to_their_ids(simulated):
    rng = np.random.default_rng(6)
    trials = [changed(trial, threads=2) for trial in simulated]
    was = as_saved(drawn(trials, 0.9, rng))
    verdicts = {line.verdict for line in decide(was, drawn(trials, 0.9, rng, ids="other"), unchanged=["hnswlib"])}
    assert verdicts <= {HOLDS, UNDECIDED}


def test_an_engine_shows_what_none_of_its_settings_does():
    # 12 settings that each vary by two points a build, and all fall by one.
    rng = np.random.default_rng(4)
    experiment = Experiment(
        datasets=["clustered"],
        orders=["random", "given", "reverse", "lid-ascending", "lid-descending", "radius-ascending"],
        index=[{"engine": "hnswlib"}, {"engine": "hnswlib", "M": 8}],
        ef_search=10,
        build_seeds=10,
    )
    trials = Study("e", experiment, [clustered(n=1500, queries=500)]).trials
    was = as_saved(drawn(trials, 0.9, rng, 0.008))
    lines = decide(was, drawn(trials, 0.89, rng, 0.008, "other"), unchanged=[])
    assert [line.verdict for line in lines if line.case is None] == [FELL]
    assert sum(line.verdict == FELL for line in lines if line.case) <= 2


def test_versions_that_hardly_change_the_graphs_are_decided_by_pairs(simulated):
    # Builds vary by two points, but each is the baseline's but for a query in a hundred.
    rng = np.random.default_rng(5)
    then = drawn(simulated, 0.9, rng, 0.02)
    now = {}
    for key, outcome in then.items():
        hits = np.where(rng.random(len(outcome.hits)) < 0.01, rng.binomial(10, 0.9, len(outcome.hits)), outcome.hits)
        now[key] = msgspec.structs.replace(outcome, hits=hits, ids_sha256="other" + outcome.ids_sha256)
    was = as_saved(then)
    assert {line.verdict for line in decide(was, now, unchanged=[])} == {HOLDS}
