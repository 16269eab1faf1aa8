"""Where the spread of recall comes from: parts of the variance of a mean, and shares of all that varies."""

from collections.abc import Sequence

import numpy as np

from bench.analysis.sample import Sample, crossed

# A part of the variance of a mean, and the degrees of freedom it is known with
Part = tuple[float, float]


def build_parts(sample: Sample) -> list[Part]:
    """What the draw of builds adds to the variance of the sample's mean."""
    cells = crossed(sample)
    if cells is None:
        builds = len(sample.recalls)
        if builds < 2:
            return [(float("nan"), 1.0)]
        return [(float(sample.recalls.mean(axis=1).var(ddof=1)) / builds, builds - 1.0)]
    a, b = cells.shape
    by_order, by_build = cells.mean(axis=1), cells.mean(axis=0)
    return [
        (float(by_order.var(ddof=1)) / a, a - 1.0),
        (float(by_build.var(ddof=1)) / b, b - 1.0),
        (-interaction(cells) / (a * b), (a - 1.0) * (b - 1.0)),
    ]


def query_part(by_query: np.ndarray, tails: bool = True) -> Part:
    """What the draw of queries adds to the variance of the mean of `by_query` (queries,).

    tails: whether its degrees of freedom shrink with the kurtosis.
    """
    queries = len(by_query)
    if queries < 2:
        return float("nan"), 1.0
    variance = float(by_query.var(ddof=1))
    effective = 2 * queries / (2 + _excess_kurtosis(by_query)) if tails else queries
    return variance / queries, min(effective, queries - 1.0)


def _excess_kurtosis(values: np.ndarray) -> float:
    """How much heavier than a normal distribution's the tails of `values` are; 0 where they are not."""
    squares = (values - values.mean()) ** 2
    spread = float(squares.mean())
    return max(float((squares**2).mean()) / spread**2 - 3, 0.0) if spread else 0.0


def residual_part(recalls: np.ndarray) -> Part:
    """The residual, which builds and queries both count, to take off."""
    builds, queries = recalls.shape
    if min(builds, queries) < 2:
        return 0.0, 1.0
    return -interaction(recalls) / (builds * queries), (builds - 1.0) * (queries - 1.0)


def interaction(table: np.ndarray) -> float:
    """Mean square of a two-way table of what its row and column means leave; 0 of a single row or column."""
    if min(table.shape) < 2:
        return 0.0
    residuals = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float((residuals**2).sum() / ((table.shape[0] - 1) * (table.shape[1] - 1)))


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
    noise = float(np.mean([sum(part for part, _ in build_parts(sample)) for sample in samples]))
    of_order = max(means.var(ddof=0) - noise * (1 - 1 / orders), 0.0)  # of these orders: they are no sample
    both = interaction(by_order)
    of_query = max(float(by_order.mean(axis=0).var(ddof=1)) - both / orders, 0.0) if queries > 1 else 0.0
    crossing = max(both - residual / builds, 0.0)
    parts = {"order": float(of_order), **seeds, "query": of_query, "order x query": crossing, "residual": residual}
    total = sum(parts.values())
    return {name: part / total if total else 0.0 for name, part in parts.items()}


def _seed_variances(sample: Sample, noise: float) -> dict[str, float]:
    """Variance components of a build's mean recall, without `noise`, its share of the residual."""
    cells = crossed(sample)
    if cells is None:
        builds = sample.recalls.mean(axis=1)
        return {"seeds": max(float(builds.var(ddof=1)) - noise, 0.0) if len(builds) > 1 else 0.0}
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
