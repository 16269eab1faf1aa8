"""fbin, u8bin, i8bin and ibin, as of the big-ann benchmarks: rows and dimension in 32 bits each, then all values.

An ibin file that holds as many values again is ground truth: all ids, then all distances (float32).
"""

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.formats.array import FileArray, from_memory_map
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
    stated_size = _HEADER + n * d * dtype.itemsize
    is_ground_truth = path.suffix.lower() == ".ibin" and size == stated_size + n * d * 4
    if size != stated_size and not is_ground_truth:
        raise BenchError(
            f"{path} states {n:,} rows of dimension {d:,}, which take {stated_size:,} bytes, but it holds {size:,}: "
            f"{'truncated, or ' if size < stated_size else ''}not {path.suffix[1:]}? Get it again"
        )
    if n * d == 0:
        return {"": from_memory_map(path, np.empty((n, d), dtype))}
    return {"neighbors" if is_ground_truth else "": from_memory_map(path, np.memmap(path, dtype, "r", _HEADER, (n, d)))}
