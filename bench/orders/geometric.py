"""Orders by where a row lies: density, local dimension, length, distance to all before it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.data.dataset import Dataset
from bench.errors import unknown
from bench.geometry import NEIGHBORS, Geometry, knn
from bench.geometry.dimension import ESTIMATORS
from bench.orders.order import by_value, cluster_count, seed_of

DENSITY_NEIGHBORS = 10  # the study's k: radius and hubness describe the neighbours that recall@10 is about


def lid_ascending(
    dataset: Dataset,
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    k: int = NEIGHBORS,
    estimator: str = "mle",
) -> np.ndarray:
    """Lowest local intrinsic dimension first: the study's bad order, tight tangles before any overview."""
    return by_value(_lid(geometry, k, estimator), rng)


def lid_descending(
    dataset: Dataset,
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    k: int = NEIGHBORS,
    estimator: str = "mle",
) -> np.ndarray:
    """Highest local intrinsic dimension first: the study's good order, which lays out the whole at first."""
    return by_value(-_lid(geometry, k, estimator), rng)


def centroid_ascending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Nearest to the mean of all rows first: the centre crowds the early graph."""
    return by_value(geometry.centroid_distances(), rng)


def centroid_descending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Farthest from the mean of all rows first: outskirts before the centre, for one pass over the data."""
    return by_value(-geometry.centroid_distances(), rng)


def residual_ascending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, clusters: int | None = None
) -> np.ndarray:
    """Nearest to its k-means centroid (√n unless stated) first: dense cores before sparse borders."""
    return by_value(geometry.clusters(cluster_count(dataset, clusters), seed_of(rng))[1], rng)


def residual_descending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, clusters: int | None = None
) -> np.ndarray:
    """Farthest from its k-means centroid (√n unless stated) first: sparse regions first, with no neighbours."""
    return by_value(-geometry.clusters(cluster_count(dataset, clusters), seed_of(rng))[1], rng)


def radius_ascending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Smallest distance to the k-th neighbour first: densest regions first, often the worst order."""
    return by_value(geometry.radius(k), rng)


def radius_descending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Largest distance to the k-th neighbour first: sparsest regions first, often the best order."""
    return by_value(-geometry.radius(k), rng)


def norm_ascending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Shortest vectors first; under inner product these are the ones hardly any query returns."""
    return by_value(_norms(dataset), rng)


def norm_descending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Longest vectors first; under inner product these are the hubs of every search."""
    return by_value(-_norms(dataset), rng)


def hub_first(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Rows that are most often among the k nearest of others first: the busy ones become the backbone."""
    return by_value(-geometry.occurrences(k), rng)


def hub_last(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Rows that are seldom among the k nearest of others first: the neglected get their links early."""
    return by_value(geometry.occurrences(k), rng)


def farthest_first(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Always the row farthest from all before it (Gonzalez 1985): every prefix covers the data evenly.

    The first row is drawn. Exact, yet seldom n²: once the farthest remaining row is no farther than a
    pick's last known neighbour, only those neighbours can come closer by the pick.
    """
    points = geometry.points
    row = int(rng.integers(dataset.n))
    rank = rng.permutation(dataset.n)
    # Of rows equally far, argmax takes the first: so rows are looked through in a random sequence.
    sequence = np.argsort(rank)
    known = min(NEIGHBORS, dataset.n - 1)
    distances, ids = geometry.neighbors(known) if known else (np.empty((1, 0)), np.empty((1, 0), np.int64))
    gap = np.full(dataset.n, np.inf, dtype=np.float32)  # by place in `sequence`; -1 once picked
    shuffled = points[sequence]
    order = np.empty(dataset.n, dtype=np.int64)
    for i in range(dataset.n):
        order[i] = row
        place = rank[row]
        if known and gap[place] <= distances[row, -1]:
            near, reach = rank[ids[row]], distances[row]
            gap[near] = np.minimum(gap[near], reach)
        else:
            gap = np.minimum(gap, knn.distances_to(shuffled, shuffled[place]))
        gap[place] = -1
        row = int(sequence[np.argmax(gap)])
    return order


def check_lid(dataset: Dataset, params: Mapping[str, Any]) -> None:
    """Raise ValueError if there is no such estimate from this number of neighbours."""
    _check_k(dataset, params["k"], fewest=2)  # a single distance has no dimension
    if params["estimator"] not in ESTIMATORS:
        raise unknown("estimator", params["estimator"], ESTIMATORS)


def check_neighbors(dataset: Dataset, params: Mapping[str, Any]) -> None:
    """ValueError where a row has not so many neighbours."""
    _check_k(dataset, params["k"], fewest=1)


def _check_k(dataset: Dataset, k: int, fewest: int) -> None:
    if not fewest <= k < dataset.n:
        most = dataset.n - 1
        way_out = f"give k from {fewest} to {most}, as in :k={min(10, most)}"
        if most <= fewest:
            way_out = f"give :k={most}" if most == fewest else f"it takes {fewest + 1} rows at least"
        raise ValueError(f"k = {k} neighbours of {dataset.n} {'row' if dataset.n == 1 else 'rows'}: {way_out}")


def _lid(geometry: Geometry, k: int, estimator: str) -> np.ndarray:
    # A row without an estimate has too few distinct neighbours, or all at one distance: dimension 0.
    return np.asarray(np.nan_to_num(geometry.lid(k, estimator), nan=0.0))


def _norms(dataset: Dataset) -> np.ndarray:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", dataset.base, dataset.base, dtype=np.float64)))
