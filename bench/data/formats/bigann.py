"""fbin, u8bin, i8bin and ibin, as of the big-ann benchmarks: rows and dimension in 32 bits each, then all values.

An ibin file that holds as many values again is ground truth: all ids, then all distances (float32).
"""

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.formats.array import FileArray, mapped
from bench.errors import BenchError

TYPES: dict[str, np.dtype[Any]] = {
    ".fbin": np.dtype("<f4"),
    ".u8bin": np.dtype("u1"),
    ".i8bin": np.dtype("i1"),
    ".ibin": np.dtype("<i4"),
}
_HEADER = 8


def read_bigann(path: Path) -> dict[str, FileArray]:
    """The rows of a file in one of TYPES, as the one array; ids of ground truth, as neighbours."""
    dtype, size = TYPES[path.suffix.lower()], path.stat().st_size
    if size < _HEADER:
        raise BenchError(f"{path} is truncated: its header takes {_HEADER} bytes, it holds {size}; get it again")
    n, d = (int(number) for number in np.fromfile(path, "<u4", 2))
    promised = _HEADER + n * d * dtype.itemsize
    truth = path.suffix.lower() == ".ibin" and size == promised + n * d * 4
    if size != promised and not truth:
        raise BenchError(
            f"{path} states {n:,} rows of dimension {d:,}, which take {promised:,} bytes, but it holds {size:,}: "
            f"{'truncated, or ' if size < promised else ''}not {path.suffix[1:]}? Get it again"
        )
    if n * d == 0:
        return {"": mapped(path, np.empty((n, d), dtype))}
    return {"neighbors" if truth else "": mapped(path, np.memmap(path, dtype, "r", _HEADER, (n, d)))}
