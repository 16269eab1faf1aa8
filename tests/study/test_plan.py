import msgspec
import numpy as np
import pytest
from support.experiments import SMALL
from support.messages import refused

from bench.analysis.plan import planned
from bench.indexes import INDEXES
from bench.present.plan import plan_text
from bench.present.text import Layout
from bench.study import plan as planning
from bench.study.run import run
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

RUNGS = 13  # of the ladder from 10 to the 400 rows, but 10 and 40


@pytest.fixture
def study(small):
    experiment = Experiment(
        datasets=["clustered"],
        orders=["random", "given"],
        index=[
            {"engine": "hnswlib", "M": 6, "ef_construction": 20},
            {"engine": "hnswlib", "M": 8},
            {"engine": "faiss", "M": 6},
        ],
        ef_search=[10, 40],
        build_seeds=4,
    )
    return Study("small", experiment, [small])


def test_a_plan_counts_what_is_missing_by_index(study, tmp_path):
    store = Store.create(tmp_path / "s.sqlite")
    probes = list(planning.probe(study))
    assert len(probes) == 3 * (2 + RUNGS)
    whole = planned(study, study.with_ladder, probes)
    ladder = 3 * 4 * RUNGS
    assert (whole.outcomes, whole.missing, whole.builds) == (48 + ladder, 48 + ladder, 24)
    assert whole.ladder == ladder
    assert whole.seconds > planned(study, study.trials, probes).seconds
    assert [line.builds for line in whole.lines] == [8] * 6
    assert [(line.engine, line.M) for line in whole.lines] == [("hnswlib", 6)] * 2 + [("hnswlib", 8)] * 2 + [
        ("faiss", 6)
    ] * 2
    running = run(study, store)
    for _ in range(20):
        next(running)
    running.close()
    rest = planned(study, store.missing(study.with_ladder), probes)
    assert (rest.missing, rest.builds) == (28 + ladder, 14 + 10 // 2)
    assert 0 < rest.seconds < whole.seconds
    assert planned(study, study.with_ladder, probes, jobs=2).seconds == pytest.approx(whole.seconds / 2)
    text = " ".join(plan_text("small", rest, Layout(width=100)).split())
    for figure in ("204 outcomes", "156 of them", "184 missing", "19 builds"):
        assert figure in text


def test_time_is_carried_from_the_part_to_the_whole(study, monkeypatch):
    class Still:
        def search(self, queries, k, ef_search):
            return np.zeros((len(queries), k), np.int64)

    # A build of 100 rows takes 2 s, of half of them 0.8 s: t = c n^1.32, so of 400 rows 2 × 4^1.32.
    monkeypatch.setattr(planning, "PROBE_ROWS", 100)
    monkeypatch.setattr(
        planning, "_timed_build", lambda part, index, order, seed: (2.0 if len(order) == 100 else 0.8, Still())
    )
    [first, *_] = planning.probe(study)
    assert first.build_seconds == pytest.approx(2 * 4 ** np.log2(2 / 0.8))


def test_more_builds_show_smaller_differences(study, small):
    probes = list(planning.probe(study))

    def detectable(builds):
        experiment = Experiment(
            datasets=["clustered"],
            orders=["random"],
            index=study.experiment.index[:1],
            ef_search=10,
            build_seeds=builds,
        )
        other = Study("small", experiment, [small])
        return planned(other, other.trials, probes[:1]).lines[0].detectable

    assert detectable(1) is None
    assert detectable(3) > detectable(10) > 0


def test_planning_stores_nothing(cli, tmp_path):
    (tmp_path / "e.toml").write_text(SMALL)
    done = cli("run", "e.toml", "--plan", check=0)
    assert "2 builds" in done.stdout
    assert not (tmp_path / "results").exists()


def test_a_plan_leaves_out_what_an_engine_refuses(study, small, monkeypatch):
    experiment = msgspec.structs.replace(study.experiment, index=[{"engine": ["hnswlib", "faiss"], "M": 6}])

    def planned_with(**changed):
        monkeypatch.setitem(INDEXES, "faiss", msgspec.structs.replace(faiss, **changed))
        other, lines = Study("small", experiment, [small]), []
        plan = planned(other, other.trials, list(planning.probe(other, lines.append)))
        return [(line.engine, line.ef_search) for line in plan.lines], [line for line in lines if "left out" in line]

    def fails(*arguments):
        raise RuntimeError("no partitions")

    faiss, of_hnswlib = INDEXES["faiss"], [("hnswlib", 10), ("hnswlib", 40)]
    for changed in ({"metrics": ("ip",)}, {"refuses": lambda params, d: "takes less"}, {"build": fails}):
        lines, [said] = planned_with(**changed)
        assert lines == of_hnswlib
        assert "faiss" in said
    assert planned_with(most_ef_search=20) == ([*of_hnswlib, ("faiss", 10)], [])


def test_a_plan_of_engines_that_cannot_build_is_a_mistake(study, small, monkeypatch):
    def fails(*arguments):
        raise RuntimeError("no partitions")

    monkeypatch.setitem(INDEXES, "faiss", msgspec.structs.replace(INDEXES["faiss"], build=fails))
    other = Study("small", msgspec.structs.replace(study.experiment, index=[{"engine": "faiss"}]), [small])
    with refused("clustered", "faiss", "no partitions"):
        list(planning.probe(other))
