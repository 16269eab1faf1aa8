"""Effects of order with their uncertainty; the build is the unit of replication.

What is estimated is mean recall over the engine's build randomness and over queries like these. Both
are samples and they are crossed: every build answers every query. So the variance of a mean is put
together from a two-way table: V = s²(builds)/B + s²(queries)/Q - s²(residual)/(B Q), each s² of the means
along its side, and the last taken off because both others contain it (Searle, Casella and McCulloch
1992, ch. 4). Its degrees of freedom are Satterthwaite's (1946), and the interval is Student's t. Queries
that differ much are few: what their variance is known with shrinks with their kurtosis (Box 1953), and one more that
was not drawn is allowed for. A mean recall close to 1 is skewed, so its interval is taken on the log-odds scale, and
where next to nothing is missed it is that of a count.

Orders differ in how much their builds vary, so the variance of a difference is known as well as that of the order that
is known least of. A variance moderated over the orders (Smyth 2004), or pooled, finds more with three builds, and errs
more often than it says: see `results/calibration.md`, as for other methods.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from bench.statistics.sample import Sample, effective_units, seeds_of, units
from bench.statistics.variance import Part, builds_part, query_part, residual_parts, satterthwaite

CONFIDENCE = 0.95
_FEW = 3  # queries that missed anything: with more, the variance that they show holds what it promises
_ROUNDING = 1e-12  # of sums: the least step of a mean recall is larger


class Estimate(msgspec.Struct, frozen=True):
    """A value with its uncertainty, which is NaN from a single build.

    low, high: its 95 % interval, within what the value can be; se and df are those of the whole interval.
    se: standard error.
    df: degrees of freedom.
    """

    value: float
    low: float
    high: float
    se: float
    df: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


class Interval(msgspec.Struct, frozen=True):
    """A value, and the ends of its 95 % interval, of which no standard error is known."""

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high


def mean(sample: Sample) -> Estimate:
    """Mean recall over builds and queries; the interval is symmetric in log-odds, so it stays within 0 and 1.

    Log-odds make up for the skew of queries' recalls, so that their kurtosis is not counted again. If hardly any query
    missed, or found, a neighbour, the variance is unknown, and the interval is no narrower than that of a
    Poisson count (Garwood 1936) of the neighbours missed, or found.
    """
    recalls = sample.recalls
    parts = [
        builds_part(sample),
        query_part(units(sample).mean(axis=0), effective_units(sample), tails=False),
        *residual_parts(sample),
    ]
    estimate = combined(float(recalls.mean()), parts)
    if math.isnan(estimate.se):
        return estimate
    low, high = _in_log_odds(estimate)
    if sample.k and _units_with(sample, recalls < 1) < _FEW:
        fewest, most = _rare(1 - estimate.value, recalls.shape[1] * sample.k)
        low, high = min(low, 1 - most), max(high, 1 - fewest)
    if sample.k and _units_with(sample, recalls > 0) < _FEW:
        fewest, most = _rare(estimate.value, recalls.shape[1] * sample.k)
        low, high = min(low, fewest), max(high, most)
    return _within(msgspec.structs.replace(estimate, low=low, high=high), 0.0, 1.0)


def _in_log_odds(estimate: Estimate) -> tuple[float, float]:
    """The ends of an interval of a share, symmetric in log-odds, but at most twice as far as when symmetric."""
    value, half = estimate.value, estimate.half_width
    if not (half > 0 and 0 < value < 1):
        return estimate.low, estimate.high
    # A half width of h in recall is one of h / (m (1 - m)) in log-odds, to first order: not where it is large.
    odds, factor = value / (1 - value), math.exp(min(half / (value * (1 - value)), 500))
    low, high = odds / factor, odds * factor
    return max(low / (1 + low), value - 2 * half), min(high / (1 + high), value + 2 * half)


def _units_with(sample: Sample, true: np.ndarray) -> int:
    """Of how many queries, or groups of them, this (builds, queries) is true in any build."""
    queries = np.flatnonzero(true.any(axis=0))
    return len(queries if sample.groups is None else np.unique(sample.groups[queries]))


def _rare(share: float, neighbors: int) -> tuple[float, float]:
    """An interval of a share of neighbours that is nearly 0, as of a Poisson count among so many."""
    from scipy.special import gammaincinv

    count, tail = share * neighbors, (1 - CONFIDENCE) / 2
    fewest = float(gammaincinv(count, tail)) if count > _ROUNDING * neighbors else 0.0
    return fewest / neighbors, min(float(gammaincinv(count + 1, 1 - tail)) / neighbors, 1.0)


def share(sample: Sample, of: np.ndarray) -> Estimate:
    """The share of queries, over builds and queries, of which `of` (builds, queries) is true; as a mean recall at 1."""
    return mean(sample._replace(recalls=of.astype(np.float64), k=1))


def percentile(sample: Sample, at: float) -> Interval:
    """The recall that this share of queries does not exceed, over builds and queries.

    Its interval reaches as far as that of the share of queries below it does (Woodruff 1952).
    """
    value = float(np.quantile(sample.recalls, at))
    below = share(sample, sample.recalls <= value)
    if math.isnan(below.se):
        return Interval(value, math.nan, math.nan)
    least, most = (min(max(at + end - below.value, 0.0), 1.0) for end in (below.low, below.high))
    low, high = np.quantile(sample.recalls, [least, most])
    return Interval(value, float(low), float(high))


def mean_difference(sample: Sample, *, same_queries: bool = False) -> Estimate:
    """Mean over builds and queries of differences between recalls, within -1 and 1; a symmetric interval.

    same_queries: whether the mean is over these very queries rather than over queries like these.
    """
    parts = [builds_part(sample)]
    if not same_queries:
        parts += [
            query_part(units(sample).mean(axis=0), effective_units(sample), unseen=sample.step),
            *residual_parts(sample),
        ]
    return combined_difference(float(sample.recalls.mean()), parts)


def paired_difference(sample: Sample, reference: Sample, *, same_queries: bool = False) -> Estimate:
    """As `difference`, but builds are paired by their seeds, of which the reference must have all of the sample's.

    Sharper where the same seeds give nearly the same graphs, as in two versions of one engine. KeyError where the
    reference lacks one.
    """
    row = {seeds: index for index, seeds in enumerate(seeds_of(reference))}
    same = reference.recalls[[row[seeds] for seeds in seeds_of(sample)]]
    return mean_difference(sample._replace(recalls=sample.recalls - same), same_queries=same_queries)


def mean_over_queries(values: np.ndarray) -> Estimate:
    """Mean of values (queries,) from 0 to 1 that no build has a part in, as those of exact search."""
    return _within(combined(float(values.mean()), [query_part(values, len(values))]), 0.0, 1.0)


def difference(sample: Sample, reference: Sample, *, same_queries: bool = False) -> Estimate:
    """Mean recall of one sample minus that of another, paired on the queries, which must be the same.

    Builds are not paired: a seed shared by two orders draws other graphs for them. same_queries: as in
    `mean_difference`.
    """
    if sample.recalls.shape[1] != reference.recalls.shape[1]:
        raise ValueError("samples of different queries cannot be paired")
    parts = [builds_part(sample, reference)]
    if not same_queries:
        parts += [query_part(by_query(sample, reference), effective_units(sample), unseen=sample.step)]
        parts += [*residual_parts(sample), *residual_parts(reference)]
    return combined_difference(float(sample.recalls.mean() - reference.recalls.mean()), parts)


def by_query(sample: Sample, reference: Sample) -> np.ndarray:
    """(units,) mean recall of one sample minus that of another."""
    return np.asarray(units(sample).mean(axis=0) - units(reference).mean(axis=0))


def misses_removed(sample: Sample, reference: Sample, comparisons: float = 1) -> Estimate:
    """The share of the reference's misses that the sample does not miss: 1 - (1 - recall) / (1 - recall of reference).

    Its interval is by the delta method, from the same parts as that of `difference`, and at most 1; where hardly a
    query misses anything, its lower end is no higher than a count of misses allows. NaN where the reference misses
    nothing. Negative where the sample misses more. comparisons: of how many like it the interval holds at once.
    """
    missed = 1 - float(reference.recalls.mean())
    if missed <= _ROUNDING:
        return Estimate(*[float("nan")] * 5)
    share = (float(sample.recalls.mean()) - float(reference.recalls.mean())) / missed
    # To first order the share errs as (recall - (1 - share) * recall of reference) / misses does.
    linear = difference(sample, reference._replace(recalls=(1 - share) * reference.recalls))
    half_width = reach(linear, comparisons) / missed
    low = share - half_width
    if sample.k and _units_with(sample, sample.recalls < 1) < _FEW:
        low = min(low, 1 - (1 - mean(sample).low) / missed)
    return Estimate(share, low, min(share + half_width, 1.0), linear.se / missed, linear.df)


def p_value(estimate: Estimate, null: float = 0.0) -> float:
    """Two-sided p of a difference against `null`; NaN from a single build."""
    from scipy.special import stdtr

    return float(2 * stdtr(estimate.df, -abs(estimate.value - null) / estimate.se))


def simultaneous(difference: Estimate, comparisons: float) -> Estimate:
    """The difference with an interval that holds for so many of its like at once (Bonferroni)."""
    by = reach(difference, comparisons)
    low, high = difference.value - by, difference.value + by
    return _within(msgspec.structs.replace(difference, low=low, high=high), -1.0, 1.0)


def reach(estimate: Estimate, comparisons: float) -> float:
    """How far an interval that holds for so many at once goes to either side, also beyond what the value can be."""
    from scipy.special import stdtrit

    return float(stdtrit(estimate.df, 1 - (1 - CONFIDENCE) / (2 * comparisons))) * estimate.se


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for their number (Holm 1979): all below 0.05 are significant at 5 % family-wise.

    NaN stays NaN and does not count.
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    ascending = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(values[ascending] * factors), 1)
    return [float(value) for value in adjusted]


def combined_difference(value: float, parts: Sequence[Part]) -> Estimate:
    """As `combined`, of a difference between two recalls: the interval ends at -1 and 1."""
    return _within(combined(value, parts), -1.0, 1.0)


def _within(estimate: Estimate, least: float, most: float) -> Estimate:
    """The estimate, its interval cut to what the value can be: a t interval knows of no bounds."""
    low, high = (min(max(end, least), most) for end in (estimate.low, estimate.high))
    return estimate if math.isnan(estimate.se) else msgspec.structs.replace(estimate, low=low, high=high)


def combined(value: float, parts: Sequence[Part]) -> Estimate:
    """A t interval from parts of a variance that add up, with Satterthwaite's degrees of freedom."""
    from scipy.special import stdtrit

    positive = [part for part, _ in parts if part > 0]
    # Taking off the residual must not leave less than any one source shows by itself.
    variance = max([sum(part for part, _ in parts), *positive]) if positive else 0.0
    if np.isnan(sum(part for part, _ in parts)):
        return Estimate(value, *[float("nan")] * 4)
    df, se = satterthwaite(variance, parts), variance**0.5
    half = float(stdtrit(df, 0.5 + CONFIDENCE / 2)) * se if se else 0.0
    return Estimate(value, value - half, value + half, se, df)
