"""What Qdrant Edge does with order, when it answers from its graph, and what its adapter leaves behind."""

import numpy as np
import pytest
from support.islands import exact, islands, recall, sparse_first
from support.killed import left_behind_when_killed
from support.messages import refused

from bench.indexes import qdrant
from bench.indexes.engine import params_of
from bench.indexes.qdrant import ENGINE, QdrantParams, build

pytestmark = pytest.mark.engine("qdrant")

BASE, QUERIES = islands()
TRUTH = exact(BASE, QUERIES)
GOOD = sparse_first(BASE)
BAD = GOOD[::-1].copy()
SPARSE = {"M": 6, "ef_construction": 30}

# Mean recall at ef_search 10 of two builds like these: sparse first .848, standard error .004; sparse last .734, .013
BETWEEN = 0.79


def found(order, **params):
    """Recall at ef_search 10, the mean of two builds."""
    built = (build(BASE, order, "l2", QdrantParams(**SPARSE | params), seed) for seed in (1, 2))
    return np.mean([recall(searcher.search(QUERIES, 10, 10), TRUTH) for searcher in built])


@pytest.mark.parametrize("chunk", [1, "all"])
def test_a_row_goes_in_at_its_place_in_the_order_whatever_rows_share_a_call(chunk):
    assert found(GOOD, chunk=chunk) > BETWEEN > found(BAD, chunk=chunk)


def test_qdrant_builds_by_point_id_whatever_arrives_first(monkeypatch):
    whole = qdrant._upsert

    def backwards(shard, base, rows, place):
        """The rows of one call, each with its id, last first."""
        for i in reversed(range(len(rows))):
            whole(shard, base, rows[i : i + 1], place + i)

    monkeypatch.setattr(qdrant, "_upsert", backwards)
    assert found(GOOD, chunk="all") > BETWEEN > found(BAD, chunk="all")


@pytest.mark.parametrize("metric", ENGINE.metrics)
def test_ids_are_base_rows_by_the_metric(metric):
    searcher = build(BASE, GOOD, metric, QdrantParams(), 1)
    assert recall(searcher.search(QUERIES, 10, 500), exact(BASE, QUERIES, 10, metric)) > 0.99


def test_few_rows_are_searched_by_their_graph_too():
    base, queries = BASE[:100], QUERIES
    searcher = build(base, np.arange(100), "l2", QdrantParams(M=2, ef_construction=4), 1)
    assert recall(searcher.search(queries, 10, 10), exact(base, queries)) < 0.9


def test_ef_search_sets_how_much_of_the_graph_is_searched():
    searcher = build(BASE, GOOD, "l2", QdrantParams(**SPARSE), 1)
    narrow, wide, all_of_it = (recall(searcher.search(QUERIES, 10, ef), TRUTH) for ef in (10, 20, 400))
    assert narrow < wide < all_of_it


def test_rows_that_no_graph_holds_are_an_error_not_a_scan():
    with refused("0 of 2000 rows", "indexing_threshold", error=RuntimeError):
        build(BASE, GOOD, "l2", QdrantParams(indexing_threshold=10_000), 1)


def test_rows_that_come_after_the_graph_are_an_error():
    searcher = build(BASE[:500], np.arange(500), "l2", QdrantParams(), 1)
    qdrant._upsert(searcher.shard, BASE, np.arange(500, 600), 500)
    searcher._order = np.arange(600)
    with refused("500 of 600 rows", error=RuntimeError):
        searcher.search(QUERIES, 10, 10)


def test_int8_vectors_are_other_vectors():
    recalls = {
        quantization: recall(
            build(BASE, GOOD, "l2", QdrantParams(quantization=quantization), 1).search(QUERIES, 10, 400), TRUTH
        )
        for quantization in ("none", "int8")
    }
    assert 0.8 < recalls["int8"] < 0.97 < recalls["none"]  # .93 whatever the graph: ranked by the rounded vectors


@pytest.mark.parametrize(
    ("given", "wanted"), [({"indexing_threshold": 0}, "indexing_threshold = 0"), ({"chunk": 0}, "chunk = 0")]
)
def test_bad_parameters_are_refused_in_one_line(given, wanted):
    with refused("qdrant", wanted) as refusal:
        params_of(ENGINE, given, "qdrant")
    assert "\n" not in str(refusal.value)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    searcher = build(BASE[:300], np.arange(300), "l2", QdrantParams(), 1)
    assert [*tmp_path.iterdir()]
    del searcher
    assert not [*tmp_path.iterdir()]


def test_nothing_is_left_behind_by_a_build_that_is_killed(tmp_path):
    assert left_behind_when_killed("qdrant", tmp_path) == []
