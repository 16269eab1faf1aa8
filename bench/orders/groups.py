"""Orders of whole groups: categories, and clusters for data without labels."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.data.dataset import Dataset
from bench.errors import BenchError, unknown
from bench.geometry import Geometry
from bench.labels import cut, listed
from bench.orders.order import cluster_count, seed_of

MOST_PERMUTATIONS = 10_000


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
    """One k-means cluster after the other (√n unless stated): category order for data without labels."""
    nearest, _ = geometry.clusters(cluster_count(dataset, clusters), seed_of(rng))
    return _grouped(nearest, rng)


def round_robin(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, clusters: int | None = None
) -> np.ndarray:
    """One row of each k-means cluster (√n unless stated) in turn: every region is kept equally far along."""
    nearest, _ = geometry.clusters(cluster_count(dataset, clusters), seed_of(rng))
    grouped = _grouped(nearest, rng)
    starts = np.flatnonzero(np.diff(nearest[grouped], prepend=-1))
    turn = np.arange(dataset.n) - np.repeat(starts, np.diff(starts, append=dataset.n))
    return grouped[np.argsort(turn, kind="stable")]


def check_category(dataset: Dataset, params: Mapping[str, Any]) -> None:
    """Raise BenchError if there are no labels, or others than in the permutation."""
    categories = np.unique(labels_of(dataset))
    if params["permutation"] is not None:
        category_sequence(categories, params["permutation"])


def permutations(dataset: Dataset, *, permutations: int) -> list[dict[str, Any]]:
    """Return one order per permutation of the labels: all, or a number of them drawn by a fixed seed."""
    labels: list[str | int] = np.unique(labels_of(dataset)).tolist()
    # So many permutations are there at least, and a factorial of thousands of labels takes long
    if len(labels) <= permutations and math.factorial(len(labels)) <= permutations:
        return [{"permutation": list(one)} for one in itertools.permutations(labels)]
    rng = np.random.default_rng([0, *b"permutations"])
    drawn: dict[bytes, np.ndarray] = {}
    while len(drawn) < permutations:
        places = rng.permutation(len(labels))
        drawn[places.tobytes()] = places
    return [{"permutation": [labels[i] for i in places]} for places in drawn.values()]


def check_permutations(params: Mapping[str, Any], *, permutations: int) -> None:
    """Raise ValueError if this number of permutations cannot be built, or a permutation is named too."""
    if not 2 <= permutations <= MOST_PERMUTATIONS:
        raise ValueError(f"permutations = {permutations}: give a number from 2 to {MOST_PERMUTATIONS:,}")
    if params["permutation"] is not None:
        raise ValueError(f"permutations = {permutations}: a permutation is named too; leave one of the two out")


def labels_of(dataset: Dataset) -> np.ndarray:
    """Return the labels (n,) of a dataset. Raises BenchError if it has none."""
    if dataset.labels is None:
        raise BenchError(
            f"order 'category' needs labels, and dataset {dataset.name!r} has none: "
            "give a file with one label per row by --labels, or use 'cluster'"
        )
    return dataset.labels


def category_sequence(categories: np.ndarray, permutation: list[str | int]) -> np.ndarray:
    """Positions in `categories` (distinct labels, ascending) in the sequence that `permutation` names them."""
    position = {str(label): i for i, label in enumerate(categories)}
    named = [str(label) for label in permutation]
    for label in named:
        if label not in position:
            raise unknown("category", cut(label), [listed(position)])
    if sorted(named) != sorted(position):
        raise BenchError(
            f"order 'category': the permutation names {len(named):,} categories, "
            f"not each of these once: {listed(position)}"
        )
    return np.array([position[label] for label in named])


def _grouped(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows group by group, both the groups and the rows of each in an order drawn by the rng."""
    shuffled = rng.permutation(len(group))
    sequence = rng.permutation(int(group.max()) + 1)
    return shuffled[np.argsort(sequence[group[shuffled]], kind="stable")]
