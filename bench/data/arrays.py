"""Arrays as a dataset has them: of the right kind, read-only, on disk if they are large."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bench import cache
from bench.errors import BenchError

# Squared lengths outside this range overflow or vanish in float32, in which engines compute.
_LEAST, _MOST = 1e-30, 1e30
BLOCK_VALUES = 1 << 24  # values looked at in one go, so that a base larger than memory can be checked


def check_kind(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    """Raises BenchError that names `where` if an array of this shape and type cannot be vectors."""
    if len(shape) != 2:
        raise BenchError(f"{where} has shape {shape}: vectors are rows of a 2-D array")
    if dtype.kind not in "fiu":
        raise BenchError(f"{where} has type {dtype}: vectors are real numbers")
    if shape[1] == 0:
        raise BenchError(f"{where} has rows of no values: shape {shape}")


def refuse_masked(values: Any, where: str) -> None:
    """Raise BenchError, which names `where`, for a masked array, whether or not an element is masked.

    Also for a list, a series or an array of objects that holds one, since numpy takes what is under a mask.
    """
    is_plain = isinstance(values, np.ndarray) and (values.ndim == 0 or not values.dtype.hasobject)
    has_items = isinstance(values, list | tuple | np.ndarray) or hasattr(values, "array")  # which a series has
    items = values if has_items and not is_plain else ()
    if any(isinstance(value, np.ma.MaskedArray) for value in (values, *items)):
        raise BenchError(f"{where} is masked, and its mask would be lost: give what filled() returns, or other rows")


def check_vectors(vectors: np.ndarray, where: str, metric: str, rows: np.ndarray | None = None) -> np.ndarray:
    """(n, d) vectors as read-only C-contiguous float32, or a BenchError naming `where` and the first bad row.

    rows: the number of each, if it is not its place.
    """
    check_kind(vectors.shape, vectors.dtype, where)
    with np.errstate(over="ignore"):
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    step = rows_at_a_time(vectors.shape[1])
    largest = 0.0
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        squares = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        if bad := _bad(block, squares, metric):
            place, why = start + bad[0], bad[1]
            number = place if rows is None else rows[place]
            raise BenchError(f"{where} {why.format(row=f'row {number}')}")
        largest = max(largest, float(squares.max()))
    if 0 < largest < _LEAST:
        raise BenchError(f"{where} is so small that squares vanish in float32: scale the vectors")
    return read_only(vectors)


def _bad(block: np.ndarray, squares: np.ndarray, metric: str) -> tuple[int, str] | None:
    """The first row that cannot be searched by its distance, and what is wrong with it; None if all can."""
    bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
    if len(bad):
        return int(bad[0]), "has NaN or infinity (as float32) in {row}: repair or remove it"
    odd = np.flatnonzero((squares > _MOST) | ((squares < _LEAST) & (metric == "cosine")))
    if len(odd):
        length = f"{squares[odd[0]] ** 0.5:.1e}"
        return int(odd[0]), f"has length {length} in {{row}}, whose square float32 cannot hold: scale the vectors"
    return None


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a view of `array` that cannot be written through; `array` itself if it cannot be written."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def rows_at_a_time(d: int) -> int:
    """Return how many rows of `d` values are read at a time."""
    return max(1, BLOCK_VALUES // d)


def few(rows: int, d: int) -> bool:
    """Return whether `rows` rows of `d` values may be in memory, rather than on disk."""
    return rows * d <= BLOCK_VALUES


def cached_rows(
    kind: str, key: Mapping[str, Any], shape: tuple[int, int], blocks: Iterable[np.ndarray], what: str
) -> np.ndarray:
    """(n, d) float32 rows that come in blocks, written to the cache and memory-mapped.

    kind, key: as `cache.entry` has them. what: the rows, for the BenchError if there is no room for them.
    """

    def make() -> dict[str, cache.Blocks]:
        cache.check_space(cache.root(), 4 * shape[0] * shape[1], what)
        return {"vectors": cache.Blocks(shape, np.dtype(np.float32), blocks)}

    return cache.entry(kind, key, make).arrays["vectors"]
