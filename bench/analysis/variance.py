"""Where the spread of recall comes from."""

from collections.abc import Sequence

import numpy as np

from bench.analysis import stats
from bench.analysis.stats import Sample


def shares(samples: Sequence[Sample]) -> dict[str, float]:
    """Shares, summing to 1, of the variance of recall over orders, seeds and queries, by analysis of variance.

    samples: one an order, of the same queries, two builds each at least. `order`: between orders' means;
    `order seed` and `build seed`: between builds of an order, told apart only where they are crossed,
    else together as `seeds`; `query`: some queries are harder everywhere; `order x query`: harder in some orders;
    `residual`: a query's luck with a build.
    """
    queries = samples[0].recalls.shape[1]
    by_order = np.array([sample.recalls.mean(axis=0) for sample in samples])  # (orders, queries)
    orders = len(samples)
    residual = float(np.mean([stats.interaction(sample.recalls) for sample in samples]))
    seeds = _mean_of([_seed_variances(sample, residual / queries) for sample in samples])
    builds = float(np.mean([len(sample.recalls) for sample in samples]))
    means = by_order.mean(axis=1)
    noise = float(np.mean([sum(part for part, _ in stats.build_parts(sample)) for sample in samples]))
    of_order = max(means.var(ddof=0) - noise * (1 - 1 / orders), 0.0)  # of these orders: they are no sample
    crossed = stats.interaction(by_order)
    of_query = max(float(by_order.mean(axis=0).var(ddof=1)) - crossed / orders, 0.0) if queries > 1 else 0.0
    crossing = max(crossed - residual / builds, 0.0)
    parts = {"order": float(of_order), **seeds, "query": of_query, "order x query": crossing, "residual": residual}
    total = sum(parts.values())
    return {name: part / total if total else 0.0 for name, part in parts.items()}


def _seed_variances(sample: Sample, noise: float) -> dict[str, float]:
    """Variance components of a build's mean recall, without `noise`, its share of the rest."""
    cells = stats.crossed(sample)
    if cells is None:
        builds = sample.recalls.mean(axis=1)
        return {"seeds": max(float(builds.var(ddof=1)) - noise, 0.0) if len(builds) > 1 else 0.0}
    a, b = cells.shape
    both = stats.interaction(cells)
    return {
        "order seed": max(float(cells.mean(axis=1).var(ddof=1)) - both / b, 0.0),
        "build seed": max(float(cells.mean(axis=0).var(ddof=1)) - both / a, 0.0),
        "order seed x build seed": max(both - noise, 0.0),
    }


def _mean_of(tables: Sequence[dict[str, float]]) -> dict[str, float]:
    names = tables[0]
    return {name: float(np.mean([table.get(name, 0.0) for table in tables])) for name in names}
