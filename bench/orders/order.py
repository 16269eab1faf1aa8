"""The definition of an order: how to make and check it, and code that several orders share."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from bench.data.dataset import Dataset


class Expansion(msgspec.Struct, frozen=True):
    """How one entry of an experiment stands for several orders; its own parameters are keyword arguments.

    make: (dataset, *, parameters) -> the parameters of every order that it stands for.
    check: (the order's parameters, *, parameters), raises ValueError for what cannot be.
    """

    make: Callable[..., list[dict[str, Any]]]
    check: Callable[..., None]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order of insertion, with all that the harness needs to know of it.

    make: (dataset, geometry, rng, *, parameters) -> order (n,) int64, a permutation: row order[i] is inserted i-th.
    check: (dataset, parameters), raises ValueError or BenchError where the dataset does not allow it; costs nothing.
    expansion: parameters that stand for several orders, or None.
    estimates_dimension: whether it uses `geometry.dimension`.
    needs_labels: whether it can be made of labelled rows alone.
    named_by: the parameter that tables call it by, in place of its name and parameters; empty for most.
    """

    make: Callable[..., np.ndarray]
    check: Callable[[Dataset, Mapping[str, Any]], None] = lambda dataset, params: None
    expansion: Expansion | None = None
    estimates_dimension: bool = False
    needs_labels: bool = False
    named_by: str = ""


def make_order(
    order: Order, name: str, params: Mapping[str, Any], dataset: Dataset, geometry: Any, order_seed: int
) -> np.ndarray:
    """Return the order (n,) int64 of this seed. Raises ValueError if the result is no permutation."""
    rng = np.random.default_rng([order_seed, *name.encode()])  # orders of one seed share no stream
    rows = np.ascontiguousarray(order.make(dataset, geometry, rng, **params), dtype=np.int64)
    if rows.shape != (dataset.n,) or not np.array_equal(np.sort(rows), np.arange(dataset.n)):
        raise ValueError(f"order {name!r} on dataset {dataset.name!r} does not name every row once")
    return rows


def by_value(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows by ascending value, ties in an order drawn by the rng."""
    return np.lexsort((rng.permutation(len(values)), values))


def cluster_count(dataset: Dataset, clusters: int | None) -> int:
    """As many clusters as stated, else the square root of the number of rows."""
    return clusters or max(1, round(dataset.n**0.5))


def check_clusters(dataset: Dataset, params: Mapping[str, Any]) -> None:
    """ValueError where rows cannot make so many clusters."""
    if params["clusters"] is not None and not 0 < params["clusters"] <= dataset.n:
        raise ValueError(f"clusters = {params['clusters']}: give 1 to {dataset.n}, the number of rows")


def seed_of(rng: np.random.Generator) -> int:
    """A seed for a library, drawn by the rng."""
    return int(rng.integers(1, 2**31 - 1))
