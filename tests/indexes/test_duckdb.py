"""What DuckDB's VSS extension does that its adapter relies on."""

import hashlib
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest
from support.messages import refused

from bench.errors import BenchError
from bench.geometry import knn
from bench.indexes import INDEXES
from bench.indexes.contract import vectors
from bench.indexes.engine import params_of

pytestmark = pytest.mark.engine("duckdb")

N = 600
BASE, QUERIES = vectors("l2", N)
SHUFFLED = np.random.default_rng(1).permutation(N)


def build(order=SHUFFLED, metric="l2", seed=1, **params):
    given = params_of(INDEXES["duckdb"], {"M": 6, "ef_construction": 30, "chunk": 50, **params}, "duckdb")
    return INDEXES["duckdb"].build(vectors(metric, N)[0], order, metric, given, seed)


def answers(searcher, ef_search=10):
    return searcher.search(QUERIES, 10, ef_search)


@pytest.mark.parametrize("index", ["first", "after"])
def test_the_graph_is_that_of_rows_inserted_one_by_one_in_the_callers_order(index):
    searcher = build(jitter=1, index=index, chunk=1)
    plain = build(np.arange(1), jitter=1).connection.cursor()
    plain.execute("SET late_materialization_max_rows = 0")
    plain.execute("SET hnsw_ef_search = 10")
    plain.execute("CREATE TABLE plain (id BIGINT, vector FLOAT[16])")
    create = "CREATE INDEX ix ON plain USING HNSW (vector) WITH (metric = 'l2sq', M = 6, M0 = 12, ef_construction = 30)"
    if index == "first":
        plain.execute(create)
    for row in SHUFFLED:
        plain.execute("INSERT INTO plain VALUES (?, ?)", [int(row), BASE[row].tolist()])
    if index == "after":
        plain.execute(create)
    nearest = "SELECT id FROM plain ORDER BY array_distance(vector, ?::FLOAT[16]) LIMIT 10"
    expected = [[one for (one,) in plain.execute(nearest, [query.tolist()]).fetchall()] for query in QUERIES]
    assert answers(searcher).tolist() == expected


def test_a_chunk_keeps_the_order_and_moves_only_the_levels():
    # One transaction grows the index once, as making it of the filled table does: levels begin once.
    at_once, afterwards = (answers(build(jitter=1, index=index, chunk="all")) for index in ("first", "after"))
    assert np.array_equal(at_once, afterwards)
    one, two = (answers(build(jitter=1, chunk=chunk)) for chunk in (1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, at_once)


@pytest.mark.parametrize("index", ["first", "after"])
def test_another_order_gives_another_graph(index):
    forwards, backwards = (answers(build(order, jitter=1, index=index)) for order in (SHUFFLED, SHUFFLED[::-1]))
    assert (forwards != backwards).any(axis=1).mean() > 0.3


def test_without_jitter_the_seed_does_nothing_and_with_it_builds_differ():
    assert np.array_equal(*(answers(build(jitter=1, seed=seed)) for seed in (1, 2)))
    assert not np.array_equal(*(answers(build(jitter=8, seed=seed)) for seed in (1, 2)))


PROGRAM = """
import hashlib, numpy as np
from bench.indexes import INDEXES
from bench.indexes.contract import vectors
base, queries = vectors("l2", 600)
order = np.random.default_rng(1).permutation(600)
for index in ("first", "after"):
    params = INDEXES["duckdb"].params(M=6, ef_construction=30, index=index, chunk=50)
    ids = INDEXES["duckdb"].build(base, order, "l2", params, 3).search(queries, 10, 10)
    print(hashlib.sha256(ids.tobytes()).hexdigest())
"""


def test_builds_repeat_in_another_process():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    here = [answers(build(seed=3, index=index, chunk=50)) for index in ("first", "after")]
    assert done.stdout.split() == [hashlib.sha256(ids.tobytes()).hexdigest() for ids in here]


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_ids_are_those_of_exact_search_in_any_order(metric):
    base, queries = vectors(metric, N)
    ids = build(metric=metric, index="after", M=16, ef_construction=200).search(queries, 10, N)
    points = (knn.unit(queries), knn.unit(base)) if metric == "cosine" else (queries, base)
    _, exact = knn.search(*points, 10, "ip" if metric == "ip" else "l2")
    assert np.array_equal(np.sort(ids, axis=1), np.sort(exact, axis=1))


def test_it_answers_from_a_graph_and_wider_searches_find_more():
    searcher = build()
    _, exact = knn.search(QUERIES, BASE, 10, "l2")
    narrow, wide = (
        np.mean([np.isin(*pair).mean() for pair in zip(answers(searcher, ef), exact, strict=True)]) for ef in (10, 100)
    )
    assert narrow < 0.9 < wide


def test_a_search_without_the_graph_is_an_error():
    searcher = build()
    searcher.connection.execute("DROP INDEX graph")
    with refused("HNSW_INDEX_SCAN", error=RuntimeError):
        answers(searcher)


def test_the_links_of_level_zero_are_a_parameter():
    assert np.array_equal(*(answers(build(M0=links)) for links in ("2M", 12)))
    assert not np.array_equal(*(answers(build(M0=links)) for links in (12, 24)))


@pytest.mark.parametrize(
    ("params", "said"),
    [({"M0": 4}, "M0 = 4"), ({"jitter": 0}, "jitter = 0"), ({"index": "before"}, "index"), ({"chunk": 0}, "chunk = 0")],
)
def test_bad_parameters_are_refused_in_one_line(params, said):
    with refused(said, error=(BenchError, ValueError)) as error:
        build(**params)
    assert "\n" not in str(error.value)


def test_two_threads_build_and_answer():
    ids = build(index="after", threads=2, M=16, ef_construction=200).search(QUERIES, 10, N)
    assert np.array_equal(ids[:, 0], knn.search(QUERIES, BASE, 1, "l2")[1][:, 0])


def test_nothing_is_written_or_fetched(tmp_path, monkeypatch):
    import duckdb

    monkeypatch.chdir(tmp_path)
    searcher = build()
    answers(searcher)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(duckdb.Error):
        searcher.connection.execute("LOAD spatial")


def test_a_version_without_its_extensions_names_the_command_that_installs_one_with_them(monkeypatch):
    import duckdb

    fitting = metadata.version("duckdb-extension-vss")
    monkeypatch.setattr(duckdb, "__version__", "0.0.1")
    with refused("DuckDB 0.0.1", f"pip install 'duckdb=={fitting}'", error=RuntimeError):
        build()


INTERRUPTED = """
import os, signal, threading, numpy as np
from bench.indexes import INDEXES, duckdb
signal.signal(signal.SIGINT, signal.default_int_handler)
base = np.random.default_rng(0).standard_normal((8000, 64)).astype(np.float32)
params = INDEXES["duckdb"].params(ef_construction=500, index={index!r})

class Watched:
    def __init__(self, connection):
        self.connection = connection
    def __getattr__(self, name):
        return getattr(self.connection, name)
    def execute(self, statement, *rest):
        if statement.startswith("CREATE INDEX"):
            print("now", flush=True)
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        return self.connection.execute(statement, *rest)

whole = duckdb._database
duckdb._database = lambda threads: Watched(whole(threads))
try:
    duckdb.build(base, np.arange(len(base)), "l2", params, 1)
    print("built")
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.parametrize("index", ["first", "after"])
def test_ctrl_c_is_heard_while_rows_are_linked(index):
    program = INTERRUPTED.format(index=index)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "now\nheard\n"
