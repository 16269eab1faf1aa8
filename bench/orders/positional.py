"""Orders by position in the file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.data.dataset import Dataset
from bench.geometry import Geometry


def given(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """As the file has it: what an engine gets when nobody thinks about order."""
    return np.arange(dataset.n)


def reverse(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """The file backwards: if it differs from `given`, the file's order carries structure."""
    return np.arange(dataset.n)[::-1].copy()


def random(dataset: Dataset, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """A uniform shuffle: the reference that every other order is compared with."""
    return rng.permutation(dataset.n)


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


def check_block(dataset: Dataset, params: Mapping[str, Any]) -> None:
    """Raise ValueError if a block cannot have this number of rows."""
    if params["block"] < 1:
        raise ValueError(f"block = {params['block']}: give a positive number of rows")


def check_fraction(dataset: Dataset, params: Mapping[str, Any]) -> None:
    """ValueError where it is no share."""
    if not 0 <= params["fraction"] <= 1:
        raise ValueError(f"fraction = {params['fraction']}: give a share from 0 to 1")
