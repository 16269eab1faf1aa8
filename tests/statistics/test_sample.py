import numpy as np
import pytest
from tools.calibrate_groups import coverage, intraclass_correlation

from bench.statistics.sample import (
    balanced,
    balanced_sample,
    by_group,
    effective_units,
    falls_apart,
    independent,
    lost_queries,
    units,
)


@pytest.mark.parametrize(
    ("pairs", "rows"),
    [
        ([(1, 1), (2, 2), (3, 3)], [0, 1, 2]),  # independent
        ([(5, 1), (6, 2)], [0, 1]),  # with other seeds
        ([(1, 1), (1, 2), (1, 3)], [0, 1, 2]),  # one order, several builds
        ([(o, b) for o in (1, 2) for b in (1, 2, 3)], [0, 1, 2, 3, 4, 5]),  # crossed
        ([(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)], [0, 1, 3, 4]),  # cut short: two by two are more than one by three
        ([(1, 1), (1, 2), (1, 3), (2, 1)], [0, 1, 2]),
        ([(1, 1), (2, 2), (3, 3), (4, 4), (1, 2), (2, 1)], [0, 1, 2, 3]),  # four independent, and a part crossed
        ([(1, 1), (2, 2), (3, 3), (1, 2), (2, 1)], [0, 1, 3, 4]),
    ],
)
def test_builds_that_share_seeds_never_pass_for_independent(pairs, rows):
    assert balanced(pairs) == rows


def test_queries_that_a_build_loses_are_counted_against_its_sister_builds():
    recalls = np.full((4, 5), 0.9)
    recalls[0, 0] = 0.0  # lost whole
    recalls[1, 1] = 0.4  # half a recall less
    recalls[2, 2] = 0.5  # less than half of one
    recalls[:, 3] = 0.0  # every build loses it
    recalls[:, 4] = [0.0, 0.0, 0.4, 0.4]  # its sister builds do not have half
    assert lost_queries(recalls).tolist() == [1, 1, 0, 0]
    assert lost_queries(recalls[[0, 3]]).tolist() == [1, 0]
    assert lost_queries(recalls[:1]).tolist() == [0]


@pytest.mark.parametrize(
    ("lost", "apart"),
    [
        ([0, 0, 0, 28], True),
        ([41, 11, 6], True),
        ([0, 10], True),
        ([0, 0, 0, 9], False),  # fewer than one in a hundred
        ([14, 4, 3], True),
        ([10, 3, 3], False),  # as chance has it
        ([12, 6, 6, 5], False),  # by luck every build loses some
        ([0, 0, 0], False),
        ([0], False),
    ],
)
def test_a_build_falls_apart_that_loses_many_more_queries_than_its_sister_builds(lost, apart):
    recalls = np.ones((len(lost), 1000))
    for build, count in enumerate(lost):
        recalls[build, 100 * build : 100 * build + count] = 0.0
    assert falls_apart(recalls) == apart


def test_without_groups_and_with_groups_of_one_query_units_are_the_recalls():
    recalls = np.random.default_rng(0).random((3, 7))
    assert units(independent(recalls)) is recalls
    alone = independent(recalls, groups=np.arange(7))
    assert units(alone) == pytest.approx(recalls, abs=1e-15)
    assert effective_units(alone) == effective_units(independent(recalls)) == 7


def test_units_of_equal_groups_are_the_groups_means_and_of_others_linearised_by_hand():
    recalls = np.array([[0.0, 1.0, 0.5, 0.5], [1.0, 1.0, 0.0, 0.2]])
    assert units(independent(recalls, groups=np.array([4, 4, 9, 9]))) == pytest.approx(np.array([[0.5, 0.5], [1, 0.1]]))
    unequal = independent(np.array([[0.0, 1.0, 1.0, 1.0]]), groups=np.array([0, 1, 1, 1]))
    # The mean is 3/4, G / Q = 1/2: 3/4 + (0 - 3/4) / 2 and 3/4 + 3 (1 - 3/4) / 2.
    assert units(unequal) == pytest.approx(np.array([[0.375, 1.125]]))
    assert effective_units(unequal) == pytest.approx(16 / 10)


def test_units_keep_the_builds_means_and_are_linear_in_the_recalls():
    rng = np.random.default_rng(1)
    a, b, groups = rng.random((4, 50)), rng.random((4, 50)), rng.integers(12, size=50)
    sample, other = independent(a, groups=groups), independent(b, groups=groups)
    assert units(sample).mean(axis=1) == pytest.approx(a.mean(axis=1))
    assert units(sample) - units(other) == pytest.approx(units(independent(a - b, groups=groups)))
    assert by_group(a[0], groups) == pytest.approx(units(sample)[0])


def test_the_variance_of_units_is_the_cluster_robust_variance_of_a_mean():
    """Sum over groups of the squared sums of residuals, over Q^2, with the usual factor G / (G - 1)."""
    rng = np.random.default_rng(2)
    values, groups = rng.random(60), rng.integers(9, size=60)
    sums = np.bincount(groups, values - values.mean())
    table = units(independent(values[None], groups=groups))
    assert table.var(ddof=1) / 9 == pytest.approx((sums**2).sum() / 60**2 * 9 / 8)


def test_a_sample_has_the_groups_it_is_given():
    groups = np.array([0, 0, 1])
    sample = balanced_sample([np.array([0.1, 0.2, 0.3])], [(1, 1)], 10, groups)
    assert sample.groups is groups
    assert sample._replace(recalls=sample.recalls - 0.1).groups is groups
    assert balanced_sample([np.array([0.1, 0.2, 0.3])], [(1, 1)], 10).groups is None


@pytest.mark.parametrize("sizes", [np.full(60, 20), np.arange(60) % 30 + 5])
def test_intervals_hold_the_truth_where_whole_groups_are_drawn_by_units_alone(sizes):
    """20 builds of queries that correlate at 0.3 within groups. The standard error of a share of 600 studies is 1 %."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), sizes)
    by_query = 0.1 * (0.3**0.5 * rng.standard_normal(60)[groups] + 0.7**0.5 * rng.standard_normal(len(groups)))
    noise = 0.01 * rng.standard_normal((20, 1)) + 0.05 * rng.standard_normal((20, len(groups)))
    held = coverage(0.6 + by_query + noise, groups, rng, builds=5, drawn=40, studies=600)
    assert 0.92 < held["by groups"] < 0.98
    assert held["naive"] < 0.85


def test_intraclass_correlation_is_that_of_a_known_model():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(400), 10)
    values = 0.5**0.5 * rng.standard_normal(400)[groups] + 0.5**0.5 * rng.standard_normal(4000)
    assert intraclass_correlation(values, groups) == pytest.approx(0.5, abs=0.08)  # its standard error is near 0.02
