"""What a number of builds can show: before they are built, and of those that are missing."""

import math
from bisect import bisect_left
from collections.abc import Callable

from bench.analysis import stats
from bench.analysis.sample import Sample, crossed
from bench.analysis.stats import Estimate
from bench.analysis.variance import build_parts, query_part, residual_part

POWER = 0.8
MARGIN = 0.01  # a difference in recall below one point is taken for none


def minimum_detectable_effect(estimate: Estimate, comparisons: int = 1) -> float:
    """The true difference that is significant (5 % over all comparisons, two-sided) with power 80 %.

    NaN where it would have to be larger than recalls can differ, so that none is shown.
    """
    detectable = stats.reach(estimate, comparisons) + _for_power(estimate)
    return detectable if detectable <= 1 else math.nan


def builds_needed(
    sample: Sample, reference: Sample, comparisons: int = 1, margin: float = MARGIN, most: int = 1000
) -> int | None:
    """How many builds of each would decide in 80 % of studies, if the difference is as it seems: show it, or keep it
    within `margin`.

    comparisons: among how many it is to be shown. None where even `most` builds would not, as then it is the queries
    that are too few, and where order and build seeds are crossed, as then it is either of the two.
    """
    builds = len(sample.recalls), len(reference.recalls)
    if min(builds) < 2 or any(crossed(each) is not None for each in (sample, reference)):
        return None
    plan = _plan(sample, reference)

    def decides(count: int) -> bool:
        expected = plan(count)
        size, spare = abs(expected.value), _for_power(expected)
        return size > minimum_detectable_effect(expected, comparisons) or size + expected.half_width + spare < margin

    # Intervals only narrow with builds, so halving finds the first count that decides.
    needed = bisect_left(range(most + 1), True, lo=min(builds) + 1, key=decides)
    return needed if needed <= most else None


def planned(sample: Sample, reference: Sample, builds: int) -> Estimate:
    """What the difference's interval is to be expected like with `builds` builds of each, by these samples."""
    return _plan(sample, reference)(builds)


def _plan(sample: Sample, reference: Sample) -> Callable[[int], Estimate]:
    """As `planned`, by the number of builds; what does not depend on it is computed once."""
    by_query = sample.recalls.mean(axis=0) - reference.recalls.mean(axis=0)
    value = float(by_query.mean())
    of_queries = [query_part(by_query), residual_part(sample.recalls), residual_part(reference.recalls)]
    queries = (max(sum(part for part, _ in of_queries), 0.0), of_queries[0][1])
    of_one_build = [sum(part for part, _ in build_parts(each)) * len(each.recalls) for each in (sample, reference)]

    def expected(builds: int) -> Estimate:
        known = builds > 1
        parts = [(part / builds, builds - 1.0) if known else (float("nan"), 1.0) for part in of_one_build]
        return stats.combined(value, [queries, *parts])

    return expected


def _for_power(estimate: Estimate) -> float:
    """How much farther than its interval reaches a difference must lie, to be shown in 80 % of studies."""
    from scipy.special import stdtrit

    return float(stdtrit(estimate.df, POWER) * estimate.se) if estimate.se else estimate.se
