import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from support.messages import refused
from support.recalls import simulated

from bench.statistics import intervals
from bench.statistics.sample import Sample, independent

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _own_rng(monkeypatch):
    """Every test draws the same, whichever run before it."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(0))


def test_a_mean_by_hand():
    # Builds' means .2 and .6, queries' means .3 and .5, no residual: V = .08/2 + .02/2 = .05.
    estimate = intervals.mean(independent(np.array([[0.1, 0.3], [0.5, 0.7]])))
    assert estimate.value == pytest.approx(0.4)
    assert estimate.se == pytest.approx(math.sqrt(0.05))
    assert estimate.df == pytest.approx(0.05**2 / (0.04**2 / 1 + 0.01**2 / 1))
    # In log-odds: ln(.4 / .6), with a standard error of se / (.4 * .6).
    reach = scipy_stats.t.ppf(0.975, estimate.df) * estimate.se / 0.24
    ends = [1 / (1 + math.exp(-(math.log(0.4 / 0.6) + sign * reach))) for sign in (-1, 1)]
    assert (estimate.low, estimate.high) == (pytest.approx(ends[0]), pytest.approx(ends[1]))


def test_the_interval_of_a_mean_stays_within_0_and_1():
    recalls = np.ones((3, 20))
    recalls[1, 4] = 0
    estimate = intervals.mean(independent(recalls))
    assert 0 < estimate.low < estimate.value < estimate.high < 1
    assert estimate.high - estimate.value < estimate.value - estimate.low


def test_where_next_to_nothing_is_missed_the_interval_is_that_of_a_count():
    """None of 200 x 10 neighbours: at most 3.69 in 2,000 by a Poisson count (Garwood 1936); one: .025 to 5.57."""
    whole = np.ones((5, 200))
    estimate = intervals.mean(independent(whole, 10))
    assert (estimate.low, estimate.high) == (pytest.approx(1 - 3.689 / 2000, abs=1e-6), 1)
    one = whole.copy()
    one[:, 17] = 0.9
    estimate = intervals.mean(independent(one, 10))
    assert estimate.low <= 1 - 5.571 / 2000
    assert estimate.high >= 1 - 0.0254 / 2000
    many = np.where(RNG.random((5, 200)) < 0.1, 0.9, 1.0)
    assert intervals.mean(independent(many, 10)) == intervals.mean(independent(many))


def test_queries_that_differ_much_are_few():
    # One query of 200 has all the difference: its variance is known as if from a handful of queries.
    a, b = np.full((5, 200), 0.9), np.full((5, 200), 0.9)
    a[:, 17] = 0.1
    assert intervals.difference(independent(a), independent(b)).df < 4
    spread = 0.9 + 0.1 * np.sign(RNG.standard_normal(200))
    assert intervals.difference(independent(np.tile(spread, (5, 1))), independent(b)).df == pytest.approx(199, rel=0.01)


def test_few_builds_near_certainty_have_an_interval_that_can_be_believed():
    # One neighbour in 6,000 is missed, by one build of three; and by a query of one build of two.
    recalls = np.ones((3, 200))
    recalls[1, 17] = 0.9
    assert intervals.mean(independent(recalls)).low > 0.98
    estimate = intervals.difference(independent(recalls[:2]), independent(np.ones((2, 200))))
    assert estimate.df >= 1
    assert estimate.low > -0.05


def test_builds_paired_by_their_seeds_cancel_what_they_share():
    seeds = np.arange(1, 7)
    shared = simulated(RNG, 6, 300, build_sd=0.05)
    then = Sample(shared, seeds, seeds)
    now = Sample(shared[::-1][:4] - 0.01, seeds[::-1][:4], seeds[::-1][:4])
    paired, unpaired = intervals.paired_difference(now, then), intervals.difference(now, then)
    assert paired.value == pytest.approx(-0.01)
    assert paired.se < 0.0005 < 0.02 < unpaired.se  # of what it says by itself, one hit a build and a query
    with pytest.raises(KeyError):
        intervals.paired_difference(Sample(shared, seeds + 1, seeds), then)


def test_a_difference_by_hand():
    # By query the difference is .1 and .3; builds' means are .2, .6 and .1, .3; no residual. A query that was not
    # drawn may differ by .3 as well.
    a, b = np.array([[0.1, 0.3], [0.5, 0.7]]), np.array([[0.1, 0.1], [0.3, 0.3]])
    estimate = intervals.difference(independent(a), independent(b))
    assert estimate.value == pytest.approx(0.2)
    assert estimate.se == pytest.approx(math.sqrt(0.08 / 2 + 0.02 / 2 + 0.02 / 2 + (0.3 / 2) ** 2))


def test_queries_that_are_hard_for_both_do_not_widen_a_difference():
    hardness = 0.3 * RNG.standard_normal(500)
    a, b = (independent(simulated(RNG, 5, 500, build_sd=0.002, residual_sd=0.05, hardness=hardness)) for _ in range(2))
    assert intervals.difference(a, b).se < 0.3 * intervals.mean(a).se


@pytest.mark.parametrize(("builds", "queries"), [(3, 300), (5, 100), (20, 300)])
def test_intervals_cover_the_truth_of_a_known_model(builds, queries):
    covers = []
    for _ in range(400):
        hardness = 0.2 * RNG.standard_normal(queries)
        a = simulated(RNG, builds, queries, mean=0.8, hardness=hardness)
        b = simulated(RNG, builds, queries, mean=0.7, hardness=hardness + 0.05 * RNG.standard_normal(queries))
        mean, difference = intervals.mean(independent(a)), intervals.difference(independent(a), independent(b))
        covers.append([mean.low <= 0.8 <= mean.high, difference.low <= 0.1 <= difference.high])
    # 400 studies: the standard error of a coverage of 95 % is 1.1 %; four of them
    assert (np.abs(np.mean(covers, axis=0) - 0.95) < 0.044).all()


def test_crossed_seeds_count_both_draws():
    # Order seeds move recall a lot, build seeds not at all: 4 x 5 builds say as little as 4.
    by_order = 0.05 * RNG.standard_normal(4)
    order_seeds, build_seeds = np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4)
    recalls = 0.8 + by_order[order_seeds][:, None] + 0.001 * RNG.standard_normal((20, 200))
    crossed = intervals.mean(Sample(recalls, order_seeds, build_seeds))
    assert crossed.se == pytest.approx(by_order.std(ddof=1) / 2, rel=0.05)
    assert crossed.df == pytest.approx(3, rel=0.05)
    assert intervals.mean(independent(recalls)).se < 0.6 * crossed.se


def test_crossed_seeds_count_what_queries_have_in_common_with_each_only_once():
    """Queries that depend on the order seed: 10 x 5 builds, whose mean varies as its parts say."""
    order_seeds, build_seeds = np.repeat(np.arange(10), 5), np.tile(np.arange(5), 10)
    variances = []
    for _ in range(200):
        by_order = 0.01 * RNG.standard_normal((10, 1)) + 0.2 * RNG.standard_normal((10, 100))
        recalls = 0.5 + by_order[order_seeds] + 0.05 * RNG.standard_normal((50, 100)) + 0.02 * RNG.standard_normal(100)
        variances.append(intervals.mean(Sample(recalls, order_seeds, build_seeds)).se ** 2)
    truth = 0.01**2 / 10 + 0.2**2 / (10 * 100) + 0.02**2 / 100 + 0.05**2 / (50 * 100)
    # Counted twice, it would be 1.7 times as much; that a variance is not less than any of its parts adds a tenth
    assert 0.95 < np.mean(variances) / truth < 1.2


def test_one_build_has_a_value_and_no_interval():
    estimate = intervals.mean(independent(simulated(RNG, 1, 50)))
    assert math.isfinite(estimate.value)
    assert math.isnan(estimate.low)
    assert math.isnan(intervals.p_value(estimate))


def test_no_spread_is_no_proof():
    """Three builds and ten queries that agree: one hit of one build, or of a query, is 1 point."""
    ones = independent(np.ones((3, 10)), 10)
    assert intervals.mean(ones).low < 0.97
    none, one = intervals.difference(ones, ones), intervals.difference(ones, independent(np.full((3, 10), 0.99), 10))
    for estimate in (none, one):
        assert estimate.se == pytest.approx(math.sqrt(2 * 0.01**2 / 3 + 0.01**2), rel=0.01)
        assert estimate.df < 12
    assert intervals.p_value(none) == 1
    assert 0.3 < intervals.p_value(one) < 1
    assert intervals.p_value(intervals.difference(ones, independent(np.zeros((3, 10)), 10))) < 1e-3


def test_a_difference_is_known_as_well_as_the_sample_it_is_known_least_of():
    # One order's builds vary by ten times what the other's do: three builds of it say as much as three do.
    a = independent(simulated(RNG, 3, 5000, build_sd=0.05), 10)
    b = independent(simulated(RNG, 60, 5000, build_sd=0.05), 10)
    assert intervals.difference(a, b).df == pytest.approx(2, abs=0.5)
    alike = independent(simulated(RNG, 3, 5000, build_sd=0.05), 10)
    assert intervals.difference(a, alike).df == pytest.approx(2, abs=0.5)


def test_a_share_and_a_percentile_have_intervals_that_hold_the_truth():
    rng = np.random.default_rng(3)

    def drawn(queries):
        hardness = np.clip(rng.normal(0.8, 0.1, queries), 0, 1)
        return rng.binomial(10, hardness, size=(5, queries)) / 10

    whole = drawn(200_000)
    truth, at = (whole < 0.5).mean(), np.quantile(whole, 0.05)
    held = np.zeros(2)
    for _ in range(300):
        recalls = drawn(400)
        sample = independent(recalls, 10)
        below, percentile = intervals.share(sample, recalls < 0.5), intervals.percentile(sample, 0.05)
        held += [below.low <= truth <= below.high, percentile.low <= at <= percentile.high]
    # 95 % of 300 is 285, with a standard error of 3.8: four of them; a percentile is one of few values, held more often
    assert (held >= 270).all()


def test_intervals_stay_within_what_recall_can_be_and_their_errors_are_those_of_the_whole():
    # Two builds, of which one finds nothing and the other all: the t interval of a mean reaches ± 6.35 and beyond.
    opposite, none = independent(np.repeat([[0.0], [1.0]], 30, axis=1)), independent(np.zeros((2, 30)))
    for estimate in (
        intervals.difference(opposite, none),
        intervals.paired_difference(opposite, none),
        intervals.mean_difference(opposite),
        intervals.simultaneous(intervals.difference(opposite, none), 10),
    ):
        assert (estimate.value, estimate.low, estimate.high) == (0.5, -1, 1)
        assert (estimate.se, estimate.df) == pytest.approx((0.5, 1), abs=0.01)
        assert intervals.p_value(estimate) == pytest.approx(0.5, abs=0.01)  # of Cauchy's distribution beyond ± 1
    assert intervals.reach(intervals.difference(opposite, none), 1) == pytest.approx(0.5 * 12.706, rel=0.01)
    assert (intervals.mean(opposite).low, intervals.mean(opposite).high) == pytest.approx((0, 1), abs=1e-6)
    few = intervals.mean_over_queries(np.array([1.0, 1.0, 0.6]))
    assert (few.low, few.high) == (pytest.approx(0.293, abs=0.001), 1)


@pytest.mark.parametrize("level", [0.02, 0.98])
def test_no_mean_has_an_interval_beyond_0_and_1(level):
    for builds, queries in itertools.product((2, 3, 5), (2, 10, 100)):
        recalls = np.round(np.clip(RNG.normal(level, 0.2, (builds, queries)), 0, 1), 1)
        estimate = intervals.mean(independent(recalls, k=10))
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_samples_of_other_queries_are_not_paired():
    with refused("queries", error=ValueError):
        intervals.difference(independent(np.ones((3, 10))), independent(np.ones((3, 11))))


def test_p_agrees_with_the_interval():
    for _ in range(50):
        a, b = independent(simulated(RNG, 4, 100, mean=0.8)), independent(simulated(RNG, 4, 100, mean=0.79))
        estimate = intervals.difference(a, b)
        assert (intervals.p_value(estimate) < 0.05) == (estimate.low > 0 or estimate.high < 0)
        assert intervals.p_value(estimate, estimate.low) == pytest.approx(0.05)


def test_holm_by_hand():
    assert intervals.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert intervals.holm([0.9, float("nan"), 0.01])[::2] == pytest.approx([0.9, 0.02])
    assert math.isnan(intervals.holm([0.9, float("nan")])[1])
    assert intervals.holm([]) == []


def missing(rng, builds, queries, share):
    """Recalls (builds, queries) of ten neighbours, of which this share is missed."""
    return independent(1 - rng.binomial(10, share, size=(builds, queries)) / 10, 10)


def test_the_share_of_misses_removed_by_hand():
    removed = intervals.misses_removed(independent(np.full((2, 4), 0.9)), independent(np.full((2, 4), 0.6)))
    assert removed.value == pytest.approx(0.75)
    assert math.isnan(intervals.misses_removed(independent(np.full((2, 4), 0.9)), independent(np.ones((2, 4)))).value)


@pytest.mark.parametrize(("reference", "other"), [(0.05, 0.15), (0.1, 0.05), (0.2, 0.02), (0.01, 0.03)])
def test_the_interval_of_misses_removed_holds_the_truth_also_where_more_are_missed(reference, other):
    rng = np.random.default_rng(7)
    truth, held = 1 - other / reference, 0
    for _ in range(300):
        removed = intervals.misses_removed(missing(rng, 5, 200, other), missing(rng, 5, 200, reference))
        held += removed.low <= truth <= removed.high
        assert removed.high <= 1
    # 95 % of 300 is 285, with a standard error of 3.8: four of them, and the interval may hold more often
    assert held >= 270


def test_an_order_that_missed_nothing_has_not_removed_all_misses_for_sure():
    rng = np.random.default_rng(8)
    removed = intervals.misses_removed(independent(np.ones((3, 200)), 10), missing(rng, 3, 200, 0.005))
    assert removed.value == 1
    assert removed.low < 0.9


def test_recall_0_everywhere_has_an_interval_as_recall_1_has():
    nothing, everything = (intervals.mean(independent(np.full((5, 200), value), 10)) for value in (0.0, 1.0))
    assert nothing.low == 0
    assert nothing.high == pytest.approx(1 - everything.low)
