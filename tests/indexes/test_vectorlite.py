"""What vectorlite does that its adapter relies on, and that it cannot scan in silence."""

import numpy as np
import pytest
from support.engines import data, exact_recall
from support.graphs import graph, plain
from support.messages import refused

from bench.indexes import INDEXES, hnswlib, vectorlite
from bench.indexes.engine import Params, params_of
from bench.indexes.vectorlite import build

pytestmark = pytest.mark.engine("vectorlite")

BASE, QUERIES = data()
ORDER = np.random.default_rng(1).permutation(1500)
METRICS = ["l2", "cosine", "ip"]
FEW = Params(M=6, ef_construction=30)


@pytest.mark.parametrize("metric", METRICS)
def test_rows_go_in_in_the_callers_order(metric):
    row_by_row = plain("vectorlite", BASE, ORDER, metric, FEW, 1)
    built = graph("vectorlite", build(BASE, ORDER, metric, FEW, 1).index)
    assert built == graph("vectorlite", row_by_row)
    assert built != graph("vectorlite", build(BASE, ORDER[::-1].copy(), metric, FEW, 1).index)


@pytest.mark.parametrize("metric", METRICS)
def test_it_answers_as_hnswlib_does(metric):
    # Their graphs are alike; sums of floats may be taken in another order, which can swap what ties
    ids, others = (
        engine.build(BASE, ORDER, metric, FEW, 7).search(QUERIES, 10, 10) for engine in (vectorlite, hnswlib)
    )
    assert (ids == others).all(axis=1).mean() > 0.95


@pytest.mark.parametrize("metric", METRICS)
def test_ids_are_right_and_a_narrow_search_answers_from_the_graph(metric):
    searcher = build(BASE, ORDER, metric, FEW, 1)
    narrow, wide = (exact_recall(searcher.search(QUERIES, 10, ef), BASE, QUERIES, metric) for ef in (10, 1500))
    assert narrow < 0.95 < wide  # a graph of few links, and less than all of it


def test_a_search_that_scans_rows_is_an_error(monkeypatch):
    searcher = build(BASE, ORDER, "l2", FEW, 1)
    searcher.index.execute("CREATE TABLE copied(rowid INTEGER PRIMARY KEY, vector BLOB)")
    rows = [(row, vector.tobytes()) for row, vector in enumerate(BASE)]
    searcher.index.executemany("INSERT INTO copied VALUES (?, ?)", rows)
    scan = "SELECT rowid FROM copied ORDER BY vector_distance(vector, ?, 'l2') LIMIT min(?, ?)"
    assert len(searcher.index.execute(scan, (QUERIES[0].tobytes(), 10, 10)).fetchall()) == 10
    monkeypatch.setattr(vectorlite, "_SEARCH", scan)
    with refused("vectorlite", error=RuntimeError):
        searcher.search(QUERIES, 10, 10)


def test_missing_neighbours_are_minus_one():
    ids = build(BASE[:20], np.arange(20), "l2", Params(), 1).search(QUERIES[:3], 30, 10)
    assert (ids[:, 20:] == -1).all()
    assert (np.sort(ids[:, :20], axis=1) == np.arange(20)).all()


def test_a_narrow_search_after_a_wide_one_is_narrow():
    searcher = build(BASE, ORDER, "l2", FEW, 1)  # ef stays with the index where a search does not give it
    narrow = searcher.search(QUERIES, 10, 10)
    searcher.search(QUERIES, 10, 500)
    assert np.array_equal(searcher.search(QUERIES, 10, 10), narrow)


def test_several_threads_and_rows_a_call_are_refused_in_one_line():
    with refused("x", "threads = 2"):
        params_of(INDEXES["vectorlite"], {"threads": 2}, "x")
    with refused("x", "'chunk'"):
        params_of(INDEXES["vectorlite"], {"chunk": 100}, "x")


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build(BASE[:50], np.arange(50), "l2", FEW, 1).search(QUERIES[:5], 3, 10)
    assert list(tmp_path.iterdir()) == []
