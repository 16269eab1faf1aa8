"""An order of a user's own: a file of row numbers."""

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
    if "file" not in params or params["file_name"] or params["sha256"]:
        raise BenchError('name a file of row numbers: --orders ./mine.npy, or { file = "mine.npy" }')


def restricted(dataset: Dataset, *, file: str) -> list[dict[str, Any]]:
    """The order that a file gives of a dataset: its name, and the digest of its rows that the dataset has.

    The file names every row once of the file of vectors; those that are not in the base are dropped.
    """
    path = Path(file)
    ids = read_ids(path)
    rows, count = dataset.source_rows, dataset.source_count
    _check(ids, count, path, dataset.name)
    place = np.full(count, -1, dtype=np.int64)
    place[np.arange(count) if rows is None else rows] = np.arange(dataset.n)
    order = place[ids]
    order = order[order >= 0]
    digest = digests.array_digest(order)
    cache.entry(_KIND, {"sha256": digest}, lambda: {"order": order})
    return [{"file_name": as_text(path.name), "sha256": digest}]


def of_source(dataset: Dataset, order: np.ndarray) -> np.ndarray:
    """(m,) an order of the base (n,) by the numbers of its source's rows; those that the base lacks come last."""
    rows, count = dataset.source_rows, dataset.source_count
    return order if rows is None else np.concatenate([rows[order], np.setdiff1d(np.arange(count), rows)])


def check_file(params: Mapping[str, Any], *, file: str) -> None:
    """ValueError where the file does not exist, which costs nothing to see."""
    if not Path(file).is_file():
        raise ValueError(str(no_file(Path(file), "give the path of a file of row numbers (.npy, .txt, .parquet)")))


def _check(ids: np.ndarray, count: int, path: Path, dataset: str) -> None:
    """A BenchError where ids (m,) are not each of `count` rows once."""
    wanted = f"an order names each of the {count:,} rows of {dataset} once, from 0 to {count - 1}"
    outside = ids[(ids < 0) | (ids >= count)]
    if len(outside):
        raise BenchError(f"{path} names row {outside[0]}: {wanted}")
    times = np.bincount(ids, minlength=count)
    if times.max(initial=0) > 1:
        raise BenchError(f"{path} names row {times.argmax()} {times.max()} times: {wanted}")
    if len(ids) < count:
        raise BenchError(f"{path} has {len(ids):,} rows and lacks row {times.argmin()}: {wanted}")
