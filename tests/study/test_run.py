import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from support.datasets import checked, load
from support.messages import lines_naming

from bench import orders
from bench.geometry import Geometry, knn
from bench.indexes import INDEXES
from bench.indexes.engine import version
from bench.measure import retrieval
from bench.study import run as running
from bench.study.execution.workers import Workers
from bench.study.outcome import Failure
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

EXPERIMENT = Experiment(
    datasets=["clustered"],
    orders=["random", "lid-ascending", "block-shuffle"],
    index=[{"engine": "hnswlib", "M": 6, "ef_construction": 20}, {"engine": "faiss", "M": 6, "ef_construction": 20}],
    k=[1, 10],
    ef_search=[10, 40],
    build_seeds=2,
)


LIBRARIES = ("hnswlib", "faiss")  # the contract is asked of every engine


@pytest.fixture
def study(small):
    return Study("small", EXPERIMENT, [small])


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "store.sqlite")


def content(store):
    """Return the content of a store without times and machine."""
    return {
        (name, o.trial.key): (o.hits.tolist(), o.hits_tie.tolist(), o.ids_sha256) for name, o in store.outcomes("small")
    }


@pytest.fixture
def builds(monkeypatch):
    """Counts what is built."""
    calls = []
    for name in LIBRARIES:
        engine = INDEXES[name]

        def build(*arguments, engine=engine, name=name):
            calls.append(name)
            return engine.build(*arguments)

        monkeypatch.setitem(INDEXES, name, msgspec.structs.replace(engine, build=build))
    return calls


def test_one_build_serves_every_search_and_a_second_run_builds_nothing(study, store, builds):
    outcomes = list(running.run(study, store))
    assert len(outcomes) == len(study.trials) == 2 * 3 * 2 * 4
    assert len(builds) == 2 * 3 * 2
    assert list(running.run(study, store)) == []
    assert len(builds) == 2 * 3 * 2


def test_recall_is_what_a_plain_build_and_a_plain_count_give(study, store, small):
    import faiss
    import hnswlib

    list(running.run(study, store))
    _, truth = faiss.knn(small.queries, small.base, 10)
    for _, outcome in store.outcomes("small"):
        trial = outcome.trial
        if trial.order.order != "random" or trial.index.engine != "hnswlib":
            continue
        order = np.random.default_rng([trial.seeds.order_seed, *b"random"]).permutation(small.n)
        index = hnswlib.Index("l2", small.d)
        index.init_index(small.n, M=6, ef_construction=20, random_seed=trial.seeds.build_seed)
        index.add_items(small.base[order], order, num_threads=1)
        index.set_ef(trial.search.ef_search)
        ids, _ = index.knn_query(small.queries, trial.search.k, num_threads=1)
        expected = [len(set(a) & set(b[: trial.search.k])) for a, b in zip(ids, truth, strict=True)]
        assert outcome.hits.tolist() == expected


def test_every_outcome_is_in_the_store_before_the_next_is_made(study, store):
    for done, outcome in enumerate(running.run(study, store), start=1):
        assert len(store.missing(study.trials)) == len(study.trials) - done
        assert outcome.trial not in store.missing(study.trials)


@pytest.mark.parametrize("after", [1, 5, 23])
def test_stopped_and_resumed_gives_the_same_content(study, store, tmp_path, after):
    list(running.run(study, store))
    other = Store.create(tmp_path / "other.sqlite")
    running_study = running.run(study, other)
    for _ in range(after):
        next(running_study)
    running_study.close()
    assert len(list(running.run(study, other))) == len(study.trials) - after
    assert content(other) == content(store)


@pytest.mark.parametrize("count", [1, 2])
def test_workers_give_the_same_content_as_this_process(study, store, tmp_path, count):
    list(running.run(study, store))
    other = Store.create(tmp_path / "other.sqlite")
    list(running.run(study, other, Workers(count)))
    assert content(other) == content(store)


def test_engines_of_one_seed_share_an_order_that_is_made_once(study, store, monkeypatch):
    names = []
    make = orders.make
    monkeypatch.setattr(orders, "make", lambda *args: names.append(args[0]) or make(*args))
    moved = checked("moved", study.datasets["clustered"].base + 2, study.datasets["clustered"].queries, "l2")
    list(running.run(Study("small", EXPERIMENT, [moved]), store))
    assert len(names) == 3 * 2


def test_an_outcome_states_what_it_was_made_with(study, store):
    outcome = next(running.run(study, store))
    environment = outcome.build.environment
    assert environment["versions"]["hnswlib"] == version("hnswlib", INDEXES["hnswlib"])
    assert {"numpy", "faiss-cpu", "scikit-dimension"} <= set(environment["versions"])
    assert environment["side_by_side"] == 1
    assert environment["cores"] >= 1
    assert len(environment["commit"] or "0" * 40) >= 40


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_a_build_states_the_peak_memory_of_its_process(study, store):
    peaks = [outcome.build.facts["peak_bytes"] for outcome in running.run(study, store)]
    assert peaks == sorted(peaks)
    assert min(peaks) > sum(data.base.nbytes for data in study.datasets.values())


def test_preparations_of_an_engine_are_not_part_of_its_builds(study, store, monkeypatch):
    def prepare(params):
        prepared.append((params.M, bytearray(2**26)))
        time.sleep(0.3)

    prepared = []
    monkeypatch.setitem(INDEXES, "hnswlib", msgspec.structs.replace(INDEXES["hnswlib"], prepare=prepare))
    outcomes = [one for one in running.run(study, store) if one.trial.index.engine == "hnswlib"]
    assert len(prepared) == len({outcome.build.id for outcome in outcomes})
    assert {M for M, _ in prepared} == {outcome.trial.index.M for outcome in outcomes}
    assert max(outcome.build.build_seconds for outcome in outcomes) < 0.3


def test_an_engine_that_cannot_be_prepared_fails_like_a_build(study, store, monkeypatch):
    def prepare(params):
        raise RuntimeError("no server today")

    monkeypatch.setitem(INDEXES, "hnswlib", msgspec.structs.replace(INDEXES["hnswlib"], prepare=prepare))
    failures = [result for result in running.run(study, store) if isinstance(result, Failure)]
    assert {failure.trial.index.engine for failure in failures} == {"hnswlib"}
    assert {failure.reason for failure in failures} == {"build: RuntimeError: no server today"}


def test_the_memory_of_an_engine_in_another_process_is_not_known(study, store, monkeypatch):
    for name in ("hnswlib", "faiss"):
        monkeypatch.setitem(INDEXES, name, msgspec.structs.replace(INDEXES[name], in_process=False))
    assert all("peak_bytes" not in outcome.build.facts for outcome in running.run(study, store))


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_every_metric_reaches_full_recall_at_a_saturating_ef(small, store, metric):
    dataset = with_metric(small, metric)
    experiment = msgspec.structs.replace(
        EXPERIMENT,
        orders=["random"],
        k=10,
        ef_search=400,
        index=[{"engine": name, "M": 16, "ef_construction": 200} for name in LIBRARIES],
    )
    for outcome in running.run(Study("small", experiment, [dataset]), store):
        assert outcome.recall_tie == 1
        assert outcome.recall == 1


def test_judged_data_is_scored_beside_exact_search(models, store):
    dataset = models[0]
    experiment = msgspec.structs.replace(EXPERIMENT, orders=["random"], k=[1, 10], ef_search=[10, 400])
    study = Study("judged", experiment, [dataset])
    list(running.run(study, store))
    exact = retrieval.scores(Geometry(dataset).ground_truth(10)[1], dataset.judgements)["nDCG@10"]
    assert np.isnan(exact[-1])
    for _, outcome in store.outcomes("judged"):
        assert outcome.trial.data.judgements == dataset.judgements.digest
        if outcome.trial.search.k == 1:
            assert outcome.retrieval == outcome.retrieval_exact == {}
            continue
        assert list(outcome.retrieval) == ["nDCG@10", "RR@10"]
        assert np.array_equal(outcome.retrieval_exact["nDCG@10"], exact, equal_nan=True)
        found = outcome.retrieval["nDCG@10"]
        if outcome.trial.search.ef_search == 400:  # every row: as good as exact search
            assert np.array_equal(found, exact, equal_nan=True)
        missed = outcome.hits < 10
        assert np.array_equal(found[~missed], exact[~missed], equal_nan=True)
        if outcome.trial.search.ef_search == 10:
            assert np.nanmean(found) < np.nanmean(exact)


def test_outcomes_have_the_groups_of_their_queries_when_they_are_made_and_when_they_are_read(small, store):
    groups = np.arange(len(small.queries)) // 4
    grouped = checked("grouped", small.base, small.queries, "l2", query_groups=groups)
    study = Study("s", msgspec.structs.replace(EXPERIMENT, orders=["random"]), [small, grouped])
    for outcomes in (running.run(study, store), (outcome for _, outcome in store.outcomes())):
        by_name = {outcome.trial.data.dataset: outcome.query_groups for outcome in outcomes}
        assert by_name[small.name] is None
        assert np.array_equal(by_name["grouped"], groups)


def test_the_same_vectors_with_other_judgements_are_other_trials(models, store):
    dataset = models[0]
    study = Study("judged", EXPERIMENT, [dataset])
    fewer = {query: grades for query, grades in dataset.judgements.qrels.items() if query != "q0"}
    other = replace(dataset, judgements=replace(dataset.judgements, qrels=fewer))
    plain = replace(dataset, judgements=None)
    keys = [{trial.key for trial in Study("judged", EXPERIMENT, [d]).trials} for d in (dataset, other, plain)]
    assert keys[0] == {trial.key for trial in study.trials}
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]


def with_metric(dataset, metric):
    return checked(f"{dataset.name}-{metric}", dataset.base, dataset.queries, metric, dataset.labels)


def test_descending_lid_beats_ascending_where_density_varies(store):
    """The effect that the harness is for, on data small enough for a test."""
    patches = load("image-patches", {"n": 3000, "queries": 300})
    experiment = Experiment(
        datasets=[patches.name],
        orders=["lid-ascending", "lid-descending"],
        index=[{"engine": name} for name in LIBRARIES],
        ef_search=10,
        build_seeds=2,
    )
    recalls = {}
    for outcome in running.run(Study("effect", experiment, [patches]), store):
        recalls.setdefault((outcome.trial.index.engine, outcome.trial.order.order), []).append(outcome.recall)
    for engine in LIBRARIES:
        worst_of_good = min(recalls[engine, "lid-descending"])
        assert worst_of_good > max(recalls[engine, "lid-ascending"]) + 0.02


# An engine like hnswlib that waits in one of its builds while a file is there
HELD = """
import time
from pathlib import Path
from bench.indexes import INDEXES

def build(base, order, metric, params, seed):
    while seed == 2 and (Path(__file__).parent / "held").exists():
        time.sleep(0.05)
    return INDEXES["hnswlib"].build(base, order, metric, params, seed)
"""
TOML = """
datasets = [{ name = "digits", queries = 50 }]
orders = ["random", "given"]
build_seeds = 2
ef_search = [10, 20]
[[index]]
engine = "faiss"
M = 6
ef_construction = 20
[[index]]
engine = "./held.py"
M = 6
ef_construction = 20
"""


@pytest.fixture
def held(tmp_path):
    """Writes an experiment with an engine that is held up in a build."""
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "small.toml").write_text(TOML)
    (tmp_path / "held").touch()
    return tmp_path


@pytest.mark.parametrize(("sign", "jobs"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 1)])
def test_a_process_interrupted_keeps_what_finished_and_resumes(held, cli, bench_script, sign, jobs):
    words = ["run", "small.toml", "--no-report", "--store"]
    process = subprocess.Popen(
        [bench_script, *words, "s.sqlite", "--jobs", str(jobs)],
        cwd=held,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    path = held / "s.sqlite"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:  # until a few outcomes are in
        time.sleep(0.05)
        if path.exists() and path.stat().st_size and len(list(Store.open(path).outcomes())) >= 3:
            break
    process.send_signal(sign)
    said = process.communicate(timeout=300)[1]
    (held / "held").unlink()
    opened = Store.open(path)
    kept = len([*opened.outcomes(), *opened.ladder()])
    in_all = 2 * 2 * 2 * 2 + 2 * 2 * 15  # the ladder from 10 to 640 but 10, in two engines
    assert 3 <= kept < in_all
    if sign == signal.SIGINT:
        assert process.returncode == 3, said
        [line] = [line for line in said.splitlines() if line.startswith("interrupted: ")]
        assert "bench run small.toml" in line
        assert "Traceback" not in said
    resumed = cli(*words, "s.sqlite", check=0)
    assert lines_naming(resumed.stderr, f"{in_all} outcomes", f"{in_all - kept} missing")
    cli(*words, "whole.sqlite", check=0)
    assert content(Store.open(path)) == content(Store.open(held / "whole.sqlite"))


def test_geometry_is_computed_once_for_all_builds(study, store, monkeypatch):
    searched = []
    search = knn.search
    monkeypatch.setattr(knn, "search", lambda *args: searched.append(len(args[0])) or search(*args))
    moved = checked("moved", study.datasets["clustered"].base + 1, study.datasets["clustered"].queries, "l2")
    list(running.run(Study("small", EXPERIMENT, [moved]), store))
    # Rows and queries to describe the data, queries for ground truth, rows for local dimension
    assert sorted(searched) == [40, 40, 400, 400]


def test_workers_bear_a_log_that_cannot_be_sent_to_them(study, store):
    """As a terminal's bar, which has a lock."""
    lock = threading.Lock()

    def log(line):
        with lock:
            pass

    assert sum(1 for _ in running.run(study, store, Workers(2), log)) == len(study.trials)
