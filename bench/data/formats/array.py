"""Arrays in files, opened without reading them: mapped if they lie as in memory, else converted in blocks.

An array that is in memory already goes as one of a file too, so that all else need not know the difference.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench import digests
from bench.data.arrays import cached_rows, check_kind, few, read_only
from bench.errors import BenchError, BenchWarning

_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class FileArray:
    """An array in a file, none of it read yet.

    path: the file; of an array in memory, what it is called.
    part: the array's name in it, empty if the file is one array.
    shape: as numpy has it.
    dtype: as numpy has it.
    blocks: gives the rows in file order, some at a time.
    memory_map: the array as one, read-only; None if the file stores it differently from memory.
    take: gives rows by their numbers, if the file has them without reading those before.
    in_memory: whether it has no file.
    files: those that it is in, if they are several.
    """

    path: Path
    part: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[np.ndarray]]
    memory_map: np.ndarray | None = None
    take: Callable[[np.ndarray], np.ndarray] | None = None
    in_memory: bool = False
    files: tuple[Path, ...] = ()

    @property
    def where(self) -> str:
        """The place that an error names."""
        return f"{self.path}: {self.part}" if self.part else str(self.path)


def from_memory_map(path: Path, array: np.ndarray, part: str = "") -> FileArray:
    """An array that is a memory map."""
    take = array.__getitem__
    return FileArray(path, part, array.shape, array.dtype, lambda: map(take, spans(array)), array, take)


def from_memory(name: str, array: np.ndarray) -> FileArray:
    """An array in memory, by the name that errors call it."""
    return replace(from_memory_map(Path(name), array), in_memory=True)


def spans(array: Any, multiple: int = 1) -> Iterator[slice]:
    """Yield slices of an array's rows: each small compared with memory, and a multiple of `multiple` rows."""
    row = max(1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    step = max(1, _BLOCK_BYTES // row // multiple) * multiple
    return (slice(start, start + step) for start in range(0, array.shape[0] if array.shape else 0, step))


def whole(source: FileArray) -> np.ndarray:
    """All of an array, as it is: for labels and neighbours, which fit into memory."""
    if source.memory_map is not None:
        return read_only(source.memory_map)
    blocks = list(source.blocks())
    return read_only(np.concatenate(blocks) if blocks else np.empty(source.shape, source.dtype))


def check(source: FileArray) -> None:
    """Raises BenchError if an array cannot be vectors; issues a BenchWarning if its type is not float32."""
    if source.dtype.hasobject:
        next(source.blocks(), None)  # Python's objects are refused; text of HDF5 is reported with its shape and type
    check_kind(source.shape, source.dtype, source.where)
    if source.dtype != np.float32:
        warnings.warn(f"{source.where} holds {source.dtype}; converted to float32", BenchWarning, stacklevel=2)


def vectors(source: FileArray, rows: np.ndarray | None = None) -> np.ndarray:
    """(n, d) float32 vectors, all of them or those in `rows` (ascending); of what `check` has let pass.

    Memory-mapped in the file itself if it has them so; in memory if they are there already, or are few and the file
    gives them without those before; else from a conversion in the cache. Its key is the file's content, so that a file
    that changed is converted again. Values that a float32 cannot hold become infinite, for `checked` to find.
    """
    array = source.memory_map
    if rows is None or len(rows) == source.shape[0]:
        rows = None
        if array is not None and array.dtype == np.float32 and array.flags.c_contiguous and array.flags.aligned:
            return read_only(array)
        if source.in_memory and array is not None:
            return read_only(np.ascontiguousarray(_float32(array)))
    elif source.take and (source.in_memory or few(len(rows), source.shape[1])):
        return read_only(np.ascontiguousarray(_float32(source.take(rows))))
    key = {
        "sha256": [digests.file_digest(file) for file in source.files or (source.path,)],
        "suffix": source.path.suffix.lower(),
        "part": source.part,
        "code": _code(),
    } | ({} if rows is None else {"rows": digests.array_digest(rows)})
    shape = (source.shape[0] if rows is None else len(rows), source.shape[1])
    blocks = source.blocks() if rows is None else _chosen_blocks(source, rows)
    return cached_rows("converted", key, shape, map(_float32, blocks), f"{source.where}, as float32,")


def nonzero(source: FileArray) -> np.ndarray:
    """Numbers of the rows, of what `check` has let pass, that are not all zeros as float32."""
    has_direction = [_float32(block).any(axis=1) for block in source.blocks()]
    return np.flatnonzero(np.concatenate(has_direction)) if has_direction else np.arange(0)


def _chosen_blocks(source: FileArray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """These rows, ascending, some at a time."""
    if source.take:
        step = max(1, _BLOCK_BYTES // (source.shape[1] * source.dtype.itemsize))
        for start in range(0, len(rows), step):
            yield source.take(rows[start : start + step])
        return
    start = 0
    for block in source.blocks():
        first, last = np.searchsorted(rows, [start, start + len(block)])
        yield block[rows[first:last] - start]
        start += len(block)


def _float32(block: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return block.astype(np.float32)


def stacked(rows: Sequence[Any], where: str, start: int = 0, d: int | None = None) -> np.ndarray:
    """(m, d) rows that are lists of numbers, the first of them row `start` of what `where` names.

    Raises BenchError that names the row if one has another length than d, by default the first row's, or is no list.
    """
    for number, row in enumerate(rows, start):
        if isinstance(row, str | bytes) or not hasattr(row, "__len__"):
            raise BenchError(f"{where} has no list of numbers in row {number}: give every row a vector")
        d = len(row) if d is None else d
        if len(row) != d:
            raise BenchError(f"{where} has dimension {len(row)} in row {number}, {d} before: rows must be alike")
    try:
        array = np.array(list(rows))
    except (TypeError, ValueError):
        array = np.empty(0, object)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise BenchError(f"{where} has lists of something else than numbers: give every row a vector")
    return array


def damaged(path: Path, how: str = "get or write it again") -> BenchError:
    """The error for a file that breaks off or makes no sense."""
    return BenchError(f"{path} is truncated or damaged: {how}")


@cache
def _code() -> str:
    """The code that reads files: what another one converted is not taken."""
    return digests.code_digest(Path(__file__).parent)
