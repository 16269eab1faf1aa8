"""What came with the data, held against exact search: neighbours, and queries that may be rows of the base."""

import warnings

import numpy as np

from bench.errors import BenchWarning
from bench.geometry import Geometry, knn
from bench.geometry.describe import profile

_LEAST_SHARE = 0.01  # of the queries, which move recall by less than that: people repeat each other's words


def verify_given(geometry: Geometry, sample: int = 100, seed: int = 0) -> None:
    """A BenchWarning where the neighbours that came with the data are not the nearest, for a sample of queries.

    They are compared with exact search of our own; a row counts as near where it is as near as the
    k-th, by distance, so ties do not matter.
    """
    dataset = geometry.dataset
    if dataset.neighbors is None:
        return
    queries = np.random.default_rng([seed, *b"given"]).permutation(len(dataset.neighbors))[:sample]
    given = dataset.neighbors[queries, : dataset.n]
    k = given.shape[1]

    def make() -> dict[str, np.ndarray]:
        geometry.log(f"exact neighbours of {len(queries)} queries, to verify those that came with the data")
        return {"distances": knn.search(geometry.query_points[queries], geometry.points, k, geometry.ranks_by)[0]}

    kth = geometry.cached("given", {"k": k, "sample": sample, "seed": seed}, make)["distances"][:, -1:]
    farthest = knn.farthest_tie(kth, geometry.query_duplicates[queries])

    def near(ids: np.ndarray) -> int:
        in_base = np.where((ids >= 0) & (ids < dataset.n), ids, -1)
        reached = knn.true_distances(geometry.query_points[queries], geometry.points, in_base, geometry.ranks_by)
        as_near = (reached <= farthest) & (in_base >= 0)
        return sum(len(set(row[good])) for row, good in zip(in_base, as_near, strict=True))

    agree = near(given)
    outside = int(((dataset.neighbors < 0) | (dataset.neighbors >= dataset.n)).sum())
    if agree < given.size or outside:
        if near(given - 1) > max(agree, 0.9 * given.size):
            why = "their ids seem to count from 1"
        elif outside:
            why = f"{outside:,} are no row of the base, which may have been cut"
        elif agree > 0.99 * given.size:
            why = "so few that rounding may be the reason"
        else:
            why = "the metric may be another, or the base or its order"
        warnings.warn(
            f"{dataset.name}: of {given.size:,} neighbours that came with the data ({k} each of "
            f"{len(queries)} queries), {agree:,} are among the nearest: {why}; exact search of our own counts",
            BenchWarning,
            stacklevel=2,
        )


def warn_of_rows_as_queries(geometry: Geometry) -> None:
    """A BenchWarning where queries are rows of the base, or equal to one but for rounding: these find themselves.

    By Euclidean distance, at unit length under cosine, and under `ip` too. Nothing is said of one, or of less than 1 %.
    """
    nearest = profile(geometry).get("query_nearest")
    if nearest is None:
        return
    queries = geometry.query_points
    count = int((nearest <= knn.rounding(queries, geometry.points)).sum())
    if count > 1 and count >= _LEAST_SHARE * len(queries):
        warnings.warn(
            f"{geometry.dataset.name}: {count:,} of {len(queries):,} queries are rows of the base, or equal to one: "
            "each finds itself, and new queries may have a lower recall; remove rows that repeat, or give queries that "
            "are no rows (--queries)",
            BenchWarning,
            stacklevel=2,
        )
