"""How far apart permutations truly are, on studies whose truth is known."""

import itertools
import math

import numpy as np
import pytest

from bench.statistics import spread as module
from bench.statistics.spread import luck_of_queries, mean_range, share_of_df, spread, without_luck
from bench.statistics.variance import interaction

STUDIES = 300
FOUR_SE = 4 * (0.05 * 0.95 / STUDIES) ** 0.5  # of a share of 5 %
TEN = [np.random.default_rng(place).permutation(list("abcdefghij")).tolist() for place in range(120)]


def simulated(rng, effect, seeds, queries, noise, favoured=0.0):
    """Recalls of a known model: permutations, seeds for all alike, builds, hard queries and luck.

    favoured: the standard deviation of what a permutation does to one query.
    """
    permutations = len(effect)
    builds = effect[:, None] + 0.02 * rng.standard_normal(seeds) + noise * rng.standard_normal((permutations, seeds))
    luck = 0.15 * rng.standard_normal((permutations, seeds, queries))
    luck += favoured * rng.standard_normal((permutations, 1, queries))
    return 0.7 + builds[:, :, None] + 0.2 * rng.standard_normal(queries) + luck


def studies(permutations, seeds, sd, noise, favoured=0.0):
    """The Spread of each of many studies of permutations that truly have this standard deviation."""
    rng = np.random.default_rng([permutations, seeds])
    for _ in range(STUDIES):
        effect = sd * rng.standard_normal(permutations)
        yield spread(simulated(rng, effect, seeds, 60, noise, favoured), TEN[:permutations])


def test_f_and_standard_deviation_by_hand():
    # Means of 1, 3 and 5 (variance 4) of builds that seeds change by ± 1, ± 1 and ∓ 2 besides: 6 / 2 of a build
    builds = np.array([[0.0, 2], [2, 4], [7, 3]])
    recalls = np.stack([builds, builds], axis=2)
    result = spread(recalls, TEN[:3])
    assert interaction(builds) == pytest.approx(6)
    assert result.luck**2 == pytest.approx(6 / 2)
    assert result.f == pytest.approx(4 / 3)
    assert result.sd.value == module._MOST  # of recalls, 1 would be


def test_luck_of_queries_by_hand():
    # Both builds of a permutation alike. Queries 1 and 5, 9 and 9 of them: permutations and queries leave ± 1, a mean
    # square of 4, of which a mean of two queries has half.
    recalls = np.array([[[1.0, 5.0]] * 2, [[9.0, 9.0]] * 2])
    assert luck_of_queries(recalls) == (pytest.approx(4 / 2), pytest.approx(0))
    # What only single builds have is no part of it.
    assert luck_of_queries(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])) == (0, 0)


def test_the_mean_range_is_that_of_order_statistics():
    # Tippett (1925): 1.128 of two, 3.078 of ten, 5.015 of a hundred
    assert [mean_range(draws) for draws in (2, 10, 100)] == pytest.approx([1.128, 3.078, 5.015], abs=0.001)


def test_the_interval_is_that_of_williams():
    # F of 119 and 119 degrees of freedom has its 2.5 % point at 1.4349; chi squared of 119 at 90.70 and 151.08.
    result = without_luck(2e-4, 1e-4, 120, 1.0, 119.0)
    assert result.sd.low**2 == pytest.approx(2e-4 * 119 / 151.08 * (1 - 1.4349 / 2), rel=1e-3)
    assert result.sd.high**2 == pytest.approx(2e-4 * 119 / 90.70 * (1 - 1 / 1.4349 / 2), rel=1e-3)
    assert result.sd.value**2 == pytest.approx(1e-4)


@pytest.mark.parametrize(("permutations", "seeds"), [(6, 2), (24, 3), (60, 2)])
@pytest.mark.parametrize("favoured", [0.0, 0.1])
def test_permutations_that_do_not_matter_are_seldom_said_to(permutations, seeds, favoured):
    """Also where each favours other queries: in the mean over queries like these they are all alike."""
    results = list(studies(permutations, seeds, 0.0, 0.01, favoured))
    assert np.mean([result.p < 0.05 for result in results]) < 0.05 + FOUR_SE
    assert np.mean([result.sd.low > 0 for result in results]) < 0.05 + FOUR_SE


@pytest.mark.parametrize(("permutations", "seeds"), [(6, 2), (24, 3), (60, 2)])
@pytest.mark.parametrize("times_noise", [0.5, 2.0])
def test_intervals_hold_the_true_standard_deviation(permutations, seeds, times_noise):
    results = list(studies(permutations, seeds, 0.02 * times_noise, 0.02, 0.1))
    held = np.mean([result.sd.low <= 0.02 * times_noise <= result.sd.high for result in results])
    assert held > 0.95 - FOUR_SE


def test_a_spread_that_matters_is_found():
    results = list(studies(60, 2, 0.02, 0.01))
    assert np.mean([result.p < 0.05 for result in results]) > 0.95
    # The noise of builds has .15² / 60 of the queries' luck besides, and a variance the error of its 59 degrees
    variance, luck = 0.02**2, (0.01**2 + 0.15**2 / 60) / 2
    error = (variance + luck) * (2 / 59) ** 0.5 * 1.3 / STUDIES**0.5
    assert np.mean([result.sd.value**2 for result in results]) == pytest.approx(variance, abs=4 * error)


FIVE = list(itertools.permutations("abcde"))


def by_place(rng, share, studies):
    """Builds (studies, 120, 2) of like permutations, whose luck is so much by what a category at a place adds."""
    indicators = np.array([[sequence[place] == label for place in range(5) for label in "abcde"] for sequence in FIVE])
    added = rng.standard_normal((studies, 2, 25)) @ indicators.T / 5**0.5
    alone = rng.standard_normal((studies, 2, 120))
    return (share**0.5 * added + (1 - share) ** 0.5 * alone).swapaxes(1, 2)


def test_permutations_with_a_category_at_the_same_place_count_for_fewer():
    rng = np.random.default_rng(0)
    alone, half, all_of_it = (
        np.mean([share_of_df(b, FIVE) for b in by_place(rng, share, 50)]) for share in (0, 0.5, 1)
    )
    assert alone > 0.95
    assert half < 0.8
    assert all_of_it == pytest.approx(16 / 119)  # (5 - 1)² that a category at a place may add
    assert share_of_df(np.ones((120, 2)), FIVE) == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_shared_luck_does_not_seem_to_be_permutations_that_differ(share):
    false = []
    for builds in by_place(np.random.default_rng(1), share, 1000):
        kept = share_of_df(builds, FIVE)
        result = without_luck(builds.mean(axis=1).var(ddof=1), interaction(builds) / 2, 120, kept, kept * 119)
        false.append(result.p < 0.05)
    assert np.mean(false) < 0.05 + 4 * (0.05 * 0.95 / 1000) ** 0.5


def test_values_without_chance_are_certain():
    alike = np.full((6, 2, 3), 0.5)
    result = spread(alike, TEN[:6])
    assert (result.sd.value, result.sd.high, result.p) == (0, 0, 1)
    differ = alike + np.linspace(0, 0.1, 6)[:, None, None]
    result = spread(differ, TEN[:6])
    assert (result.f, result.p) == (math.inf, 0)
    assert 0 < result.sd.low < result.sd.value < result.sd.high


@pytest.mark.parametrize("shape", [(6, 1, 3), (6, 2, 1)])
def test_one_seed_or_one_query_shows_nothing(shape):
    result = spread(np.zeros(shape), TEN[:6])
    assert all(math.isnan(value) for value in (*result.sd.ends, result.luck, result.f, result.p))
