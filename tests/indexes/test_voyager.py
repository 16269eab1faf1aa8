"""What voyager does that its adapter relies on, and what it does to inner products."""

import numpy as np
import pytest
from support.engines import data, exact_recall
from support.graphs import graph, plain

from bench.indexes import hnswlib
from bench.indexes.engine import Params
from bench.indexes.voyager import VoyagerParams, VoyagerSearcher, build

pytestmark = pytest.mark.engine("voyager")

BASE, QUERIES = data()
ORDER = np.random.default_rng(1).permutation(1500)
METRICS = ["l2", "cosine", "ip"]
FEW = VoyagerParams(M=6, ef_construction=30)


def built(metric="l2", base=BASE, order=ORDER, seed=1, **params):
    return build(base, order, metric, VoyagerParams(**{"M": 6, "ef_construction": 30, **params}), seed)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("chunk", [1, 7, 1000, "all"])
def test_rows_go_in_in_the_callers_order_whatever_the_chunk(metric, chunk):
    row_by_row = plain("voyager", BASE, ORDER, metric, FEW, 1)
    assert graph("voyager", built(metric, chunk=chunk).index) == graph("voyager", row_by_row)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_it_answers_as_hnswlib_does(metric):
    # Their graphs are alike; sums of floats may be taken in another order, which can swap what ties
    theirs = hnswlib.build(BASE, ORDER, metric, Params(M=6, ef_construction=30), 1)
    ids, others = (searcher.search(QUERIES, 10, 10) for searcher in (built(metric), theirs))
    assert (ids == others).all(axis=1).mean() > 0.95


@pytest.mark.parametrize("metric", METRICS)
def test_ids_are_right_and_a_narrow_search_answers_from_the_graph(metric):
    searcher = built(metric)
    narrow, wide = (exact_recall(searcher.search(QUERIES, 10, ef), BASE, QUERIES, metric) for ef in (10, 1500))
    assert narrow < 0.95 < wide  # a graph of few links, and less than all of it


def coordinate_more(rows):
    """Rows (n, d + 1) as voyager keeps them, for products that are inserted in this order."""
    squares = (rows.astype(np.float64) ** 2).sum(axis=1)
    more = np.sqrt(np.maximum.accumulate(squares) - squares)
    return np.column_stack([rows, more]).astype(np.float32)


def test_inner_products_are_linked_with_a_coordinate_more_that_depends_on_the_order():
    longest_last = np.argsort(np.linalg.norm(BASE, axis=1))
    for order in (longest_last, longest_last[::-1].copy()):
        rows = np.empty((1500, 17), dtype=np.float32)
        rows[order] = coordinate_more(BASE[order])
        like = hnswlib.build(rows, order, "ip", Params(M=6, ef_construction=30), 1)
        expected = like.search(np.pad(QUERIES, ((0, 0), (0, 1))), 10, 10)
        assert (built("ip", order=order).search(QUERIES, 10, 10) == expected).all(axis=1).mean() > 0.95
    # The longest first gives every other row a coordinate, the longest last none at all
    assert not coordinate_more(BASE[longest_last])[:, -1].any()
    assert (coordinate_more(BASE[longest_last[::-1]])[1:, -1] > 0).all()


def test_inner_products_of_vectors_of_one_length_are_hnswlibs():
    sign = np.where(np.random.default_rng(0).random((1500, 16)) < 0.5, -1, 1).astype(np.float32)
    theirs = hnswlib.build(sign, ORDER, "ip", Params(M=6, ef_construction=30), 1)
    assert np.array_equal(built("ip", base=sign).search(QUERIES, 10, 10), theirs.search(QUERIES, 10, 10))


@pytest.mark.parametrize("queries", [1, 3])
def test_missing_neighbours_are_minus_one(queries):
    searcher = build(BASE[:20], np.arange(20), "l2", VoyagerParams(), 1)
    ids = searcher.search(QUERIES[:queries], 30, 10)
    assert (ids[:, 20:] == -1).all()
    assert (np.sort(ids[:, :20], axis=1) == np.arange(20)).all()


def test_a_failure_other_than_too_few_results_is_not_hidden():
    import voyager

    class Failing:
        def query(self, queries, **settings):
            raise voyager.RecallError("something else")

    with pytest.raises(voyager.RecallError, match="else"):
        VoyagerSearcher(Failing(), 1).search(QUERIES[:3], 3, 10)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["i8", "e4m3"])
def test_other_types_of_numbers_are_kept_and_cost_recall(dtype, metric):
    short = BASE / np.linalg.norm(BASE, axis=1).max()  # i8 holds what lies within -1 and 1
    queries = QUERIES / np.linalg.norm(QUERIES, axis=1).max()
    searchers = [built(metric, base=short, M=16, dtype=dtype) for dtype in ("f32", dtype)]
    full, less = (exact_recall(searcher.search(queries, 10, 1500), short, queries, metric) for searcher in searchers)
    assert 0.6 < less < 0.99 < full


def test_values_beyond_eight_bits_are_refused_by_voyager_itself():
    with pytest.raises(ValueError, match=r"\[-1, 1\]|outside|range|bounds"):
        built(base=10 * BASE, dtype="i8")


def test_a_graph_by_two_threads_answers_as_well():
    searchers = [built(M=16, threads=threads, chunk="all") for threads in (1, 2)]
    one, two = (exact_recall(searcher.search(QUERIES, 10, 40), BASE, QUERIES, "l2") for searcher in searchers)
    assert abs(one - two) < 0.05  # four standard errors of 200 queries are less
