"""HDF5 in the layout of ann-benchmarks and VIBE: train, test, neighbors, and the attribute `distance`.

VIBE's sets of queries from elsewhere also have `learn`, more queries of that kind to learn from, and `learn_neighbors`:
searched with where FILE#learn is named as queries, else left alone. `distances` are left alone: ours are computed.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.formats.array import FileArray, damaged, from_memory_map, spans, stacked
from bench.errors import BenchError

if TYPE_CHECKING:
    import h5py

# ann_benchmarks/distance.py, vibe/distance.py, and the names that other tools write, without blanks, _ and -; VIBE's
# `normalized` is the cosine of rows that already have unit length.
METRICS = {
    "euclidean": "l2",
    "l2": "l2",
    "sqeuclidean": "l2",
    "angular": "cosine",
    "cosine": "cosine",
    "cos": "cosine",
    "normalized": "cosine",
    "ip": "ip",
    "dot": "ip",
    "dotproduct": "ip",
    "innerproduct": "ip",
    "mips": "ip",
}
_UNSUPPORTED = ("hamming", "jaccard", "chamfer")


def read_hdf5(path: Path) -> tuple[dict[str, FileArray], str | None]:
    """The arrays of an HDF5 file by name, and the metric that it states, or None; one not in METRICS as it is spelled.

    Links at the top of the file are followed, into other files too.
    """
    with _open(path) as file:
        attributes = {name: _text(file.attrs.get(name)) for name in ("distance", "point_type", "type")}
        arrays = _arrays(file)
        sparse = attributes["type"] == "sparse" or "size_train" in arrays
        if sparse or attributes["distance"] in _UNSUPPORTED or attributes["point_type"] in ("bit", "binary"):
            kind = "sparse sets" if sparse else "bits" if attributes["point_type"] in ("bit", "binary") else "vectors"
            distance = f" under {attributes['distance']}" if attributes["distance"] else ""
            raise BenchError(
                f"{path} holds {kind}{distance}, which is not supported: give dense vectors under l2, cosine or ip"
            )
        spelling = attributes["distance"]
        metric = METRICS.get(re.sub(r"[\s_-]", "", spelling), spelling) if spelling else None
        return {name: _file_array(path, file, name, array) for name, array in arrays.items()}, metric


def _arrays(file: "h5py.File") -> "dict[str, h5py.Dataset]":
    nodes: dict[str, h5py.Dataset] = {}
    file.visititems(lambda name, node: nodes.update({name: node}))
    for name in file:  # `visititems` passes over links
        with suppress(KeyError, OSError, RuntimeError):  # of links that lead nowhere, or in circles
            nodes.setdefault(name, file[name])
    return {name: node for name, node in nodes.items() if getattr(node, "shape", None) and _is_known(node)}


def _is_known(array: "h5py.Dataset") -> bool:
    """Return whether numpy has a type for what an array holds, as it has not for times, or for very wide floats."""
    try:
        return array.dtype is not None
    except (TypeError, ValueError):
        return False


def _file_array(path: Path, file: "h5py.File", name: str, array: "h5py.Dataset") -> FileArray:
    import h5py

    if array.file.filename != file.filename:  # a link: what is read, mapped and hashed is the file that it leads to
        path, name = Path(array.file.filename), array.name.removeprefix("/")
    chunk = array.chunks[0] if array.chunks else 1
    if (values := _list_type(array)) is not None:
        d = len(array[0])
        return FileArray(path, name, (len(array), d), values, lambda: _lists(path, name, chunk, d))
    is_text = h5py.check_string_dtype(array.dtype) is not None

    def blocks() -> Iterator[np.ndarray]:
        with _open(path) as file:
            for rows in spans(file[name], chunk):
                block = file[name][rows]
                # h5py gives text of any length as bytes objects, which are no array's type.
                yield block.astype(bytes) if is_text else block

    if (memory_map := _memory_map(path, array)) is not None:
        return from_memory_map(path, memory_map, name)
    return FileArray(path, name, array.shape, array.dtype, blocks)


def _list_type(array: "h5py.Dataset") -> np.dtype[Any] | None:
    """The type of the numbers in the lists of any length that an array consists of; None if it does not."""
    import h5py

    values = h5py.check_vlen_dtype(array.dtype)
    is_numbers = isinstance(values, np.dtype) and values.kind in "fiub"
    return values if is_numbers and array.ndim == 1 and len(array) else None


def _lists(path: Path, name: str, chunk: int, d: int) -> Iterator[np.ndarray]:
    """The rows of an array of lists, some at a time; raises BenchError if one has another length than d."""
    with _open(path) as file:
        for rows in spans(np.broadcast_to(np.float64(0), (len(file[name]), d)), chunk):
            yield stacked(file[name][rows], f"{path}: {name}", rows.start, d)


def _memory_map(path: Path, array: "h5py.Dataset") -> np.ndarray | None:
    """Return the array as a memory map, if the file has it in one piece and in numpy's layout."""
    import h5py

    offset = array.id.get_offset()
    if offset is None or array.external or array.is_virtual or array.dtype.kind not in "fiu" or not array.size:
        return None
    # The type in numpy is the one that h5py converts to: of bfloat16, float32.
    if not array.id.get_type().equal(h5py.h5t.py_create(array.dtype)):
        return None
    if offset + array.size * array.dtype.itemsize > path.stat().st_size:
        raise damaged(path)
    return np.memmap(path, array.dtype, "r", offset, array.shape)


@contextmanager
def _open(path: Path) -> "Iterator[h5py.File]":
    import h5py

    if not h5py.is_hdf5(path):
        raise BenchError(f"{path} is not an HDF5 file, or damaged at its start: get or write it again")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError):
        raise damaged(path) from None


def _text(value: Any) -> str | None:
    """An attribute's text in small letters, or None; h5py gives str or bytes by how it was written."""
    import h5py

    if value is None or isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \t\n\0").lower() or None
