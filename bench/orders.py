"""Orders of insertion: dataset + geometry + rng -> order (n,) int64, `order[i]` the base row inserted i-th.

Each is a permutation, the same for the same rng, with ties broken by the rng and never by file order.
Parameters are keyword arguments, with the same names in an experiment's TOML and on the command line.
"""

import inspect
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench.convert import converted
from bench.data.dataset import Dataset
from bench.errors import BenchError, unknown
from bench.geometry import NEIGHBORS, Geometry, knn
from bench.geometry.dimension import ESTIMATORS

DENSITY_NEIGHBORS = 10  # the study's k: radius and hubness describe the neighbours that recall@10 is about


def given(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """As the file has it: what an engine gets when nobody thinks about order."""
    return np.arange(dataset.n)


def reverse(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """The file backwards: if it differs from `given`, the file's order carries structure."""
    return np.arange(dataset.n)[::-1].copy()


def random(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """A uniform shuffle: the reference that every other order is compared with."""
    return rng.permutation(dataset.n)


def lid_ascending(
    dataset: Dataset,
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    k: int = NEIGHBORS,
    estimator: str = "mle",
) -> np.ndarray:
    """Lowest local intrinsic dimension first: the study's bad order, tight tangles before any overview."""
    return _by(_lid(geometry, k, estimator), rng)


def lid_descending(
    dataset: Dataset,
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    k: int = NEIGHBORS,
    estimator: str = "mle",
) -> np.ndarray:
    """Highest local intrinsic dimension first: the study's good order, which lays out the whole at first."""
    return _by(-_lid(geometry, k, estimator), rng)


def category(
    dataset: Dataset,
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    permutation: list[str | int] | None = None,
) -> np.ndarray:
    """One label after the other, as a catalogue is filled; the realistic bad case of the study.

    `permutation` names every label in the order wanted; without it the rng draws one. Rows of a label
    are shuffled by the rng, alike for every permutation.
    """
    shuffled = rng.permutation(dataset.n)
    categories, row_category = np.unique(labels_of(dataset), return_inverse=True)
    drawn = rng.permutation(len(categories))
    sequence = drawn if permutation is None else category_sequence(categories, permutation)
    rank = np.argsort(sequence)
    return shuffled[np.argsort(rank[row_category[shuffled]], kind="stable")]


def cluster(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, clusters: int | None = None
) -> np.ndarray:
    """One k-means cluster after the other (√n unless told): category order for data without labels."""
    nearest, _ = geometry.clusters(_clusters(dataset, clusters), _seed(rng))
    return _grouped(nearest, rng)


def round_robin(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, clusters: int | None = None
) -> np.ndarray:
    """One row of each k-means cluster (√n unless told) in turn: every region is kept equally far along."""
    nearest, _ = geometry.clusters(_clusters(dataset, clusters), _seed(rng))
    grouped = _grouped(nearest, rng)
    starts = np.flatnonzero(np.diff(nearest[grouped], prepend=-1))
    turn = np.arange(dataset.n) - np.repeat(starts, np.diff(starts, append=dataset.n))
    return grouped[np.argsort(turn, kind="stable")]


def block_shuffle(dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, block: int = 1024) -> np.ndarray:
    """The file cut into blocks, each shuffled: all that an ingester with a buffer of `block` rows can do."""
    return np.concatenate(
        [start + rng.permutation(min(block, dataset.n - start)) for start in range(0, dataset.n, block)]
    )


def partial_shuffle(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, fraction: float = 0.1
) -> np.ndarray:
    """A share of the rows, drawn by the rng, shuffled among their places: how much disorder is enough?"""
    order = np.arange(dataset.n)
    moved = np.flatnonzero(rng.permutation(dataset.n) < round(fraction * dataset.n))
    order[moved] = rng.permutation(moved)
    return order


def centroid_ascending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Nearest to the mean of all rows first: the centre crowds the early graph."""
    return _by(geometry.centroid_distances(), rng)


def centroid_descending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Farthest from the mean of all rows first: outskirts before the centre, for one pass over the data."""
    return _by(-geometry.centroid_distances(), rng)


def residual_ascending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, clusters: int | None = None
) -> np.ndarray:
    """Nearest to its k-means centroid (√n unless told) first: dense cores before sparse borders."""
    return _by(geometry.clusters(_clusters(dataset, clusters), _seed(rng))[1], rng)


def residual_descending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, clusters: int | None = None
) -> np.ndarray:
    """Farthest from its k-means centroid (√n unless told) first: sparse regions first, with no neighbours."""
    return _by(-geometry.clusters(_clusters(dataset, clusters), _seed(rng))[1], rng)


def radius_ascending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Smallest distance to the k-th neighbour first: densest regions first, often the worst order."""
    return _by(geometry.radius(k), rng)


def radius_descending(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Largest distance to the k-th neighbour first: sparsest regions first, often the best order."""
    return _by(-geometry.radius(k), rng)


def norm_ascending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Shortest vectors first; under inner product these are the ones hardly any query returns."""
    return _by(_norms(dataset), rng)


def norm_descending(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Longest vectors first; under inner product these are the hubs of every search."""
    return _by(-_norms(dataset), rng)


def hub_first(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Rows that are most often among the k nearest of others first: the busy ones become the backbone."""
    return _by(-geometry.occurrences(k), rng)


def hub_last(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, k: int = DENSITY_NEIGHBORS
) -> np.ndarray:
    """Rows that are seldom among the k nearest of others first: the neglected get their links early."""
    return _by(geometry.occurrences(k), rng)


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


Order = Callable[..., np.ndarray]

ORDERS: dict[str, Order] = {
    "given": given,
    "reverse": reverse,
    "random": random,
    "lid-ascending": lid_ascending,
    "lid-descending": lid_descending,
    "category": category,
    "cluster": cluster,
    "round-robin": round_robin,
    "block-shuffle": block_shuffle,
    "partial-shuffle": partial_shuffle,
    "centroid-ascending": centroid_ascending,
    "centroid-descending": centroid_descending,
    "residual-ascending": residual_ascending,
    "residual-descending": residual_descending,
    "radius-ascending": radius_ascending,
    "radius-descending": radius_descending,
    "norm-ascending": norm_ascending,
    "norm-descending": norm_descending,
    "hub-first": hub_first,
    "hub-last": hub_last,
    "farthest-first": farthest_first,
}


def make(name: str, params: Mapping[str, Any], dataset: Dataset, geometry: Geometry, order_seed: int) -> np.ndarray:
    """The order (n,) int64 that `name` and its parameters give for this seed."""
    rng = np.random.default_rng([order_seed, *name.encode()])  # orders of one seed share no stream
    return np.ascontiguousarray(ORDERS[name](dataset, geometry, rng, **params), dtype=np.int64)


def parameters(name: str, given: Mapping[str, object], *, strict: bool = True) -> dict[str, Any]:
    """All parameters of an order, those not given at their defaults; a BenchError where one is unknown.

    strict: whether text is refused where a number is meant.
    """
    if name not in ORDERS:
        raise unknown("order", name, ORDERS)
    takes = {
        key: parameter
        for key, parameter in inspect.signature(ORDERS[name]).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for key in given:
        if key not in takes:
            raise BenchError(f"order {name!r}: {unknown('parameter', key, takes)}")
    return {
        key: converted(given[key], parameter.annotation, f"order {name!r}: {key}", strict=strict)
        if key in given
        else parameter.default
        for key, parameter in takes.items()
    }


def check(name: str, params: Mapping[str, Any], dataset: Dataset) -> None:
    """A BenchError where the order cannot be made of this dataset; costs nothing."""

    def refuse(problem: str) -> BenchError:
        return BenchError(f"order {name!r} on dataset {dataset.name!r}: {problem}")

    if name == "category":
        categories = np.unique(labels_of(dataset))
        if params["permutation"] is not None:
            category_sequence(categories, params["permutation"])
    fewest = 2 if "estimator" in params else 1  # a single distance has no dimension
    if "k" in params and not fewest <= params["k"] < dataset.n:
        few = f"give k from {fewest} to {dataset.n - 1}, as in {name}:k={min(10, dataset.n - 1)}"
        raise refuse(f"k = {params['k']} neighbours of {dataset.n} rows: {few}")
    if "estimator" in params and params["estimator"] not in ESTIMATORS:
        raise unknown("estimator", params["estimator"], ESTIMATORS)
    if params.get("clusters") is not None and not 0 < params["clusters"] <= dataset.n:
        raise refuse(f"clusters = {params['clusters']}: give 1 to {dataset.n}, the number of rows")
    if params.get("block", 1) < 1:
        raise refuse(f"block = {params['block']}: give a positive number of rows")
    if not 0 <= params.get("fraction", 0) <= 1:
        raise refuse(f"fraction = {params['fraction']}: give a share from 0 to 1")


def labels_of(dataset: Dataset) -> np.ndarray:
    """The labels (n,) of a dataset, or a BenchError where it has none."""
    if dataset.labels is None:
        raise BenchError(
            f"order 'category' needs labels, and dataset {dataset.name!r} has none: "
            "give a file of one label a row with --labels, or use 'cluster'"
        )
    return dataset.labels


def category_sequence(categories: np.ndarray, permutation: list[str | int]) -> np.ndarray:
    """Positions in `categories` (distinct labels, ascending) in the sequence that `permutation` names them."""
    position = {str(label): i for i, label in enumerate(categories)}
    named = [str(label) for label in permutation]
    for label in named:
        if label not in position:
            raise unknown("category", label, position)
    if sorted(named) != sorted(position):
        raise BenchError(
            f"order 'category': the permutation names {len(named)} categories, "
            f"not each of these once: {', '.join(position)}"
        )
    return np.array([position[label] for label in named])


def permutations(categories: np.ndarray, most: int) -> list[list[str | int]]:
    """All permutations of distinct labels where they are at most `most`, else `most` of them, by a fixed seed."""
    labels: list[str | int] = categories.tolist()
    if math.factorial(len(labels)) <= most:
        return [list(permutation) for permutation in itertools.permutations(labels)]
    rng = np.random.default_rng([0, *b"permutations"])
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < most:
        drawn[tuple(rng.permutation(len(labels)))] = None
    return [[labels[i] for i in places] for places in drawn]


def _by(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows by ascending value, ties in an order drawn by the rng."""
    return np.lexsort((rng.permutation(len(values)), values))


def _lid(geometry: Geometry, k: int, estimator: str) -> np.ndarray:
    # A row without an estimate lies in a pile of duplicates, which has no extent: dimension 0.
    return np.asarray(np.nan_to_num(geometry.lid(k, estimator), nan=0.0))


def _norms(dataset: Dataset) -> np.ndarray:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", dataset.base, dataset.base, dtype=np.float64)))


def _clusters(dataset: Dataset, clusters: int | None) -> int:
    return clusters or max(1, round(dataset.n**0.5))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1, 2**31 - 1))


def _grouped(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows group by group, both the groups and the rows of each in an order drawn by the rng."""
    shuffled = rng.permutation(len(group))
    sequence = rng.permutation(int(group.max()) + 1)
    return shuffled[np.argsort(sequence[group[shuffled]], kind="stable")]
