"""fvecs, bvecs and ivecs, as of the TEXMEX corpus (SIFT, GIST): every row its dimension in 32 bits, then its values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.stored import Stored, spans
from bench.errors import BenchError

TYPES: dict[str, np.dtype[Any]] = {".fvecs": np.dtype("<f4"), ".bvecs": np.dtype("u1"), ".ivecs": np.dtype("<i4")}


def texmex(path: Path) -> dict[str, Stored]:
    """The rows of a file in one of TYPES, or a BenchError that names the row where it breaks off or changes."""
    dtype, size = TYPES[path.suffix.lower()], path.stat().st_size
    d = int(np.fromfile(path, "<i4", 1)[0]) if size >= 4 else 0
    if d < 1:
        raise BenchError(f"{path} starts with a row of dimension {d}: is it {path.suffix[1:]}? Get it again")
    step = 4 + d * dtype.itemsize
    n = size // step
    rows = np.memmap(path, np.uint8, "r", shape=(n, step)) if n else np.empty((0, step), np.uint8)
    for span in spans(rows):
        stated = np.ascontiguousarray(rows[span, :4]).view("<i4")[:, 0]
        other = np.flatnonzero(stated != d)
        if len(other):
            raise BenchError(
                f"{path} has dimension {stated[other[0]]} in row {span.start + other[0]}, {d} before: "
                "rows must be alike; get it again"
            )
    if n * step != size:
        raise BenchError(
            f"{path} is truncated in row {n}: a row of dimension {d} takes {step} bytes, "
            f"{size - n * step} are left; get it again"
        )

    def blocks() -> Iterator[np.ndarray]:
        for span in spans(rows):
            yield np.ascontiguousarray(rows[span, 4:]).view(dtype)

    return {"": Stored(path, "", (n, d), dtype, blocks)}
