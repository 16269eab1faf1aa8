"""An order by a user: row numbers, in a file or as an array."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import cache, digests
from bench.convert import as_text
from bench.data.dataset import Dataset
from bench.data.formats.ids import read_ids
from bench.errors import BenchError, no_file
from bench.geometry import Geometry

_KIND = "own-orders"  # in the cache, by their digest, which is all that a trial has of them


def from_file(
    dataset: Dataset, geometry: Geometry, rng: np.random.Generator, *, file_name: str = "", sha256: str = ""
) -> np.ndarray:
    """A permutation of your own, from a file of row numbers: as `bench order` writes, or as your loader inserts."""

    def missing() -> dict[str, np.ndarray]:
        raise BenchError(f"order {file_name!r} is not in the cache any more: run the command again")

    return np.asarray(cache.entry(_KIND, {"sha256": sha256}, missing).arrays["order"])


def check_named(dataset: Dataset, params: Mapping[str, Any]) -> None:
    """BenchError where no file is named, as by the name of this order alone; what a file comes to is not for users."""
    if not params.keys() & {"file", "rows"} or params["file_name"] or params["sha256"]:
        raise BenchError('name a file of row numbers: --orders ./mine.npy, or { file = "mine.npy" }')


def restricted(
    dataset: Dataset, *, file: str = "", rows: Mapping[str, list[int]] | None = None
) -> list[dict[str, Any]]:
    """The order that a file gives of a dataset: its name, and the digest of its rows that the dataset has.

    It names every row once of the file of vectors; those that are not in the base are dropped. rows: in place of a
    file, row numbers by what to call them; several stand for as many orders.
    """
    if rows is None:
        return [_restricted(dataset, read_ids(Path(file)), as_text(Path(file).name), file)]
    return [_restricted(dataset, np.asarray(ids, np.int64), name, name) for name, ids in rows.items()]


def _restricted(dataset: Dataset, ids: np.ndarray, name: str, where: str) -> dict[str, Any]:
    """As `restricted`, of one. where: what an error names."""
    _check(ids, dataset.source_count, where, dataset.name)
    order = in_base(dataset, ids)
    digest = digests.array_digest(order)
    cache.entry(_KIND, {"sha256": digest}, lambda: {"order": order})
    return {"file_name": name, "sha256": digest}


def in_base(dataset: Dataset, ids: np.ndarray) -> np.ndarray:
    """(m,) the places in the base of rows of its source, without those that it lacks."""
    rows, count = dataset.source_rows, dataset.source_count
    place = np.full(count, -1, dtype=np.int64)
    place[np.arange(count) if rows is None else rows] = np.arange(dataset.n)
    order: np.ndarray = place[ids]
    return order[order >= 0]


def of_source(dataset: Dataset, order: np.ndarray) -> np.ndarray:
    """(m,) an order of the base (n,) by the numbers of its source's rows; those that the base lacks come last."""
    rows, count = dataset.source_rows, dataset.source_count
    return order if rows is None else np.concatenate([rows[order], np.setdiff1d(np.arange(count), rows)])


def check_file(params: Mapping[str, Any], *, file: str = "", rows: Mapping[str, list[int]] | None = None) -> None:
    """ValueError where the file does not exist, which costs nothing to see."""
    if rows is not None:
        if file or not rows:
            raise ValueError("give a file, or row numbers by what to call them")
    elif not Path(file).is_file():
        raise ValueError(str(no_file(Path(file), "give the path of a file of row numbers (.npy, .txt, .parquet)")))


def _check(ids: np.ndarray, count: int, where: str, dataset: str) -> None:
    """Raise BenchError if ids (m,) do not name each of `count` rows once."""
    wanted = f"an order names each of the {count:,} rows of {dataset} once, from 0 to {count - 1}"
    outside = ids[(ids < 0) | (ids >= count)]
    if len(outside):
        raise BenchError(f"{where} names row {outside[0]}: {wanted}")
    times = np.bincount(ids, minlength=count)
    if times.max(initial=0) > 1:
        raise BenchError(f"{where} names row {times.argmax()} {times.max()} times: {wanted}")
    if len(ids) < count:
        raise BenchError(f"{where} has {len(ids):,} rows and lacks row {times.argmin()}: {wanted}")
