"""Arrays in files, opened without reading them: mapped where they lie as memory has them, else converted in blocks."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import cache
from bench.data.dataset import check_kind, read_only
from bench.errors import BenchError, BenchWarning

_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class Stored:
    """An array in a file, none of it read yet.

    path: the file. part: the array's name in it, empty where the file is one array. blocks: gives the
    rows in file order, some at a time. mapped: the array where it lies in the file, read-only, or None
    where it lies there in another way than in memory.
    """

    path: Path
    part: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[np.ndarray]]
    mapped: np.ndarray | None = None

    @property
    def told(self) -> str:
        """How messages name it."""
        return f"{self.path}: {self.part}" if self.part else str(self.path)


def mapped(path: Path, array: np.ndarray, part: str = "") -> Stored:
    """An array that is a memory map."""
    return Stored(path, part, array.shape, array.dtype, lambda: (array[rows] for rows in spans(array)), array)


def spans(array: Any, multiple: int = 1) -> Iterator[slice]:
    """Slices of the rows of what has a shape and a type: each small beside memory, a multiple of so many rows."""
    row = max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize)
    step = max(1, _BLOCK_BYTES // row // multiple) * multiple
    return (slice(start, start + step) for start in range(0, array.shape[0] if array.shape else 0, step))


def whole(stored: Stored) -> np.ndarray:
    """All of an array, as it is: for labels and neighbours, which fit into memory."""
    if stored.mapped is not None:
        return read_only(stored.mapped)
    blocks = list(stored.blocks())
    return read_only(np.concatenate(blocks) if blocks else np.empty(stored.shape, stored.dtype))


def vectors(stored: Stored) -> np.ndarray:
    """(n, d) float32 rows, memory-mapped: in the file itself where it has them so, else in a conversion that is kept.

    The conversion goes by the file's content, so that a file that changed is converted anew. Another type
    than float32 is told in a warning; what a float32 cannot hold becomes infinite, for `checked` to find.
    """
    check_kind(stored.shape, stored.dtype, stored.told)
    if stored.dtype != np.float32:
        warnings.warn(f"{stored.told} holds {stored.dtype}; converted to float32", BenchWarning, stacklevel=2)
    array = stored.mapped
    if array is not None and array.dtype == np.float32 and array.flags.c_contiguous and array.flags.aligned:
        return read_only(array)
    key = {
        "sha256": cache.file_digest(stored.path),
        "suffix": stored.path.suffix.lower(),
        "part": stored.part,
        "code": _code(),
    }
    kept = cache.entry("converted", key, lambda: {"vectors": _converted(stored)})
    return kept.arrays["vectors"]


def damaged(path: Path, how: str = "get or write it again") -> BenchError:
    """The error for a file that breaks off or makes no sense."""
    return BenchError(f"{path} is truncated or damaged: {how}")


def _converted(stored: Stored) -> cache.Blocks:
    def blocks() -> Iterator[np.ndarray]:
        for block in stored.blocks():
            with np.errstate(over="ignore"):
                yield block.astype(np.float32)

    return cache.Blocks(stored.shape, np.dtype(np.float32), blocks())


def _code() -> str:
    """The code that reads files: what another one converted is not taken."""
    readers = ("stored.py", "npy.py", "hdf5.py", "texmex.py", "bigann.py", "parquet.py")
    return cache.code_digest(*(Path(__file__).parent / name for name in readers))
