"""The power of a number of builds: before a study, and of the builds that are still missing."""

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample, crossed, effective_units
from bench.statistics.variance import Part, builds_part, query_part, residual_parts

POWER = 0.8
MARGIN = 0.01  # a difference in recall below one point is taken for none
_MOST_BUILDS = 1000
_MOST_QUERIES = 1_000_000


class Needed(NamedTuple):
    """The builds or queries that would decide a comparison in 80 % of studies.

    None if it is not the missing part, or if too many are needed.

    builds: of each order, with the present queries; with `queries` if that is given.
    queries: only if no number of builds is enough with the present queries.
    """

    builds: int | None
    queries: int | None


class Expected(NamedTuple):
    """The estimate to expect of a study, by a pilot.

    known: the degrees of freedom that the pilot knows its standard error with.
    """

    estimate: Estimate
    known: float


def minimum_detectable_effect(
    estimate: Estimate, comparisons: float = 1, hit: float = 0.0, known: float | None = None
) -> float:
    """The true difference that is significant (5 % over all comparisons, two-sided) with power 80 %.

    The standard error of `estimate` is an estimate itself, and from few builds most are too small. So it is raised to
    where it is too large as often as too small, by the median of chi square.
    hit: the value of one hit in a sample's mean recall, see `worth_of_a_hit`. A difference is made of hits, whose
    number is luck as well: a Poisson count, so that its variance is `hit` times the difference. Where hardly a query
    misses anything, that is most of what there is.
    known: the degrees of freedom that the standard error is known with, see `Expected`; by default those of `estimate`.
    NaN where it would have to be larger than recalls can differ, so that none is shown.
    """
    from scipy.special import chdtri, stdtrit

    known = estimate.df if known is None else known
    se = estimate.se * float(known / chdtri(known, 0.5)) ** 0.5
    errors = intervals.reach(msgspec.structs.replace(estimate, se=1.0), comparisons) + float(
        stdtrit(estimate.df, POWER)
    )
    # The root of d² = errors² (se² + hit d)
    half = errors**2 * hit / 2
    detectable = half + math.hypot(half, errors * se)
    return detectable if detectable <= 1 else math.nan


def worth_of_a_hit(sample: Sample, builds: int) -> float:
    """Return the change of mean recall of `builds` builds by one more hit, on the sample's queries."""
    return sample.step / (builds * int(sample.recalls.shape[1]))


def needed(sample: Sample, reference: Sample, comparisons: float = 1, margin: float = MARGIN) -> Needed:
    """Return the builds or queries that would decide: show the difference, or keep it within `margin`.

    The true difference is not the one seen: by chance that is too large or too small. So it is taken for anywhere that
    its standard error allows, and the 80 % are over all of that. The same number has to decide in 80 % of studies of
    orders that are truly alike, too.
    comparisons: among how many it is to be shown. Nothing is known of a single build, nor if order and build seeds are
    crossed, as then it is either of the two.
    """
    builds, queries = min(len(sample.recalls), len(reference.recalls)), sample.recalls.shape[1]
    if min(builds, queries) < 2 or any(crossed(each) is not None for each in (sample, reference)):
        return Needed(None, None)
    settled = _settled(sample, reference, comparisons, margin)
    # The part of the queries is an estimate too: if builds seem enough, it is likely one that is too small
    enough = _first(builds + 1, _MOST_BUILDS, lambda count: settled(count, queries, doubtful=True))
    if enough is not None:
        return Needed(enough, None)
    least = _first(builds, _MOST_BUILDS, lambda count: settled(count, _MOST_QUERIES))
    if least is None:
        return Needed(None, None)
    twice = 2 * least  # with the fewest it would take all the queries in the world
    enough = _first(queries, _MOST_QUERIES, lambda count: settled(twice, count))
    return Needed(None, None) if enough is None else Needed(twice, _rounded_up(enough))


def _rounded_up(count: int) -> int:
    """To two digits: it is an estimate."""
    unit: int = 10 ** max(len(str(count)) - 2, 0)
    return -(-count // unit) * unit


def _first(least: int, most: int, share: Callable[[int], float]) -> int | None:
    """The first count from `least` to `most` of which so large a share of studies decides as is wanted."""
    count = bisect_left(range(most + 1), True, lo=least, key=lambda count: share(count) >= POWER)
    return count if count <= most else None


def _settled(sample: Sample, reference: Sample, comparisons: float, margin: float) -> Callable[..., float]:
    """Return a function of builds and queries: the share of studies that decide, estimated from these samples."""
    now = intervals.difference(sample, reference)
    expected = _plan(sample, reference)

    def share(builds: int, queries: float, doubtful: bool = False) -> float:
        from scipy.special import stdtr

        then = expected(builds, queries, doubtful=doubtful)
        # How far the difference may still move: what is built already stays, and so do these queries
        spread = math.sqrt(max(now.se**2 - then.se**2, 0.0))
        reach = intervals.reach(then, comparisons)

        def below(value: float) -> float:
            return float(stdtr(now.df, (value - now.value) / spread)) if spread else float(value > now.value)

        shown = below(-reach) + 1 - below(reach)
        inside = margin - reach
        if inside <= 0:
            return 0.0  # of a true difference of 0, which may be the true one
        alike = 2 * float(stdtr(then.df, inside / then.se)) - 1
        return min(shown + max(below(inside) - below(-inside), 0.0), alike)

    return share


def planned(sample: Sample, reference: Sample, builds: int) -> Expected:
    """The difference to expect with `builds` builds of each, by these samples."""
    expected, queries = _plan(sample, reference), sample.recalls.shape[1]
    pilot = min(len(sample.recalls), len(reference.recalls))
    return Expected(expected(builds, queries), expected(builds, queries, df=pilot - 1.0).df)


def _plan(sample: Sample, reference: Sample) -> Callable[..., Estimate]:
    """As `planned`, by the number of builds and queries; what does not depend on them is computed once.

    df: degrees of freedom of the builds; one less than their number by default.
    doubtful: whether the part of the queries is taken to be larger than it seems, by its standard error.
    """
    value = float(sample.recalls.mean() - reference.recalls.mean())
    queries = sample.recalls.shape[1]
    of_queries = query_part(intervals.by_query(sample, reference), effective_units(sample), unseen=sample.step)
    residual = sum(part for part, _ in (*residual_parts(sample), *residual_parts(reference)))
    query, doubt = max(of_queries[0] + residual, 0.0), of_queries[0] * math.sqrt(2 / of_queries[1])
    of_one_build = sum(builds_part(each)[0] * len(each.recalls) for each in (sample, reference))

    def expected(builds: int, count: float, *, df: float | None = None, doubtful: bool = False) -> Estimate:
        known: Part = (of_one_build / builds, df or builds - 1.0) if builds > 1 else (math.nan, 1.0)
        of_count = (query + doubt * doubtful) * queries / count
        return intervals.combined(value, [known, (of_count, of_queries[1] * count / queries)])

    return expected
