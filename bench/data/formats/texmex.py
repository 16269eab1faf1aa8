"""fvecs, bvecs and ivecs, as of the TEXMEX corpus (SIFT, GIST): every row its dimension in 32 bits, then its values."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.formats.array import FileArray, spans
from bench.data.formats.suffixes import kind
from bench.errors import BenchError

TYPES: dict[str, np.dtype[Any]] = {".fvecs": np.dtype("<f4"), ".bvecs": np.dtype("u1"), ".ivecs": np.dtype("<i4")}


def read_texmex(path: Path) -> dict[str, FileArray]:
    """Return the rows of a file in one of TYPES. Raises BenchError if the file is truncated.

    That rows have one dimension is checked when they are read; a BenchError then names the row where it changes.
    """
    dtype, size = TYPES[kind(path)], path.stat().st_size
    d = int(np.fromfile(path, "<i4", 1)[0]) if size >= 4 else 0
    if d < 1:
        raise BenchError(f"{path} starts with a row of dimension {d}: is it {kind(path)[1:]}? Get it again")
    step = 4 + d * dtype.itemsize
    n = size // step
    truncation = BenchError(
        f"{path} is truncated in row {n}: a row of dimension {d} takes {step} bytes, "
        f"{size - n * step} are left; get it again"
    )
    if n == 0:
        raise truncation
    file = np.memmap(path, [("d", "<i4"), ("values", dtype, (d,))], "r", shape=(n,))

    def take(rows: slice | np.ndarray) -> np.ndarray:
        part = file[rows]
        if len(other := np.flatnonzero(part["d"] != d)):
            row = np.arange(n)[rows][other[0]]
            raise BenchError(
                f"{path} has dimension {part['d'][other[0]]} in row {row}, {d} before: rows must be alike; get it again"
            )
        return part["values"]

    if n * step != size:
        for rows in spans(file):  # one of another dimension is the likelier reason
            take(rows)
        raise truncation
    return {"": FileArray(path, "", (n, d), dtype, lambda: map(take, spans(file)), take=take)}
