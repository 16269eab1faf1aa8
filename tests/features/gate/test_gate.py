import re
from contextlib import contextmanager
from unittest import mock

import msgspec
import numpy as np
import pytest
from support.datasets import load
from support.faults import FAULTS, MISCOUNTS, adapters, measured
from support.messages import names, refused
from support.processes import wait_until_hanging

from bench.analysis.verdict import BIT_EXACT, FELL, HOLDS, NOT_EXACT, RESCORED, UNDECIDED, decide
from bench.data.dataset import limit
from bench.features.gate import gate
from bench.features.gate.gate import check, looks
from bench.features.gate.gate_text import gate_values, text
from bench.indexes import INDEXES
from bench.indexes.engine import Promises
from bench.measure import recall
from bench.measure.known_answers import misscored
from bench.present.text import Layout
from bench.study import baseline
from bench.study.baseline import comparable
from bench.study.execution import processes
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

BUILDS = 6


@pytest.fixture(scope="module")
def study():
    """Patches, where order matters much; digits, where an inner product is no distance."""
    experiment = Experiment(
        datasets=["image-patches", "digits"],
        orders=["random", "lid-descending", "radius-ascending"],
        index=[{"engine": ["hnswlib", "faiss"], "M": 8, "ef_construction": 40}],
        ef_search=10,
        build_seeds=BUILDS,
    )
    patches = load("image-patches", {"n": 600, "queries": 200})
    return Study("e", experiment, [patches, limit(load("digits", {"queries": 200}), 600)])


@pytest.fixture(scope="module")
def saved(study, tmp_path_factory):
    store = Store.create(tmp_path_factory.mktemp("baseline") / "b.sqlite")
    return baseline.create("b", study, "e", "r", measured(study, study.trials, store, version=None))


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Promises are checked in this process, where faults are planted, except in the test that gets `apart` back."""
    whole = gate.apart
    monkeypatch.setattr(gate, "apart", lambda work, arguments, timeout: work(*arguments))
    return lambda: monkeypatch.setattr(gate, "apart", whole)


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "s.sqlite")


def wrong_scores(study):
    return [line for dataset in study.datasets.values() for line in misscored(dataset, [10])]


def said(report):
    """A report's text without its line breaks."""
    return " ".join(text(report, Layout()).split())


def test_the_same_environment_gives_the_very_ids(study, saved, store):
    report = check(saved, study, lambda trials: measured(study, trials, store, version=None), first=1)
    assert report.passed
    assert report.changes == report.scoring == []
    assert {line.verdict for line in report.lines} == {BIT_EXACT}
    assert {line.builds for line in report.lines} == {(1, 1)}
    assert names(said(report), f"{len(report.lines)} {BIT_EXACT}")


def test_other_seeds_raise_no_alarm(study, saved, store):
    counts = []

    def measure(trials):
        counts.append(len(trials))
        return measured(study, trials, store, shift=1000)

    report = check(saved, study, measure, first=3)
    assert report.passed
    versions = saved.environment["versions"]
    assert report.changes == [f"{package} {versions[package]} -> another" for package in ("faiss-cpu", "hnswlib")]
    assert report.unchanged == []
    assert {line.verdict for line in report.lines} <= {HOLDS, UNDECIDED}
    assert counts[0] == 3 * 12  # what is undecided gets more builds, up to as many as the baseline has
    assert sum(counts[1:]) == 3 * sum(line.builds[1] == BUILDS for line in report.lines if line.case)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(study, saved, store, fault):
    with FAULTS[fault](np.random.default_rng(1)):
        report = check(saved, study, lambda trials: measured(study, trials, store, shift=2000), first=3)
    assert not report.passed
    assert report.scoring == []  # it is the recalls that show it
    assert report.lines[0].verdict == FELL
    assert "FAILED" in said(report)


@pytest.mark.parametrize("fault", MISCOUNTS)
def test_a_miscount_is_found(study, saved, store, fault):
    with MISCOUNTS[fault](np.random.default_rng(1)):
        report = check(saved, study, lambda trials: measured(study, trials, store, shift=2000), first=3)
    assert not report.passed
    assert report.scoring
    assert all(names(said(report), line) for line in report.scoring)


@pytest.mark.parametrize("fault", ["M halved", "an adapter that shuffles", "ids off by one"])
def test_other_ids_in_the_same_environment_are_a_fault(study, saved, store, fault):
    with FAULTS[fault](np.random.default_rng(1)):
        report = check(saved, study, lambda trials: measured(study, trials, store, version=None), first=1)
    assert not report.passed
    assert report.lines[0].verdict == NOT_EXACT
    assert names(said(report), NOT_EXACT)


def test_the_same_ids_scored_otherwise_are_a_fault(study, saved, store):
    with MISCOUNTS["hits not counted"](np.random.default_rng(1)):
        report = check(saved, study, lambda trials: measured(study, trials, store, version=None), first=1)
    assert not report.passed
    assert {line.verdict for line in report.lines} == {RESCORED}
    assert names(said(report), RESCORED)


def test_the_same_ids_scored_otherwise_elsewhere_are_compared(study, saved, store):
    """Another library may round a near tie in the ground truth the other way."""
    recall_hits = recall.hits
    one = np.array([1] + [0] * 10_000)
    with mock.patch.object(recall, "hits", lambda ids, truth: np.maximum(recall_hits(ids, truth) - one[: len(ids)], 0)):
        outcomes = measured(study, study.trials, store, version=None)
    then = {comparable(outcome.trial): outcome for outcome in saved.outcomes}
    now = {comparable(outcome.trial): outcome for outcome in outcomes}
    lines = decide(then, now, unchanged=[])
    assert {line.verdict for line in lines} == {HOLDS}
    assert all(-0.001 < line.difference < 0 for line in lines)


def test_known_answers_are_scored_as_they_must_be(study):
    assert wrong_scores(study) == []
    with MISCOUNTS["a duplicate id counted twice"](None):
        assert [line.partition(":")[0] for line in wrong_scores(study)] == [*study.datasets]


def test_undecided_lines_get_more_builds_while_there_is_time(study, saved, store):
    counts = []

    def measure(trials):
        counts.append(max(trial.seeds.build_seed for trial in trials))
        return measured(study, trials, store, shift=3000)

    report = check(saved, study, measure, first=3, budget=60)
    assert report.passed
    left = [line for line in report.lines if line.verdict == UNDECIDED]
    assert all(not line.settles for line in left) or report.spent
    strict = check(saved, study, lambda trials: measured(study, trials, store, shift=3000), first=3, strict=True)
    assert strict.passed == (not [line for line in strict.lines if line.verdict == UNDECIDED])
    assert strict.passed or "--strict" in said(strict)


@contextmanager
def last_rows_first():
    def moved(order, params):
        tenth = len(order) // 10
        return np.concatenate([order[-tenth:], order[:-tenth]]), params

    with adapters(moved):
        yield


def test_a_broken_promise_fails_whatever_recall_says(study, saved, store):
    with last_rows_first():
        report = check(saved, study, lambda trials: measured(study, trials, store, shift=4000), first=3)
    assert not report.passed
    assert any("hnswlib" in line and "the last rows come last" in line for line in report.contract)
    assert names(said(report), "hnswlib, l2: the last rows come last")


ENDS = """
import os, time
from pathlib import Path
from bench.indexes import INDEXES
from bench.indexes.contract import N

def build(base, order, metric, params, seed):
    if len(base) > N:  # in the check that adds rows
        {end}
    return INDEXES["hnswlib"].build(base, order, metric, INDEXES["hnswlib"].params(M=params.M), seed)
"""


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(3)", "code 3"),
        ("(Path(__file__).parent / 'hanging').touch(); time.sleep(99)", "8 s"),
    ],
)
def test_an_engine_that_dies_or_hangs_breaks_a_promise_and_not_the_gate(small, tmp_path, monkeypatch, here, end, how):
    here()
    monkeypatch.setattr(processes, "wait", wait_until_hanging(tmp_path / "hanging"))
    file = tmp_path / "ends.py"
    file.write_text(ENDS.format(end=end))
    experiment = Experiment(datasets=["d"], orders=["random"], index=[{"engine": str(file)}], ef_search=10)
    [line] = gate.broken_promises(Study("e", experiment, [small]), timeout=8)
    assert names(line, "ends, l2: the last rows come last", how)


@pytest.fixture
def of_those_installed(small, store):
    """A gate of an experiment of what is installed: of these engines in the baseline, and those now."""

    def gated(before, now, **options):
        def study():
            return Study("e", experiment, [small])

        experiment = Experiment(
            datasets=["clustered"],
            orders=["random"],
            index=[{"engine": ["hnswlib", "faiss"]}],
            ef_search=10,
            build_seeds=1,
            installed_only=True,
        )
        with installed(before):
            was = study()
            first = baseline.create("b", was, "e", "r", measured(was, was.trials, store, version=None))
        with installed(now):
            return check(first, study(), lambda ts: measured(study(), ts, store, version=None), first=1, **options)

    return gated


@contextmanager
def installed(engines):
    """As if no other engines were."""
    missing = {
        name: msgspec.structs.replace(INDEXES[name], package="no-such-package")
        for name in {"hnswlib", "faiss"} - set(engines)
    }
    with mock.patch.dict(INDEXES, missing):
        yield


def test_an_engine_of_the_baseline_that_is_not_installed_is_named_and_fails_where_all_is_asked(of_those_installed):
    report = of_those_installed(["hnswlib", "faiss"], ["hnswlib"])
    assert report.passed
    assert gate_values(report)["left_out"] == ["faiss"]
    assert {line.engine for line in report.lines} == {"hnswlib"}
    assert names(said(report), "1 bit-exact", "1 engine left out", "faiss", "--strict")
    strict = of_those_installed(["hnswlib", "faiss"], ["hnswlib"], strict=True)
    assert not strict.passed
    assert names(said(strict), "FAILED", "left out", "--strict")


def test_an_engine_that_the_baseline_has_nothing_of_is_named_and_not_compared(of_those_installed):
    report = of_those_installed(["hnswlib"], ["hnswlib", "faiss"], strict=True)
    assert report.passed
    assert report.unsaved == ["faiss"]
    assert {line.engine for line in report.lines} == {"hnswlib"}
    assert names(said(report), "faiss")


def test_a_baseline_of_other_engines_than_those_installed_is_refused(of_those_installed):
    with refused("faiss", "hnswlib", "pip install no-such-package"):
        of_those_installed(["faiss"], ["hnswlib"])


def test_looks_double_up_to_the_baselines_builds():
    assert looks(3, 10) == [3, 6, 10]
    assert looks(5, 5) == [5]
    assert looks(8, 5) == [5]
    assert looks(1, 4) == [1, 2, 4]


def test_a_report_lists_the_worst_first_and_reads_as_json(study, saved, store):
    def measure(trials):
        return [
            msgspec.structs.replace(o, hits=np.maximum(o.hits - 2, 0), ids_sha256="other")
            if o.trial.order.order == "random" and o.trial.index.engine == "faiss"
            else o
            for o in measured(study, trials, store)
        ]

    report = check(saved, study, measure, first=3)
    assert [line.verdict for line in report.lines] == [FELL] * 3 + [BIT_EXACT] * 10
    plain = gate_values(report)
    assert plain["passed"] is False
    assert plain["lines"][0].keys() >= {"verdict", "engine", "dataset", "order", "ef_search", "difference", "low"}
    assert len(msgspec.json.decode(msgspec.json.encode(plain))["lines"]) == 13
    rows = [row for row in text(report, Layout(wide=True)).splitlines() if row.startswith("| FELL")]
    assert len(rows) == 3
    assert sum("all" in row for row in rows) == 1


def test_an_engine_that_has_not_changed_is_held_to_its_ids(study, saved, store):
    """However many others have: the exact rule is not lost by an upgrade of another engine."""

    def measure(trials):
        outcomes = measured(study, trials, store, version=None)
        environment = outcomes[0].build.environment
        environment = environment | {"versions": environment["versions"] | {"hnswlib": "another"}}
        return [
            msgspec.structs.replace(
                outcome,
                build=msgspec.structs.replace(outcome.build, environment=environment),
                ids_sha256="other" if outcome.trial.index.engine == "faiss" else "",
            )
            for outcome in outcomes
        ]

    report = check(saved, study, measure, first=3)
    assert report.unchanged == ["faiss"]
    assert not report.passed
    verdicts = {line.engine: set() for line in report.lines}
    for line in report.lines:
        verdicts[line.engine].add(line.verdict)
    assert verdicts == {"faiss": {NOT_EXACT}, "hnswlib": {HOLDS}}
    assert names(said(report), "faiss", NOT_EXACT)


def test_engines_that_never_repeat_are_not_said_to_have_equal_ids(study, saved, store, monkeypatch):
    free = msgspec.structs.replace(INDEXES["faiss"], promises=Promises(repeats=False))
    monkeypatch.setitem(INDEXES, "faiss", free)

    def measure(trials):
        outcomes = measured(study, trials, store, version=None)
        return [
            msgspec.structs.replace(o, ids_sha256="other") if o.trial.index.engine == "faiss" else o for o in outcomes
        ]

    report = check(saved, study, measure, first=3)
    assert report.unchanged == ["hnswlib", "faiss"]
    assert re.search(r"ids\b[^.]*\bfaiss", said(report))
