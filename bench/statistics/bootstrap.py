"""Resamples (Efron 1979) for questions without a formula: swaps of two means, correlations of clustered points.

A bootstrap of few builds by themselves is too narrow; of builds and queries together it holds what it promises about
as well as the intervals of `stats` (`make calibrate`).
"""

from collections.abc import Callable, Sequence

import numpy as np

from bench.statistics.intervals import CONFIDENCE, Interval

RESAMPLES = 4000  # a probability of one half is then known to ± 1.5 points
_SEED = 0
_BLOCK_VALUES = 1 << 22
NO_DIFFERENCE = 1e-9  # below it, two means differ by the rounding of sums


def means(
    tables: Sequence[np.ndarray],
    resamples: int = RESAMPLES,
    seed: int = _SEED,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Means of each table (builds, queries) over builds and queries drawn with replacement: (tables, resamples).

    The queries drawn are the same for all tables, the builds are drawn for each: a seed shared by two tables
    draws other graphs for them. A table of one build has no more to draw from, as exact search has.
    groups: (queries,) where these are not independent: then whole groups are drawn, and a mean is over the queries of
    those drawn.
    """
    queries = tables[0].shape[1]
    codes = np.arange(queries) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    drawn = np.empty((len(tables), resamples))
    rng = np.random.default_rng([seed, *b"rankings"])
    step = max(1, _BLOCK_VALUES // queries)
    for start in range(0, resamples, step):
        block = slice(start, min(start + step, resamples))
        size = block.stop - block.start
        of_groups = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=size)
        weights = (of_groups / (of_groups @ sizes)[:, None])[:, codes]
        for table, row in zip(tables, drawn, strict=True):
            builds = len(table)
            of_builds = rng.multinomial(builds, np.full(builds, 1 / builds), size=size) / builds
            row[block] = (of_builds * (weights @ table.T)).sum(axis=1)
    return drawn


def share_swapped(difference: np.ndarray, reference: np.ndarray) -> float:
    """The share of resamples in which two differences (resamples,) have other signs; none against some counts half."""
    signs, others = (np.where(np.abs(d) < NO_DIFFERENCE, 0, np.sign(d)) for d in (difference, reference))
    return float(np.abs(signs - others).mean() / 2)


def correlation(
    x: np.ndarray, y: np.ndarray, resamples: int = RESAMPLES, seed: int = _SEED
) -> tuple[Interval, Interval]:
    """Pearson's and Spearman's correlation of points (clusters, points), the intervals by drawing whole clusters.

    Points of one cluster are no independent evidence. NaN where x or y does not vary, and no interval below three
    clusters; with a dozen clusters it is a rough one, and too narrow rather than too wide.
    """
    clusters = len(x)
    rng = np.random.default_rng([seed, *b"correlation"])
    draws = rng.integers(clusters, size=(resamples, clusters)) if clusters > 2 else np.empty((0, clusters), dtype=int)

    def interval(of: Callable[[np.ndarray], np.ndarray]) -> Interval:
        value = _pearson(of(x.reshape(1, -1)), of(y.reshape(1, -1)))[0]
        drawn = _pearson(*(of(each[draws].reshape(len(draws), each.size)) for each in (x, y)))
        drawn = drawn[~np.isnan(drawn)]  # one model drawn every time
        low, high = np.quantile(drawn, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]) if len(drawn) else (np.nan, np.nan)
        return Interval(float(value), float(low), float(high))

    return interval(lambda rows: rows), interval(_rankdata)


def _rankdata(rows: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(rows, axis=1), dtype=np.float64)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(rows,) correlations of the rows of x and y (rows, points); NaN where either does not vary."""
    x, y = (rows - rows.mean(axis=1, keepdims=True) for rows in (x, y))
    spread = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    varies = (np.abs(x).max(axis=1) > NO_DIFFERENCE) & (np.abs(y).max(axis=1) > NO_DIFFERENCE)
    return np.where(varies, (x * y).sum(axis=1) / np.where(varies, spread, 1), np.nan)
