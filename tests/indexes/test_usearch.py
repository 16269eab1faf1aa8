"""What usearch does that its adapter relies on: order kept in any chunk, levels without a seed, few bits."""

import numpy as np
import pytest
from support.engines import data, exact_recall
from support.graphs import graph, plain
from support.messages import refused

from bench.indexes import INDEXES
from bench.indexes.engine import params_of, version
from bench.indexes.usearch import UsearchParams, build

pytestmark = pytest.mark.engine("usearch")

BASE, QUERIES = data()
ORDER = np.random.default_rng(1).permutation(1500)
METRICS = ["l2", "cosine", "ip"]


def test_the_distribution_that_distances_come_from_is_part_of_the_version():
    assert ", numkong " in version("usearch", INDEXES["usearch"])


def built(metric="l2", seed=1, order=ORDER, **params):
    return build(BASE, order, metric, UsearchParams(**{"M": 6, "ef_construction": 30, "jitter": 1, **params}), seed)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("chunk", [1, 7, 1000, "all"])
def test_rows_go_in_in_the_callers_order_whatever_the_chunk(metric, chunk):
    params = UsearchParams(M=6, ef_construction=30, jitter=1)
    assert graph("usearch", built(metric, chunk=chunk).index) == graph(
        "usearch", plain("usearch", BASE, ORDER, metric, params, 1)
    )


def test_the_seed_moves_rows_and_does_nothing_else():
    assert graph("usearch", built(seed=1).index) == graph("usearch", built(seed=2).index)
    assert graph("usearch", built(seed=1, jitter=8).index) != graph("usearch", built(seed=2, jitter=8).index)


@pytest.mark.parametrize("metric", METRICS)
def test_ids_are_right_and_a_narrow_search_answers_from_the_graph(metric):
    searcher = built(metric)
    narrow, wide = (exact_recall(searcher.search(QUERIES, 10, ef), BASE, QUERIES, metric) for ef in (10, 1500))
    assert narrow < 0.95 < wide  # a graph of few links, and less than all of it


def test_a_search_that_visits_no_node_is_an_error():
    searcher = built()
    search = searcher.index.search
    searcher.index.search = lambda *words, **options: search(*words, **options, exact=True)
    with refused("usearch", error=RuntimeError):
        searcher.search(QUERIES, 10, 10)


@pytest.mark.parametrize("queries", [1, 3])
def test_missing_neighbours_are_minus_one_for_one_query_and_for_several(queries):
    searcher = build(BASE[:20], np.arange(20), "l2", UsearchParams(jitter=1), 1)
    ids = searcher.search(QUERIES[:queries], 30, 30)
    assert ids.shape == (queries, 30)
    assert ids.dtype == np.int64
    assert (np.sort(ids, axis=1) == np.concatenate([np.full(10, -1), np.arange(20)])).all()
    assert (ids[:, 20:] == -1).all()


@pytest.mark.parametrize(("dtype", "metric"), [("bf16", "l2"), ("f16", "ip"), ("i8", "cosine")])
def test_other_types_of_numbers_are_kept_and_cost_recall(dtype, metric):
    searchers = [built(metric, M=16, dtype=dtype) for dtype in ("f32", dtype)]
    full, less = (exact_recall(searcher.search(QUERIES, 10, 1500), BASE, QUERIES, metric) for searcher in searchers)
    assert 0.9 < less < full == 1


def test_eight_bits_are_refused_where_lengths_count():
    for metric in ("l2", "ip"):
        with refused("dtype = i8", metric, "cosine", error=ValueError):
            built(metric, dtype="i8")


def test_parameters_of_its_own_are_checked_in_one_line():
    engine = INDEXES["usearch"]
    assert params_of(engine, {"chunk": "all", "dtype": "bf16", "jitter": 1}, "x").dtype == "bf16"
    for given, named in (({"jitter": 0}, "jitter = 0"), ({"dtype": "f64"}, "dtype"), ({"chunk": 0}, "chunk = 0")):
        with refused("x", named):
            params_of(engine, given, "x")


def test_a_graph_by_two_threads_answers_as_well():
    searchers = [built(M=16, threads=threads, chunk="all") for threads in (1, 2)]
    one, two = (exact_recall(searcher.search(QUERIES, 10, 40), BASE, QUERIES, "l2") for searcher in searchers)
    assert abs(one - two) < 0.05  # four standard errors of 200 queries are less
