"""Checks of the data's own files against exact search: neighbours, precision, queries that are rows or repeat."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np

from bench import digests
from bench.errors import BenchError, BenchWarning
from bench.geometry import Geometry, knn
from bench.geometry.describe import PRECISION_REMEDIES, profile

_ROUNDED = 4 * 2**-24  # four roundings of float32, by which an inner product of length 1 may err in an engine
_COSINE_ROUNDING = (2 * _ROUNDED) ** 0.5  # the distance between unit rows at which 1 - cos is no more than that
_RESOLVED = 4  # times the rounding: from there on a distance is right to a few per cent
_LEAST_SHARE = 0.01  # of the queries, which move recall by less than that: people repeat each other's words
_NEAR = 0.25  # of the distance to the nearest row: two queries that near have nearly the same neighbours
_OTHERS = 16  # queries looked at for each: enough to connect those of a cluster
_ENOUGH = 0.9  # of the queries, in effect: an interval is then too narrow by 5 % at most


def check_resolution(geometry: Geometry) -> bool:
    """Return whether float32 holds the nearest rows of most queries apart; a BenchWarning names the remedy if not.

    Raises BenchError if their distances are smaller than what float32 rounds, or all rows are one: recall would say
    nothing.
    """
    dataset = geometry.dataset
    distance, rounding = np.median(_distance_and_rounding(geometry), axis=1)
    if distance > _RESOLVED * rounding:
        return True
    if np.isnan(distance):
        problem = "float32 holds all rows as one"
    else:
        problem = (
            f"float32 rounds distances here by about {rounding:.1g}, and the tenth nearest row is {distance:.1g} away"
        )
    line = f"{dataset.name}: {problem}; if rows differ in their file, {PRECISION_REMEDIES[dataset.metric]}"
    if not distance > rounding:
        raise BenchError(line)
    warnings.warn(line, BenchWarning, stacklevel=2)
    return False


def _distance_and_rounding(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """(q,) how far the tenth distinct row lies from each query, and how much float32 rounds that; NaN if all are one.

    By inner product, how far it lies behind the first.
    """
    if geometry.ranks_by == "ip":
        distances, _ = geometry.distinct.ground_truth(min(10, len(geometry.distinct_rows)))
        behind = distances[:, -1] - distances[:, 0] if distances.shape[1] > 1 else np.full(len(distances), np.nan)
        return behind, _ROUNDED * np.abs(distances[:, -1])
    measured = profile(geometry)
    queries = geometry.query_points
    if not measured:  # of two rows nothing is known
        return np.full(len(queries), np.inf), np.zeros(len(queries))
    rounding = knn.rounding(queries, geometry.points)
    if geometry.dataset.metric == "cosine":
        rounding = np.maximum(rounding, _COSINE_ROUNDING)
    return measured["query_radius"].astype(np.float64), rounding


def verify_given(geometry: Geometry, sample: int = 100, seed: int = 0) -> None:
    """Issue a BenchWarning if the neighbours that came with the data are not the nearest, for a sample of queries.

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
    """Issue a BenchWarning if queries are rows of the base, or equal one except for rounding: these find themselves.

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


def warn_of_near_duplicates(geometry: Geometry) -> None:
    """A BenchWarning where queries nearly repeat each other, so that they say less of others than as many new ones.

    Nothing is said where groups of queries are known, and where in effect there are at least 90 % as many.
    """
    dataset = geometry.dataset
    if dataset.query_groups is not None:
        return
    sizes, queries = near_duplicates(geometry), len(dataset.queries)
    effective = sizes.sum() ** 2 / (sizes**2).sum() if len(sizes) else queries
    if effective < _ENOUGH * queries:
        warnings.warn(
            f"{dataset.name}: {int(sizes[sizes > 1].sum()):,} of {queries:,} queries nearly repeat another, so that "
            f"all say no more than {effective:,.0f} that do not, and intervals are too narrow: leave repeats out, or "
            "give the groups that queries belong to (--query-groups FILE)",
            BenchWarning,
            stacklevel=2,
        )


def near_duplicates(geometry: Geometry) -> np.ndarray:
    """Sizes (clusters,) int64 of the clusters of queries that are near-duplicates, 1 if a query repeats none.

    A query is a near-duplicate of another that is at most a quarter as far away as the query's nearest row, or equal
    except for rounding; such pairs form the clusters. With more queries than rows, which brings queries closer, the
    limit is a quarter times rows over queries. By Euclidean distance, as `warn_of_rows_as_queries`. The 16 nearest
    other queries are searched, so that a cluster of more equal queries may be split. Empty for fewer than three rows.
    """
    nearest = profile(geometry).get("query_nearest")
    queries = geometry.query_points
    if nearest is None:
        return np.empty(0, dtype=np.int64)
    if len(queries) < 2:
        return np.ones(len(queries), dtype=np.int64)

    def make() -> dict[str, np.ndarray]:
        geometry.log("neighbours of the queries among queries")
        distances, ids = knn.neighbors(queries, min(_OTHERS, len(queries) - 1))
        near = _NEAR * min(1.0, geometry.dataset.n / len(queries)) * nearest
        within = np.maximum(near, knn.rounding(queries, geometry.points))
        return {"sizes": _cluster_sizes(ids, distances <= within[:, None])}

    return geometry.cached("near_duplicates", {"code": _near_duplicates_code()}, make)["sizes"]


@cache
def _near_duplicates_code() -> str:
    return digests.code_digest(Path(__file__))


def _cluster_sizes(ids: np.ndarray, connected: np.ndarray) -> np.ndarray:
    """Sizes (clusters,) of what the pairs (row, id) connect, where `connected` (q, k), of ids (q, k)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = np.nonzero(connected)
    pairs = coo_array((np.ones(len(rows)), (rows, ids[rows, columns])), shape=(len(ids), len(ids)))
    _, cluster = connected_components(pairs, directed=False)
    return np.bincount(cluster)
