import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.datasets import checked
from support.messages import refused

from bench.geometry import Geometry, knn
from bench.measure.recall import hits, hits_with_ties


def test_hits_by_hand():
    truth = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    ids = np.array([[3, 1, 2], [4, 0, 0], [-1, -1, -1]])
    assert hits(ids, truth).tolist() == [3, 1, 0]


def test_an_id_returned_twice_counts_once():
    truth = np.array([[1, 2, 3]])
    assert hits(np.array([[1, 1, 1]]), truth).tolist() == [1]
    near = np.array([[0.1, 0.1, 0.1]])
    assert hits_with_ties(np.array([[1, 1, 1]]), near, np.array([[0.1, 0.2, 0.3]])).tolist() == [1]


def test_ties_by_hand():
    # The k-th true distance is 0.3: rows 8 and 9 are as near as row 3, row 7 is not.
    true = np.array([[0.1, 0.2, 0.3]])
    assert hits_with_ties(np.array([[1, 8, 9]]), np.array([[0.1, 0.3, 0.3]]), true).tolist() == [3]
    assert hits_with_ties(np.array([[1, 8, 7]]), np.array([[0.1, 0.3, 0.31]]), true).tolist() == [2]


def test_a_missing_neighbour_is_never_a_tie():
    true = np.array([[0.1, 0.2]])
    assert hits_with_ties(np.array([[1, -1]]), np.array([[0.1, 0.1]]), true).tolist() == [1]
    assert hits_with_ties(np.array([[-1, -1]]), np.array([[0.1, np.inf]]), true).tolist() == [0]


def test_the_tolerance_is_relative_so_tight_data_is_not_flattered():
    true = np.array([[1e-4, 2e-4]])
    far = np.array([[5e-4, 6e-4]])  # within ann-benchmarks' absolute 1e-3, and yet wrong
    assert hits_with_ties(np.array([[5, 6]]), far, true).tolist() == [0]
    assert hits_with_ties(np.array([[5, 6]]), true * (1 + 1e-6), true).tolist() == [2]


def test_the_tolerance_widens_negative_distances_too():
    # Inner product: distances are negative, and nearer is more negative.
    true = np.array([[-3.0, -2.0]])
    near, off = -2 * (1 - 1e-6), -2 * (1 - 1e-3)
    assert hits_with_ties(np.array([[1, 5]]), np.array([[-3.0, near]]), true).tolist() == [2]
    assert hits_with_ties(np.array([[1, 5]]), np.array([[-3.0, off]]), true).tolist() == [1]


def test_duplicates_of_a_query_are_as_near_as_each_other():
    true, reached = np.array([[0.0, 1e-7], [0.1, 0.2]]), np.array([[4.8e-7, 2e-6], [0.2, 0.3]])
    ids = np.array([[5, 6], [5, 6]])
    duplicate = np.full((2, 1), 1e-6)
    assert hits_with_ties(ids, reached, true).tolist() == [0, 1]
    assert hits_with_ties(ids, reached, true, duplicate).tolist() == [1, 1]


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_ten_of_thirty_rows_that_differ_from_the_query_by_rounding_are_all_right(metric):
    rng = np.random.default_rng(0)
    length = rng.uniform(1, 2, (30, 1)) if metric == "cosine" else 1 + 1e-7 * rng.integers(-1, 2, (30, 1))
    pile = rng.standard_normal((1, 16)) * length
    dataset = checked("x", np.concatenate([pile, rng.standard_normal((30, 16))]), pile[:3], metric)
    geometry = Geometry(dataset)
    ids = np.tile(np.arange(20, 30), (3, 1))
    reached = knn.true_distances(geometry.query_points, geometry.points, ids, geometry.ranks_by)
    ties = hits_with_ties(ids, reached, geometry.ground_truth(10)[0], geometry.query_duplicates)
    assert ties.tolist() == [10, 10, 10]


def test_shapes_must_match():
    with refused("(2, 3)", "(2, 4)", error=ValueError):
        hits(np.zeros((2, 3), int), np.zeros((2, 4), int))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(0, 2**31))
def test_both_agree_with_sets_and_ties_never_count_less(k, seed):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 3, (20, 2)).astype(np.float32)  # a grid: full of ties
    queries = rng.integers(0, 3, (6, 2)).astype(np.float32)
    distances, truth = knn.search(queries, base, k)
    ids = rng.integers(-1, 20, (6, k))
    found = knn.true_distances(queries, base, ids)
    by_id = hits(ids, truth)
    with_ties = hits_with_ties(ids, found, distances)
    for i in range(6):
        assert by_id[i] == len(set(ids[i]) & set(truth[i]))
        near = {j for j in set(ids[i]) - {-1} if np.linalg.norm(base[j] - queries[i]) <= distances[i, -1] * (1 + 1e-6)}
        assert with_ties[i] == len(near)
    assert (with_ties >= by_id).all()
    assert (with_ties <= k).all()
    assert (hits(truth, truth) == k).all()
