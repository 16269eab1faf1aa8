import numpy as np
import pytest

from bench.statistics import bootstrap


def test_resampled_means_spread_as_the_means_do():
    # One build: the standard error of a mean over 50 queries. Relative error of an sd of 4000 draws: about 1 %.
    table = np.random.default_rng(0).standard_normal((1, 50))
    [drawn] = bootstrap.means([table])
    assert drawn.mean() == pytest.approx(table.mean(), abs=0.01)
    assert drawn.std() == pytest.approx(table.std() / 50**0.5, rel=0.05)
    # Builds that differ by a constant each: the spread of the builds' means, queries alike.
    builds = np.array([[0.0] * 50, [1.0] * 50, [5.0] * 50, [6.0] * 50])
    [drawn] = bootstrap.means([builds])
    assert drawn.std() == pytest.approx(builds[:, 0].std() / 4**0.5, rel=0.05)


def test_resampled_means_of_groups_spread_as_the_groups_means_do():
    """50 groups of 8 equal queries: the standard error is that of 50 values, not of 400."""
    by_group = np.random.default_rng(7).standard_normal(50)
    groups = np.random.default_rng(8).permutation(np.repeat(np.arange(50), 8))
    [drawn] = bootstrap.means([by_group[groups][None]], groups=groups)
    assert drawn.mean() == pytest.approx(by_group.mean(), abs=0.01)
    assert drawn.std() == pytest.approx(by_group.std() / 50**0.5, rel=0.05)
    alone = np.arange(400)
    table = np.random.default_rng(9).standard_normal((2, 400))
    assert bootstrap.means([table], groups=alone) == pytest.approx(bootstrap.means([table]))


def test_a_resampled_mean_is_over_the_queries_of_the_groups_drawn():
    """Of two groups, of 1 and of 3 queries: 0, 1, or both, (0 + 3) / 4."""
    [drawn] = bootstrap.means([np.array([[0.0, 1.0, 1.0, 1.0]])], groups=np.array([5, 6, 6, 6]))
    assert np.unique(drawn.round(12)).tolist() == [0, 0.75, 1]


def test_tables_share_their_queries_and_not_their_builds():
    rng = np.random.default_rng(1)
    hard = rng.standard_normal((1, 40))
    exact, same, apart = bootstrap.means([hard, hard.copy(), np.repeat([[0.0], [1.0]], 40, axis=1)])
    assert np.allclose(exact, same)
    again = bootstrap.means(
        [apart[None, :40], np.repeat([[0.0], [1.0]], 40, axis=1), np.repeat([[0.0], [1.0]], 40, axis=1)]
    )
    assert abs(np.corrcoef(again[1], again[2])[0, 1]) < 0.1


def test_resamples_repeat_by_seed_whatever_the_block(monkeypatch):
    tables = [np.random.default_rng(2).random((3, 30)), np.random.default_rng(3).random((1, 30))]
    whole = bootstrap.means(tables)
    assert np.array_equal(whole, bootstrap.means(tables))
    assert not np.array_equal(whole, bootstrap.means(tables, seed=1))
    monkeypatch.setattr(bootstrap, "_BLOCK_VALUES", 3000)
    assert bootstrap.means(tables).shape == whole.shape
    assert bootstrap.means(tables).std(axis=1) == pytest.approx(whole.std(axis=1), rel=0.1)


def test_swaps_are_counted_by_hand():
    reference = np.array([1.0, 1.0, -1.0, 0.0, 0.0, 2.0])
    difference = np.array([1.0, -1.0, -1.0, 3.0, 0.0, 1e-12])
    # no, swapped, no, half, no, half
    assert bootstrap.share_swapped(difference, reference) == pytest.approx(2 / 6)


def test_a_swap_that_is_not_there_is_seldom_sure():
    """Two models far apart under exact search and of one quality under the index: at most 5 % may look swapped."""
    rng = np.random.default_rng(6)
    sure = []
    for _ in range(200):
        ahead, behind = rng.normal(0.3, 0.1, (1, 93)), np.zeros((1, 93))
        index = rng.normal(0, 0.02, (1, 93)) + rng.normal(0, 0.02, (4, 1)) + rng.normal(0, 0.1, (4, 93))
        other = rng.normal(0, 0.02, (4, 1)) + rng.normal(0, 0.1, (4, 93))
        a, b, c, d = bootstrap.means([ahead, behind, index, other], resamples=400)
        sure.append(bootstrap.share_swapped(c - d, a - b) >= 0.95)
    assert np.mean(sure) < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def test_correlations_of_known_points():
    x = np.arange(12.0).reshape(4, 3)
    pearson, spearman = bootstrap.correlation(x, 2 * x + 1)
    assert (pearson.value, pearson.low, pearson.high) == pytest.approx((1, 1, 1))
    pearson, spearman = bootstrap.correlation(x, -np.exp(x))
    assert spearman.value == pytest.approx(-1)
    assert pearson.value == pytest.approx(np.corrcoef(x.ravel(), -np.exp(x).ravel())[0, 1])


def test_spearman_is_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 5, (2, 6, 4)).astype(float)
    assert bootstrap.correlation(x, y)[1].value == pytest.approx(spearmanr(x.ravel(), y.ravel()).statistic)


def test_points_of_one_cluster_are_no_independent_evidence():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 8))
    one = bootstrap.correlation(x[:, None], y[:, None])[0]
    repeated = bootstrap.correlation(np.repeat(x[:, None], 20, axis=1), np.repeat(y[:, None], 20, axis=1))[0]
    assert repeated.value == pytest.approx(one.value)
    assert (repeated.low, repeated.high) == pytest.approx((one.low, one.high))


def test_constants_have_no_correlation_and_two_clusters_no_interval():
    pearson, spearman = bootstrap.correlation(np.ones((4, 2)), np.arange(8.0).reshape(4, 2))
    assert np.isnan([pearson.value, spearman.value]).all()
    pearson, _ = bootstrap.correlation(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[0.0, 2.0], [1.0, 3.0]]))
    assert pearson.value == pytest.approx(0.8)
    assert np.isnan(pearson.low)
