"""What LanceDB does with order and threads, when it answers from its graph, and what its adapter leaves behind."""

import os
import subprocess
import sys

import numpy as np
import pytest
from support.islands import exact, islands, recall, sparse_first
from support.killed import left_behind_when_killed
from support.messages import refused

from bench.indexes.engine import params_of
from bench.indexes.lancedb import ENGINE, LanceDBParams, build
from bench.study.execution.workers import Workers
from bench.study.outcome import Failure
from bench.study.plan import probe
from bench.study.run import run
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

# Imported by the adapter alone, which sets its threads first
pytestmark = pytest.mark.engine("lancedb")

BASE, QUERIES = islands()
TRUTH = exact(BASE, QUERIES)
GOOD = sparse_first(BASE)
SPARSE = {"M": 6, "ef_construction": 30, "jitter": 1}


def answers(order, base=BASE, metric="l2", ef=10, **params):
    return build(base, order, metric, LanceDBParams(**SPARSE | params), 1).search(QUERIES, 10, ef)


def test_the_graph_is_that_of_a_plain_table_in_this_order(tmp_path):
    ours = answers(GOOD)  # which sets the threads as it imports LanceDB
    import lancedb
    import pyarrow as pa
    from lancedb.index import HnswFlat

    vectors = pa.FixedSizeListArray.from_arrays(pa.array(BASE[GOOD].ravel()), BASE.shape[1])
    table = lancedb.connect(tmp_path).create_table("plain", pa.table({"base_id": GOOD, "vector": vectors}))
    table.create_index("vector", config=HnswFlat(distance_type="l2", num_partitions=1, m=6, ef_construction=30))
    plain = [
        table.search(query).distance_type("l2").nprobes(1).ef(10).limit(10).select(["base_id", "_distance"]).to_arrow()
        for query in QUERIES  # one by one, as most do
    ]
    assert np.array_equal(ours, np.stack([found["base_id"].to_numpy() for found in plain]))


@pytest.mark.parametrize("chunk", [100, 1500])
def test_rows_a_call_do_not_change_the_graph(chunk):
    assert np.array_equal(answers(GOOD), answers(GOOD, chunk=chunk))


def test_rows_that_come_last_change_nothing_of_the_graph_before_them():
    far = np.full((200, BASE.shape[1]), 100, dtype=np.float32) + np.arange(200, dtype=np.float32)[:, None]
    whole = np.vstack([BASE, far])
    alone, last, first = (
        answers(GOOD),
        answers(np.r_[GOOD, 2000:2200], whole),
        answers(np.r_[2000:2200, GOOD], whole),
    )
    assert (alone != last).any(axis=1).mean() < 0.05
    assert (alone != first).any(axis=1).mean() > 0.2  # .34: levels depend on place


def test_the_seed_moves_rows_as_far_as_jitter_says():
    def built(seed, jitter):
        params = LanceDBParams(**SPARSE | {"jitter": jitter})
        return build(BASE, GOOD, "l2", params, seed).search(QUERIES, 10, 10)

    assert np.array_equal(built(1, 1), built(2, 1))
    assert not np.array_equal(built(1, 8), built(2, 8))


@pytest.mark.parametrize("metric", ENGINE.metrics)
def test_ids_are_base_rows_by_the_metric(metric):
    assert recall(answers(GOOD, metric=metric, ef=500, M=16), exact(BASE, QUERIES, 10, metric)) > 0.99


def test_ef_search_sets_how_much_of_the_graph_is_searched():
    searcher = build(BASE, GOOD, "l2", LanceDBParams(**SPARSE), 1)
    narrow, wide, all_of_it = (recall(searcher.search(QUERIES, 10, ef), TRUTH) for ef in (1, 20, 400))
    assert narrow < wide < all_of_it


def test_many_partitions_are_all_searched():
    assert recall(answers(GOOD, num_partitions=4, M=16, ef=400), TRUTH) > 0.99
    assert not np.array_equal(answers(GOOD, num_partitions=4), answers(GOOD))


def test_bytes_are_other_vectors():
    assert 0.8 < recall(answers(GOOD, index_type="SQ", M=16, ef=400), TRUTH) < 0.99


def test_a_single_query_and_rows_that_are_not_reached():
    searcher = build(BASE[:300], np.arange(300), "l2", LanceDBParams(M=4, ef_construction=4), 1)
    many = searcher.search(QUERIES[:3], 350, 400)
    assert np.array_equal(searcher.search(QUERIES[:1], 350, 400), many[:1])
    assert [sorted({*row} - {-1}) for row in many] == [sorted(row[row >= 0]) for row in many]
    assert (many[:, 300:] == -1).all()


def test_a_scan_is_an_error():
    searcher = build(BASE[:500], np.arange(500), "l2", LanceDBParams(), 1)
    searcher.table.drop_index("vector_idx")
    with refused("KNNVectorDistance", error=RuntimeError):
        searcher.search(QUERIES, 10, 10)


def test_rows_that_come_after_the_graph_are_an_error():
    searcher = build(BASE[:500], np.arange(500), "l2", LanceDBParams(), 1)
    searcher.table.add([{"id": 500, "vector": BASE[500]}])
    with refused("LanceDB", error=RuntimeError):
        searcher.search(QUERIES, 10, 10)


PROGRAM = """
import numpy as np, os, sys
if "somebody" in sys.argv:
    import lancedb
from bench.indexes.lancedb import LanceDBParams, build
base = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
for threads in (2, 1):
    try:
        build(base, np.arange(500), "l2", LanceDBParams(threads=threads), 1)
        print("built with", threads)
    except RuntimeError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("somebody", "set_to", "built", "named"),
    [
        ([], None, "built with 2", "threads = 2"),
        (["somebody"], None, None, "RAYON_NUM_THREADS"),
        (["somebody"], "2", "built with 2", "threads = 2"),
    ],
)
def test_threads_are_those_that_a_process_loaded_lancedb_with(somebody, set_to, built, named):
    names = ("RAYON_NUM_THREADS", "LANCE_CPU_THREADS", "TOKIO_WORKER_THREADS")
    env = {name: value for name, value in os.environ.items() if name not in names}
    env |= dict.fromkeys(names, set_to) if set_to else {}
    command = [sys.executable, "-c", PROGRAM, *somebody]
    lines = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 2
    assert lines[0] == built or named in lines[0]
    assert named in lines[1]
    assert "threads = 1" in lines[1]


ENVIRONMENT = """
import numpy as np, os
from pathlib import Path
from bench.indexes.lancedb import LanceDBParams, build
base = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
before = dict(os.environ)
for _ in range(2):
    build(base, np.arange(500), "l2", LanceDBParams(threads=5), 1).search(base, 10, 10)
    print([(name, os.environ.get(name)) for name in before | os.environ if before.get(name) != os.environ.get(name)])
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
    print(sum(name.startswith("lance-cpu") for name in names))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads in /proc")
@pytest.mark.parametrize("set_to", [{}, {"LANCE_CPU_THREADS": "2"}])
def test_the_environment_is_as_before_and_the_next_build_is_on_the_same_threads(set_to):
    names = ("RAYON_NUM_THREADS", "LANCE_CPU_THREADS", "TOKIO_WORKER_THREADS")
    env = {name: value for name, value in os.environ.items() if name not in names} | set_to
    command = [sys.executable, "-c", ENVIRONMENT]
    lines = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[::2] == ["[]", "[]"]
    assert {*lines[1::2]} <= {"5", "6"}  # and one that they hand blocking work to


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({"M": 3}, "M = 3"), ({"num_partitions": 0}, "num_partitions = 0"), ({"jitter": 0}, "jitter = 0")],
)
def test_bad_parameters_are_refused_in_one_line(given, wanted):
    with refused("lancedb", wanted) as refusal:
        params_of(ENGINE, given, "lancedb")
    assert "\n" not in str(refusal.value)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    searcher = build(BASE[:300], np.arange(300), "l2", LanceDBParams(), 1)
    assert [*tmp_path.iterdir()]
    assert os.environ["TMPDIR"] == str(tmp_path)
    del searcher
    assert not [*tmp_path.iterdir()]


def test_nothing_is_left_behind_by_a_build_that_is_killed(tmp_path):
    assert left_behind_when_killed("lancedb", tmp_path) == []


def test_a_study_may_have_it_on_several_numbers_of_threads(small, tmp_path):
    """Each in a process of its own: with one worker, the second number takes another."""
    experiment = Experiment(
        datasets=["clustered"],
        orders=["given"],
        index=[{"engine": "lancedb", "threads": [1, 2]}, {"engine": "hnswlib"}],
        ef_search=10,
        build_seeds=2,
    )
    study, store = Study("threads", experiment, [small]), Store.create(tmp_path / "store.sqlite")
    results = list(run(study, store, Workers(1)))
    assert [result for result in results if isinstance(result, Failure)] == []
    assert len(results) == 6


def test_a_plan_probes_each_number_of_threads_in_a_process_of_its_own(small):
    experiment = Experiment(
        datasets=["clustered"],
        orders=["given", "random"],
        index=[{"engine": "lancedb", "threads": [1, 2]}],
        ef_search=10,
        build_seeds=2,
        equal_ef=False,
    )
    probes = list(probe(Study("threads", experiment, [small])))
    assert [one.index.threads for one in probes] == [1, 2]
