import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.messages import refused

from bench.geometry import knn

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((300, 12)).astype(np.float32)
QUERIES = RNG.standard_normal((40, 12)).astype(np.float32)


def by_hand(queries, base, metric):
    """All distances, float64, by definition."""
    queries, base = queries.astype(np.float64), base.astype(np.float64)
    if metric == "ip":
        return -queries @ base.T
    return np.sqrt(((queries[:, None] - base[None]) ** 2).sum(axis=2))


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_search_agrees_with_the_definition(metric, k):
    distances, ids = knn.search(QUERIES, POINTS, k, metric)
    expected = by_hand(QUERIES, POINTS, metric)
    assert np.array_equal(ids, np.argsort(expected, axis=1, kind="stable")[:, :k])
    assert np.allclose(distances, np.sort(expected, axis=1)[:, :k], rtol=1e-6, atol=1e-6)
    assert (np.diff(distances, axis=1) >= 0).all()
    assert (distances.dtype, ids.dtype) == (np.float32, np.int64)


def test_blocks_of_queries_change_nothing(monkeypatch):
    whole = knn.search(QUERIES, POINTS, 10), knn.neighbors(POINTS, 10)
    monkeypatch.setattr(knn, "_QUERY_BLOCK", 7)
    blocked = knn.search(QUERIES, POINTS, 10), knn.neighbors(POINTS, 10)
    for one, other in zip(whole, blocked, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])


def test_distances_are_exact_where_a_matrix_product_rounds_them_away():
    base = POINTS.copy() + 100
    base[1] = base[0]
    base[2] = base[0]
    base[2, 0] += np.float32(1e-3)
    step = float(base[2, 0]) - float(base[0, 0])
    distances, ids = knn.neighbors(base, 2)
    assert ids[0].tolist() == [1, 2]
    assert distances[0, 0] == 0
    assert distances[0, 1] == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize("offset", [1e3, 1e4])
def test_a_large_common_offset_hides_no_neighbour(offset):
    rng = np.random.default_rng(1)
    base = (offset + rng.standard_normal((3000, 64))).astype(np.float32)
    _, ids = knn.search(base, base, 10)  # enough of them for faiss to take the matrix product
    expected = np.argsort(np.concatenate([by_hand(row, base, "l2") for row in np.split(base, 60)]), axis=1)[:, :10]
    # float32 sums may swap rows whose distances differ in the seventh digit, not lose any that matter
    assert np.mean([len(set(a) & set(b)) for a, b in zip(ids, expected, strict=True)]) > 9.98


def test_self_is_left_out_by_id_and_duplicates_stay():
    base = np.concatenate([POINTS[:5], POINTS[:5], POINTS[:5], POINTS])
    distances, ids = knn.neighbors(base, 4)
    assert not (ids == np.arange(len(base))[:, None]).any()
    assert (distances[:5, :3] == 0).all()
    assert set(ids[0, :3]) == {5, 10, 15}
    assert (distances[:5, 3] > 0).all()


def test_among_more_duplicates_than_k_self_is_still_left_out():
    base = np.ones((50, 3), np.float32)
    distances, ids = knn.neighbors(base, 5)
    assert not (ids == np.arange(50)[:, None]).any()
    assert (distances == 0).all()
    assert all(len(set(row)) == 5 for row in ids)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 2**31), st.data())
def test_neighbors_hold_for_any_grid_with_its_ties(n, d, seed, data):
    points = np.random.default_rng(seed).integers(0, 3, size=(n, d)).astype(np.float32)
    k = data.draw(st.integers(1, n - 1))
    distances, ids = knn.neighbors(points, k)
    expected = by_hand(points, points, "l2")
    np.fill_diagonal(expected, np.inf)
    assert np.allclose(distances, np.sort(expected, axis=1)[:, :k])
    assert np.allclose(np.take_along_axis(expected, ids, axis=1), distances)
    assert all(len(set(row)) == k for row in ids)


@pytest.mark.parametrize("k", [0, 301])
def test_more_neighbours_than_rows_are_refused(k):
    with refused(f"k = {k}", "300 rows", error=ValueError):
        knn.search(QUERIES, POINTS, k)


def test_self_neighbours_cannot_be_all_rows():
    with refused("k = 300", 300, error=ValueError):
        knn.neighbors(POINTS, 300)


def test_true_distances_are_infinite_where_nothing_was_found():
    ids = np.array([[0, -1, 2]])
    distances = knn.true_distances(QUERIES[:1], POINTS, ids)
    assert distances[0, 1] == np.inf
    assert np.allclose(distances[0, [0, 2]], by_hand(QUERIES[:1], POINTS, "l2")[0, [0, 2]])
    assert knn.true_distances(QUERIES[:0], POINTS, np.empty((0, 3), np.int64)).shape == (0, 3)


def test_unit_rows_have_length_one_even_when_tiny_or_huge():
    rows = POINTS * np.float32(10) ** RNG.integers(-18, 18, size=(300, 1)).astype(np.float32)
    assert np.abs(np.linalg.norm(knn.unit(rows).astype(np.float64), axis=1) - 1).max() < 1e-6


def test_kmeans_gives_the_nearest_centroid_and_repeats_by_seed():
    nearest, distances = knn.kmeans(POINTS, 10, seed=3)
    assert set(nearest) <= set(range(10))
    for cluster in range(10):
        members = POINTS[nearest == cluster].astype(np.float64)
        assert len(members) > 0
    again, same = knn.kmeans(POINTS, 10, seed=3)
    assert np.array_equal(nearest, again)
    assert np.array_equal(distances, same)
    assert not np.array_equal(nearest, knn.kmeans(POINTS, 10, seed=4)[0])


def test_kmeans_finds_clusters_that_are_far_apart():
    centres = np.array([[0, 0], [100, 0]], np.float32)
    rows = np.repeat(centres, 50, axis=0) + RNG.uniform(-1, 1, (100, 2)).astype(np.float32)
    nearest, distances = knn.kmeans(rows, 2, seed=1)
    assert len(set(nearest[:50])) == len(set(nearest[50:])) == 1
    assert nearest[0] != nearest[50]
    expected = np.linalg.norm(rows - np.repeat([rows[:50].mean(axis=0), rows[50:].mean(axis=0)], 50, axis=0), axis=1)
    assert np.allclose(distances, expected, rtol=1e-4)


def test_faiss_threads_are_put_back():
    import faiss

    before = faiss.omp_get_max_threads()
    with knn.faiss_threads(1):
        assert faiss.omp_get_max_threads() == 1
    assert faiss.omp_get_max_threads() == before
