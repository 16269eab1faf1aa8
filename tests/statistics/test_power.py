import numpy as np
import pytest
from support.recalls import simulated

from bench.analysis.summary import verdicts
from bench.statistics import intervals, power
from bench.statistics.sample import Sample, independent


def builds_that_vary(rng, builds):
    """A Sample whose builds differ with sd .01, and its queries not at all."""
    return independent(np.repeat(0.8 + 0.01 * rng.standard_normal((builds, 1)), 200, axis=1))


def shown(difference):
    return intervals.p_value(difference) < 0.05


@pytest.mark.parametrize("builds", [3, 5, 10])
def test_the_difference_of_a_table_is_shown_by_four_of_five_other_studies(builds):
    rng, found = np.random.default_rng(0), []
    for _ in range(800):
        [table] = verdicts([builds_that_vary(rng, builds)], builds_that_vary(rng, builds))
        other, reference = builds_that_vary(rng, builds), builds_that_vary(rng, builds)
        found.append(shown(intervals.difference(other._replace(recalls=other.recalls + table.detectable), reference)))
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)  # a standard error of .014


def test_the_difference_that_a_pilot_of_three_plans_for_is_shown_by_four_of_five_studies():
    rng, found = np.random.default_rng(0), []
    for _ in range(800):
        pilot = builds_that_vary(rng, 3), builds_that_vary(rng, 3)
        expected = power.planned(*pilot, 10)
        size = power.minimum_detectable_effect(expected.estimate, known=expected.known)
        other, reference = builds_that_vary(rng, 10), builds_that_vary(rng, 10)
        found.append(shown(intervals.difference(other._replace(recalls=other.recalls + size), reference)))
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_where_nothing_is_missed_the_detectable_effect_allows_for_the_hits_that_it_is_made_of():
    rng = np.random.default_rng(0)
    whole = independent(np.ones((5, 500)), 10)
    alike = intervals.difference(whole, whole)

    def shown(size):
        fallen = [independent(1 - rng.binomial(10, size, (5, 500)) / 10, 10) for _ in range(400)]
        return np.mean([intervals.p_value(intervals.difference(of_one, whole)) < 0.05 for of_one in fallen])

    # 80 % are meant, with a standard error of 2 %; the least that builds can vary is allowed for too, so it is more
    assert shown(power.minimum_detectable_effect(alike, 1, power.worth_of_a_hit(whole, 5))) > 0.74
    assert shown(power.minimum_detectable_effect(alike)) < 0.74


def test_the_builds_that_are_needed_decide_four_times_in_five():
    """Orders that are alike, or not quite: what three builds say is needed, with the queries that there are."""
    rng = np.random.default_rng(0)
    for apart in (0.0, 0.004):
        decided = []
        for _ in range(150):
            hardness = 0.1 * rng.standard_normal(2000)
            a, b = (simulated(rng, 3, 2000, build_sd=0.006, hardness=hardness) for _ in range(2))
            now = verdicts([independent(a + apart, 10)], independent(b, 10))[0]
            if now.needed.builds is None or now.needed.queries:
                continue
            more = [
                np.vstack([of_now, simulated(rng, now.needed.builds - 3, 2000, build_sd=0.006, hardness=hardness)])
                for of_now in (a, b)
            ]
            more[0][3:] += apart
            more[0][:3] += apart
            then = verdicts([independent(more[0], 10)], independent(more[1], 10))[0]
            decided.append(then.verdict != "undecided")
        assert len(decided) > 80
        # 100 studies: a share of 80 % has a standard error of 4 %
        assert 0.64 < np.mean(decided) < 0.96, apart


def losing(rng, chances, builds):
    """Recalls of builds that each lose a query whole with its chance."""
    return 1.0 - (rng.random((builds, len(chances))) < chances)


@pytest.mark.parametrize(("share", "chance"), [(0.03, 0.3), (0.1, 0.2)])
def test_no_number_of_builds_is_promised_where_equal_orders_lose_few_queries(share, chance):
    rng, undecided, wrong = np.random.default_rng(0), 0, 0
    for _ in range(150):
        chances = [np.where(rng.random(200) < share, chance, 0.0) for _ in range(2)]
        least = min(of_one.mean() for of_one in chances)
        chances = [of_one * least / max(of_one.mean(), 1e-9) for of_one in chances]  # equal in the mean
        now = [losing(rng, of_one, 3) for of_one in chances]
        [verdict] = verdicts([independent(now[0], 10)], independent(now[1], 10))
        undecided += verdict.verdict == "undecided"
        if verdict.needed.builds is None or verdict.needed.queries:
            continue
        more = [
            np.vstack([of_now, losing(rng, of_one, verdict.needed.builds - 3)])
            for of_now, of_one in zip(now, chances, strict=True)
        ]
        [then] = verdicts([independent(more[0], 10)], independent(more[1], 10))
        wrong += then.verdict == "undecided"
    assert undecided > 100
    assert wrong <= 0.02 * undecided


def test_where_queries_are_lacking_it_is_said_how_many():
    rng = np.random.default_rng(0)
    a, b = (
        independent(simulated(rng, 5, 60, build_sd=0.001, residual_sd=0.1) + 0.1 * rng.standard_normal(60), 10)
        for _ in range(2)
    )
    builds, queries = power.needed(a, b)
    # Within a point by about three standard errors: .36 of a query's difference over .003, squared
    assert 10 <= builds < 50
    assert 500 < queries < 30_000
    assert queries == float(f"{queries:.1e}")  # two digits, as for an estimate


def test_single_builds_and_crossed_seeds_give_no_number_of_builds():
    ones = independent(np.ones((1, 5)))
    assert power.needed(ones, ones) == (None, None)
    seeds = np.repeat([1, 2], 2), np.tile([1, 2], 2)
    table = Sample(simulated(np.random.default_rng(0), 4, 50), *seeds, 10)
    assert power.needed(table, table) == (None, None)


def test_no_effect_is_detectable_that_recalls_cannot_have():
    opposite, none = independent(np.repeat([[0.0], [1.0]], 30, axis=1)), independent(np.zeros((2, 30)))
    assert np.isnan(power.minimum_detectable_effect(intervals.difference(opposite, none)))
    # An interval that ends at 1 does not make the effect smaller that is needed to be shown
    halves, many = independent(np.repeat([[0.95], [1.0]], 3000, axis=1)), independent(np.zeros((2, 3000)))
    whole = intervals.difference(halves, many)
    assert whole.high == 1
    assert power.minimum_detectable_effect(whole) > intervals.reach(whole, 1) == pytest.approx(0.025 * 12.706, rel=0.01)
