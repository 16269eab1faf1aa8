import numpy as np
import pytest
from support.recalls import simulated

from bench.statistics import intervals
from bench.statistics.max_t import effective_comparisons
from bench.statistics.sample import independent


def compared(samples, reference):
    return effective_comparisons(samples, reference, [intervals.difference(sample, reference) for sample in samples])


def test_comparisons_that_are_one_count_once_and_those_that_share_a_reference_for_less_than_their_number():
    rng = np.random.default_rng(0)
    reference, *others = (independent(simulated(rng, 5, 500, build_sd=0.01), 10) for _ in range(6))
    assert compared(others[:1], reference) == 1
    # Five with a correlation of a half are four (Dunnett's tables: 2.51 for 2.58); the correlation is estimated
    assert 3.3 < compared(others, reference) < 4.9
    assert compared([others[0]] * 5, reference) < 2.5


def test_those_without_an_interval_do_not_count():
    rng = np.random.default_rng(0)
    reference, other, single = (independent(simulated(rng, builds, 500), 10) for builds in (5, 5, 1))
    assert compared([other, single, single], reference) == 1
    assert compared([single], reference) == 1


@pytest.mark.parametrize("builds", [3, 10])
def test_verdicts_on_like_orders_are_false_in_one_study_of_twenty(builds):
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(400):
        reference, *others = (independent(simulated(rng, builds, 300, build_sd=0.01), 10) for _ in range(6))
        differences = [intervals.difference(other, reference) for other in others]
        comparisons = effective_comparisons(others, reference, differences)
        false += min(map(intervals.p_value, differences)) * comparisons < 0.05
    # 5 % of 400 is 20, with a standard error of 4.4: three of them
    assert false <= 33
