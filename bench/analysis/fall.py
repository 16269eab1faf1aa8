"""Recall of the same queries then and now: what it differs by, in builds of a baseline and of now.

It is the recall of these very queries that is judged: they are the same as then, of which a few may lose everything.
The difference is estimated in two ways, either of which may decide at half of the error: paired by build seed, which is
sharp where a release hardly changes the graphs, and unpaired. Builds of now are few, and three that agree by luck say
little, so they are taken to vary at least as much as the baseline's, with the degrees of freedom of these: where both
vary alike, that errs no more often than a t test by the baseline's variance.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np

from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample, seeds_of
from bench.statistics.variance import builds_part

ALPHA = 0.01  # false alarms, over all lines and looks of a gate
_WAYS = 2  # in which a difference is estimated
_GATES = 20_000  # drawn, for what nine of ten find: known to 0.2 %


class Pair(NamedTuple):
    """Recalls of the baseline's builds and of those now, on the same queries."""

    then: Sample
    now: Sample


def spent(look: int) -> float:
    """Return the share of the error of settings, or of engines, for look number `look`, from 1.

    The shares of all looks add up to ALPHA / 2 for any number of looks (Lan and DeMets 1983).
    """
    return ALPHA / 2 / (look * (look + 1))


def estimates(pair: Pair) -> list[Estimate]:
    """The difference, now minus then, in both ways; unpaired alone where fewer than two builds have the same seeds."""
    return [_unpaired(pair), *_paired(pair)]


def _unpaired(pair: Pair) -> Estimate:
    """Now minus then, on these queries; builds of now vary as much as those of then at least."""
    then, now = (len(sample.recalls) for sample in pair)
    variance, df = builds_part(pair.then)
    of_one = variance * then
    of_one_now = builds_part(pair.now)[0] * now if now > 1 else 0.0
    value = float(pair.now.recalls.mean() - pair.then.recalls.mean())
    return intervals.combined_difference(value, [(variance + max(of_one, of_one_now) / now, df)])


def _paired(pair: Pair) -> list[Estimate]:
    """The same of builds with the same seeds; nothing where fewer than two have any."""
    then = set(seeds_of(pair.then))
    rows = [row for row, seeds in enumerate(seeds_of(pair.now)) if seeds in then]
    if len(rows) < 2:
        return []
    now = pair.now
    same = now._replace(recalls=now.recalls[rows], order_seeds=now.order_seeds[rows], build_seeds=now.build_seeds[rows])
    return [intervals.paired_difference(same, pair.then, same_queries=True)]


def narrowest(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate with the narrowest interval; each has its part of the error, so any may be the one."""
    widened = [intervals.simultaneous(estimate, _WAYS) for estimate in estimates]
    return min(widened, key=lambda interval: interval.half_width)


def p_of_fall(ways: Sequence[Estimate]) -> float:
    """The one-sided p of a fall by any of the ways, Bonferroni for their number; NaN from a single build."""
    ps = []
    for estimate in ways:
        half = intervals.p_value(estimate) / 2
        ps.append(half if estimate.value < 0 else 1 - half)
    known = [p for p in ps if not np.isnan(p)]
    return min(1.0, _WAYS * min(known)) if known else float("nan")


def p_of_rise(ways: Sequence[Estimate]) -> float:
    """As `p_of_fall`, of a rise."""
    return p_of_fall([msgspec.structs.replace(estimate, value=-estimate.value) for estimate in ways])


def settles(pair: Pair, margin: float) -> bool:
    """Return whether builds without number could decide, should recall be as it seems now."""
    value = float(pair.now.recalls.mean() - pair.then.recalls.mean())
    limit = intervals.simultaneous(intervals.combined_difference(value, [builds_part(pair.then)]), _WAYS)
    return limit.low > -margin or (limit.high < 0 and value < -margin)


def smallest(then: Sample, margin: float, alpha: float, times: int = 1) -> float:
    """The smallest fall that is found in nine of ten gates at this one-sided error.

    times: how many times as many builds, which vary as these do.
    """
    from scipy.special import stdtrit

    variance, df = builds_part(then)
    variance, df = variance / times, (df + 1) * times - 1
    luck, of_now = _of_gates(df)
    threshold = np.maximum(
        float(stdtrit(df, 1 - alpha / _WAYS)) * np.sqrt(1 + np.maximum(1, of_now)), margin / variance**0.5
    )
    return float(np.quantile(luck + threshold, 0.9) * variance**0.5)


@cache
def _of_gates(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Of gates with as many builds now as then: by how much the difference errs, in standard errors that the baseline
    has by itself, and how much builds of now vary, as a share of what those of then do. Drawn, always the same."""
    rng = np.random.default_rng(0)
    true, now = df / rng.chisquare(df, _GATES), rng.chisquare(df, _GATES) / df
    return np.sqrt(2 * true) * rng.standard_normal(_GATES), true * now
