import numpy as np
import pytest
import skdim

from bench.geometry import dimension, knn


def ball(n, d, seed=0):
    """Uniform in the unit ball of d dimensions."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, d))
    points *= (rng.random(n) ** (1 / d) / np.linalg.norm(points, axis=1))[:, None]
    return points.astype(np.float32)


@pytest.mark.parametrize("d", [2, 4])
@pytest.mark.parametrize("estimator", ["mle", "mom"])
def test_a_ball_has_the_dimension_it_has(d, estimator):
    points = ball(20_000, d)
    distances, neighbors = knn.neighbors(points, 100)
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


@pytest.mark.parametrize("estimator", dimension.ESTIMATORS)
def test_vectors_of_one_value_have_a_dimension_too(estimator):
    points = np.sort(np.random.default_rng(0).random((400, 1)).astype(np.float32), axis=0)
    lid = dimension.pointwise(*knn.neighbors(points, 20), points, estimator)
    assert abs(np.median(lid) - 1) < 0.3


def test_nothing_but_duplicates_has_no_estimates():
    points = np.ones((20, 3), np.float32)
    assert np.isnan(dimension.pointwise(*knn.neighbors(points, 5), points)).all()


def test_an_unknown_estimator_is_refused():
    with pytest.raises(ValueError, match="known: mle, mom, tle"):
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
    assert abs(dimension.two_nn(knn.neighbors(points, 2)[0]) - 5) < 0.4
    doubled = np.concatenate([points, points[:100]])
    assert abs(dimension.two_nn(knn.neighbors(doubled, 2)[0]) - 5) < 0.4
    assert np.isnan(dimension.two_nn(np.zeros((5, 2))))
