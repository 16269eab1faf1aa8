from functools import cache

import numpy as np
import pytest
import skdim
from support.messages import refused

from bench.geometry import dimension, knn


def ball(n, d, seed=0):
    """Uniform in the unit ball of d dimensions."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, d))
    points *= (rng.random(n) ** (1 / d) / np.linalg.norm(points, axis=1))[:, None]
    return points.astype(np.float32)


@cache  # exact search takes a while
def neighbors_in_ball(d):
    points = ball(20_000, d)
    return points, *knn.neighbors(points, 100)


@pytest.mark.parametrize("d", [2, 4])
@pytest.mark.parametrize("estimator", ["mle", "mom"])
def test_a_ball_has_the_dimension_it_has(d, estimator):
    points, distances, neighbors = neighbors_in_ball(d)
    lid = dimension.pointwise(distances, neighbors, points, estimator)
    inner = lid[np.linalg.norm(points, axis=1) + distances[:, -1] < 1]  # whose neighbourhood is whole
    # MLE: (k - 1) d / Gamma(k - 1), of mean d (k - 1) / (k - 2). Neighbourhoods overlap: about `inner` /
    # 100 of them are independent, each of standard deviation d / sqrt(k - 3), so a mean has sd d / sqrt(inner).
    bias = d / 98
    assert abs(inner.mean() - d - (bias if estimator == "mle" else 0)) < 5 * d / np.sqrt(len(inner)) + 0.02 * d


def test_tight_localities_find_the_dimension_of_a_subspace():
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((10, 3)))[0]
    points = (ball(1500, 3) @ basis.T).astype(np.float32)
    distances, neighbors = knn.neighbors(points, 50)
    inner = np.linalg.norm(points, axis=1) < 0.5
    lid = dimension.pointwise(distances, neighbors, points, "tle")[inner]
    assert abs(lid.mean() - 3) < 0.3


@pytest.mark.parametrize("estimator", ["mle", "mom"])
def test_known_neighbours_give_what_scikit_dimension_finds_by_itself(estimator):
    points = np.random.default_rng(0).standard_normal((500, 20)).astype(np.float32)
    own = {"mle": skdim.id.MLE, "mom": skdim.id.MOM}[estimator]().fit(points.astype(np.float64), n_neighbors=100)
    ours = dimension.pointwise(*knn.neighbors(points, 100), points, estimator)
    assert np.allclose(ours, own.dimension_pw_, rtol=1e-5)


def test_mle_by_hand():
    # Distances 1, 2, 4: (3 - 1) / (ln 4 + ln 2 + ln 1) = 2 / ln 8
    lid = dimension.pointwise(np.array([[1.0, 2.0, 4.0]]), np.array([[1, 2, 3]]), np.zeros((4, 2), np.float32))
    assert lid[0] == pytest.approx(2 / np.log(8))


def test_duplicates_are_left_out_and_rows_of_nothing_else_have_no_estimate():
    distances = np.array(
        [[0, 1, 2, 4], [0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 2, 2], [1, 2, 4, 8]], np.float32
    )
    neighbors = np.tile(np.arange(4), (7, 1))
    lid = dimension.pointwise(distances, neighbors, np.zeros((7, 2), np.float32))
    assert lid[0] == pytest.approx(2 / np.log(8))
    assert lid[1] == pytest.approx(1 / np.log(2))
    assert np.isnan(lid[2:6]).all()
    assert lid[6] == pytest.approx(3 / np.log(64))


@pytest.mark.parametrize("estimator", dimension.ESTIMATORS)
def test_a_pile_of_duplicates_spoils_no_other_row(estimator):
    clean = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    pile = np.full((30, 5), 50, np.float32)
    points = np.concatenate([clean, pile])
    lid = dimension.pointwise(*knn.neighbors(points, 20), points, estimator)
    assert np.isnan(lid[200:]).all()
    assert np.allclose(lid[:200], dimension.pointwise(*knn.neighbors(clean, 20), clean, estimator))


def rounded_twice(rows, scale):
    """Rows that were brought to unit length twice, in float64 and in float32: the same except for rounding."""
    wide = rows.astype(np.float64)
    one = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    two = (rows / np.sqrt(np.cumsum(rows**2, axis=1)[:, -1:])).astype(np.float32)  # a sum from left to right
    return np.float32(scale) * one.astype(np.float32), np.float32(scale) * two


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
@pytest.mark.parametrize("estimator", dimension.ESTIMATORS)
def test_duplicates_but_for_rounding_are_duplicates(estimator, scale):
    rows = np.random.default_rng(0).standard_normal((300, 24)).astype(np.float32)
    one, two = rounded_twice(rows, scale)
    copied, rounded = (np.concatenate([one, copies[:60]]) for copies in (one, two))
    assert 0 < np.linalg.norm(copied - rounded, axis=1).max() < 1e-6 * scale
    exact, near = (dimension.pointwise(*knn.neighbors(p, 50), p, estimator) for p in (copied, rounded))
    assert np.allclose(near, exact, rtol=1e-4)
    counts = dimension.duplicates(*knn.neighbors(rounded, 50), rounded)
    assert counts.tolist() == [1] * 60 + [0] * 240 + [1] * 60


def test_a_row_one_step_of_a_coordinate_away_is_a_duplicate_and_one_a_thousandth_away_is_not():
    points = np.random.default_rng(3).random((400, 6)).astype(np.float32)
    by_distance = dimension.pointwise(*knn.neighbors(points, 100), points)
    twin = points[:1].copy()
    twin[0, 0] = np.nextafter(twin[0, 0], np.float32(2))
    rows = np.concatenate([points, twin])
    assert dimension.pointwise(*knn.neighbors(rows, 100), rows)[0] == pytest.approx(by_distance[0], rel=0.02)
    rows[-1] = points[0] * np.float32(1.001)
    assert dimension.duplicates(*knn.neighbors(rows, 100), rows)[0] == 0
    assert dimension.pointwise(*knn.neighbors(rows, 100), rows)[0] < 0.8 * by_distance[0]


def test_a_row_whose_neighbours_are_one_point_but_for_rounding_has_no_estimate():
    pile = np.zeros((30, 3), np.float32)
    pile[:, 0] = 1 + 2**-23 * (np.arange(30) % 4)
    points = np.concatenate([pile, np.array([[0, 1, 0]], np.float32)])
    assert np.isnan(dimension.pointwise(*knn.neighbors(points, 20), points)).all()


@pytest.mark.parametrize("estimator", dimension.ESTIMATORS)
def test_vectors_of_one_value_have_a_dimension_too(estimator):
    points = np.sort(np.random.default_rng(0).random((400, 1)).astype(np.float32), axis=0)
    lid = dimension.pointwise(*knn.neighbors(points, 20), points, estimator)
    assert abs(np.median(lid) - 1) < 0.3


def test_nothing_but_duplicates_has_no_estimates():
    points = np.ones((20, 3), np.float32)
    assert np.isnan(dimension.pointwise(*knn.neighbors(points, 5), points)).all()


def test_an_unknown_estimator_is_refused():
    with refused("'ml'", "mle, mom, tle", error=ValueError):
        dimension.pointwise(np.ones((1, 3)), np.ones((1, 3), int), np.ones((4, 2), np.float32), "ml")


@pytest.mark.parametrize("k", [2, 8, 32])
def test_the_pca_rule_recovers_a_subspace(k):
    rng = np.random.default_rng(0)
    points = (rng.standard_normal((2000, k)) @ np.linalg.qr(rng.standard_normal((64, k)))[0].T).astype(np.float32)
    assert dimension.pca(points) == k


def test_the_pca_rule_by_hand():
    # Variances 0.98, 0.015, 0.005 of 1: two components reach 0.995, one only 0.98.
    axes = np.sqrt([0.98, 0.015, 0.005]) * np.eye(3)
    points = np.concatenate([axes, -axes]).astype(np.float32)
    assert dimension.pca(points) == 2
    assert dimension.pca(points, explained=0.97) == 1
    assert dimension.pca(points, explained=0.999) == 3
    assert dimension.pca(np.ones((5, 3), np.float32)) == 0


def test_the_pca_rule_agrees_with_scikit_dimension_in_blocks(monkeypatch):
    points = (np.random.default_rng(0).standard_normal((500, 30)) * np.linspace(1, 5, 30)).astype(np.float32)
    monkeypatch.setattr(knn, "_BLOCK_VALUES", 100)
    assert dimension.pca(points) == skdim.id.lPCA(ver="ratio", alphaRatio=0.99).fit(points).dimension_


def test_two_nn_finds_the_dimension_despite_duplicates():
    points = ball(5000, 5)
    assert abs(dimension.two_nn(*knn.neighbors(points, 2), points) - 5) < 0.4
    for copies in (points[:100], points[:100] * np.float32(1 + 2e-7)):
        doubled = np.concatenate([points, copies])
        assert abs(dimension.two_nn(*knn.neighbors(doubled, 2), doubled) - 5) < 0.4
    assert np.isnan(dimension.two_nn(np.zeros((5, 2)), np.zeros((5, 2), int), points))


@pytest.mark.parametrize("offset", [0, 1e3, 1e4])
def test_an_offset_that_all_rows_share_makes_no_duplicates_of_neighbours(offset):
    rng = np.random.default_rng(5)
    rows = (offset + 0.05 * rng.standard_normal((400, 8))).astype(np.float32)
    distances, ids = knn.neighbors(rows, 20)
    assert dimension.duplicates(distances, ids, rows).sum() == 0


def test_map_coordinates_are_no_copies():
    rng = np.random.default_rng(6)
    rows = (np.array([5.4e5, 5.8e6]) + 3000 * rng.random((300, 2))).astype(np.float32)
    rows[:10] = rows[10:20]
    distances, ids = knn.neighbors(rows, 5)
    counted = dimension.duplicates(distances, ids, rows)
    assert (counted[:20] >= 1).all()
    assert (counted[20:] > 0).sum() < 10
