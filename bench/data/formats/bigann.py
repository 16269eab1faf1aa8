"""fbin, u8bin, i8bin and ibin of the big-ann benchmarks: rows and dimension in 32 bits each, then all values.

cuVS adds f16bin and hbin (float16), and a header of 64 bits each for more rows: whichever of both fits the file's size.
A crop (x.fbin.crop_nb_1000) has as many rows as its name states; a header that was not rewritten states all. An ibin
file that holds as many values again is ground truth: all ids, then all distances (float32).
"""

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.formats.array import FileArray, from_memory_map
from bench.data.formats.suffixes import crop, kind
from bench.errors import BenchError

TYPES: dict[str, np.dtype[Any]] = {
    ".fbin": np.dtype("<f4"),
    ".f16bin": np.dtype("<f2"),
    ".hbin": np.dtype("<f2"),
    ".u8bin": np.dtype("u1"),
    ".i8bin": np.dtype("i1"),
    ".ibin": np.dtype("<i4"),
}
_HEADERS = ("<u4", "<u8")  # of big-ann and cuVS, and of cuVS alone


def read_bigann(path: Path) -> dict[str, FileArray]:
    """The rows of a file in one of TYPES, as the one array; ids of ground truth, as neighbours."""
    suffix, size = kind(path), path.stat().st_size
    dtype = TYPES[suffix]
    if size < 8:
        raise BenchError(f"{path} is truncated: its header takes 8 bytes, it holds {size}; get it again")
    for number in _HEADERS:
        header = 2 * np.dtype(number).itemsize
        if size < header:
            continue
        n, d = (int(stated) for stated in np.fromfile(path, number, 2))
        for rows in {n, crop(path) or n}:
            values = rows * d * dtype.itemsize
            is_ground_truth = suffix == ".ibin" and size == header + 2 * values > header
            if size == header + values or is_ground_truth:
                return _array(path, dtype, header, (_checked_rows(path, rows), d), is_ground_truth)
    n, d = (int(stated) for stated in np.fromfile(path, _HEADERS[0], 2))
    wanted = 8 + (crop(path) or n) * d * dtype.itemsize
    raise BenchError(
        f"{path} states {n:,} rows of dimension {d:,}, which take {wanted:,} bytes, but it holds {size:,}: "
        f"{'truncated, or ' if size < wanted else ''}not {suffix[1:]}? Get it again"
    )


def _array(
    path: Path, dtype: np.dtype[Any], header: int, shape: tuple[int, int], is_ground_truth: bool
) -> dict[str, FileArray]:
    if 0 in shape:
        return {"": from_memory_map(path, np.empty(shape, dtype))}
    array = np.memmap(path, dtype, "r", header, shape)
    return {"neighbors" if is_ground_truth else "": from_memory_map(path, array)}


def _checked_rows(path: Path, rows: int) -> int:
    """The rows of a file; raises BenchError if the name of a crop states another number."""
    stated = crop(path)
    if stated not in (None, rows):
        raise BenchError(f"{path} holds {rows:,} rows, its name states {stated:,}: rename it, or get it again")
    return rows
