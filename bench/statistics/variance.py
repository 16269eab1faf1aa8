"""Where the spread of recall comes from: parts of the variance of a mean, and shares of all that varies."""

import math
from collections.abc import Sequence

import numpy as np

from bench.statistics.sample import Sample, crossed, units

# A part of the variance of a mean, and the degrees of freedom it is known with
Part = tuple[float, float]


def builds_part(*samples: Sample) -> Part:
    """Return the variance that the draw of builds adds to a mean, or to the difference between two samples' means.

    Never less than if each build had one hit more or less: a few builds that agree are no proof that all do. It is
    known no better than that of the sample it is known least of: orders differ in how much their builds vary, by 2 to 5
    times in sd, so that Satterthwaite's sum would borrow degrees of freedom of one for the other (`make calibrate`).
    """
    variance, df = 0.0, math.inf
    for sample in samples:
        parts = _build_parts(sample)
        total = sum(part for part, _ in parts)
        if math.isnan(total):
            return math.nan, 1.0
        hit = sample.step / sample.recalls.shape[1]
        variance += max(total, hit**2 / len(sample.recalls))
        df = min(df, satterthwaite(total, parts))
    return variance, df


def _build_parts(sample: Sample) -> list[Part]:
    """Return the variance that the draw of builds adds to a sample's mean, by source if seeds are crossed."""
    table = crossed(sample)
    if table is None:
        builds = len(sample.recalls)
        if builds < 2:
            return [(math.nan, 1.0)]
        return [(float(sample.recalls.mean(axis=1).var(ddof=1)) / builds, builds - 1.0)]
    cells = table.mean(axis=2)
    a, b = cells.shape
    by_order, by_build = cells.mean(axis=1), cells.mean(axis=0)
    return [
        (float(by_order.var(ddof=1)) / a, a - 1.0),
        (float(by_build.var(ddof=1)) / b, b - 1.0),
        (-interaction(cells) / (a * b), (a - 1.0) * (b - 1.0)),
    ]


def satterthwaite(variance: float, parts: Sequence[Part]) -> float:
    """Degrees of freedom of a variance that is the sum of parts (Satterthwaite 1946): at least the fewest of any."""
    known = sum(part**2 / df for part, df in parts)
    least = min([df for part, df in parts if part > 0] or [df for _, df in parts])
    return max(variance**2 / known, least) if known else least


def query_part(by_query: np.ndarray, effective: float, *, tails: bool = True, unseen: float = 0.0) -> Part:
    """Return the variance that the draw of queries adds to the mean of `by_query` (units,).

    effective: how many units of one size these say as much as; see `effective_units`.
    tails: whether its degrees of freedom shrink with the kurtosis (Box 1953).
    unseen: above 0, a query that was not drawn is allowed for that differs by as much, or by the most that any does:
        where few queries make all of a difference, their number in a sample is luck.
    """
    queries = len(by_query)
    if queries < 2:
        return math.nan, 1.0
    variance = float(by_query.var(ddof=1)) / queries
    if unseen:
        variance += (max(float(np.abs(by_query).max()), unseen) / queries) ** 2
    known = 2 * queries / (2 + _excess_kurtosis(by_query)) if tails else queries
    return variance, max(min(known, effective - 1.0), 1.0)


def _excess_kurtosis(values: np.ndarray) -> float:
    """How much heavier than a normal distribution's the tails of `values` are; 0 where they are not."""
    squares = (values - values.mean()) ** 2
    spread = float(squares.mean())
    return max(float((squares**2).mean()) / spread**2 - 3, 0.0) if spread else 0.0


def residual_parts(sample: Sample) -> list[Part]:
    """The residual, which builds and queries both count, to take off.

    If seeds are crossed, this is the interaction of queries with order seeds and with build seeds; their interaction
    with both is in each of the two, so it is put back once.
    """
    table = crossed(sample)
    if table is None:
        recalls = units(sample)
        return [] if min(recalls.shape) < 2 else [(-interaction(recalls) / recalls.size, _interaction_df(recalls))]
    a, b, queries = table.shape
    if queries < 2:
        return []
    by_order, by_build = table.mean(axis=1), table.mean(axis=0)
    residuals = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean(axis=(0, 1))
    residuals -= residuals.mean(axis=2, keepdims=True)
    df = (a - 1.0) * (b - 1.0) * (queries - 1.0)
    return [
        (-interaction(by_order) / by_order.size, _interaction_df(by_order)),
        (-interaction(by_build) / by_build.size, _interaction_df(by_build)),
        (float((residuals**2).sum()) / df / table.size, df),
    ]


def interaction(table: np.ndarray) -> float:
    """Mean square of a two-way table of what its row and column means leave; 0 of a single row or column."""
    if min(table.shape) < 2:
        return 0.0
    residuals = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float((residuals**2).sum() / _interaction_df(table))


def _interaction_df(table: np.ndarray) -> float:
    return float((table.shape[0] - 1) * (table.shape[1] - 1))


def shares(samples: Sequence[Sample]) -> dict[str, float]:
    """Shares, summing to 1, of the variance of recall over orders, seeds and queries, by analysis of variance.

    samples: one an order, of the same queries, two builds each at least.
    Shares are named `order`: between orders' means; `order seed`, `build seed` and their interaction: between builds of
    an order, apart only where they are crossed, else together as `seeds`; `query`: some queries are harder everywhere;
    `order x query`: harder in some orders; `residual`: a query's luck with a build.
    """
    queries = samples[0].recalls.shape[1]
    by_order = np.array([sample.recalls.mean(axis=0) for sample in samples])  # (orders, queries)
    orders = len(samples)
    residual = float(np.mean([interaction(sample.recalls) for sample in samples]))
    seeds = _mean_of([_seed_variances(sample, residual / queries) for sample in samples])
    builds = float(np.mean([len(sample.recalls) for sample in samples]))
    means = by_order.mean(axis=1)
    noise = float(np.mean([builds_part(sample)[0] for sample in samples]))
    of_order = max(means.var(ddof=0) - noise * (1 - 1 / orders), 0.0)  # of these orders: they are no sample
    both = interaction(by_order)
    of_query = max(float(by_order.mean(axis=0).var(ddof=1)) - both / orders, 0.0) if queries > 1 else 0.0
    crossing = max(both - residual / builds, 0.0)
    parts = {"order": float(of_order), **seeds, "query": of_query, "order x query": crossing, "residual": residual}
    total = sum(parts.values())
    return {name: part / total if total else 0.0 for name, part in parts.items()}


def _seed_variances(sample: Sample, noise: float) -> dict[str, float]:
    """Variance components of a build's mean recall, without `noise`, its share of the residual."""
    table = crossed(sample)
    if table is None:
        builds = sample.recalls.mean(axis=1)
        return {"seeds": max(float(builds.var(ddof=1)) - noise, 0.0) if len(builds) > 1 else 0.0}
    cells = table.mean(axis=2)
    a, b = cells.shape
    both = interaction(cells)
    return {
        "order seed": max(float(cells.mean(axis=1).var(ddof=1)) - both / b, 0.0),
        "build seed": max(float(cells.mean(axis=0).var(ddof=1)) - both / a, 0.0),
        "order seed x build seed": max(both - noise, 0.0),
    }


def _mean_of(tables: Sequence[dict[str, float]]) -> dict[str, float]:
    names = tables[0]
    return {name: float(np.mean([table.get(name, 0.0) for table in tables])) for name in names}
