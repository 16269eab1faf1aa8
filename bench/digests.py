"""SHA-256 of arrays, files, plain values and code: what things are identified by."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_BLOCK_BYTES = 1 << 26  # looked at at a time, of an array that may be larger than memory


def array_digest(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and C-ordered content, as hexadecimal."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    for block in blocks(array):
        digest.update(content(block))
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, as hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key_digest(key: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping of plain values, whatever the order of its keys, as hexadecimal."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def code_digest(*places: Path) -> str:
    """SHA-256 of the Python files at these places, a folder for all in it: what other code made is not taken."""
    digest = hashlib.sha256()
    for place in places:
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """The array in blocks of its rows, whole where it has none."""
    if array.ndim == 0 or array.size == 0:
        yield array
        return
    step = max(1, _BLOCK_BYTES * len(array) // array.nbytes)
    for start in range(0, len(array), step):
        yield array[start : start + step]


def content(array: np.ndarray) -> memoryview | bytes:
    """The array's content in C order."""
    return np.ascontiguousarray(array).view(np.uint8).data.cast("B") if array.size else b""
