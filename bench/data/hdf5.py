"""HDF5 in the layout of ann-benchmarks and VIBE: train, test, neighbors, and the attribute `distance`.

VIBE's sets of queries from elsewhere also have `learn`, more queries of that kind to learn from, and `learn_neighbors`:
searched with where FILE#learn is named as queries, else left alone. `distances` are left alone: ours are computed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.stored import Stored, damaged, spans
from bench.errors import BenchError, unknown

if TYPE_CHECKING:
    import h5py

# ann_benchmarks/distance.py, vibe/distance.py, and the names that other tools write; VIBE's `normalized` is
# the cosine of rows that already have unit length.
METRICS = {
    "euclidean": "l2",
    "l2": "l2",
    "angular": "cosine",
    "cosine": "cosine",
    "normalized": "cosine",
    "ip": "ip",
    "dot": "ip",
}
_UNSUPPORTED = ("hamming", "jaccard", "chamfer")


def hdf5(path: Path) -> tuple[dict[str, Stored], str | None]:
    """The arrays of an HDF5 file by name, and the metric that it states, or None."""
    with _opened(path) as file:
        import h5py

        about = {name: _text(file.attrs.get(name)) for name in ("distance", "point_type", "type")}
        arrays: dict[str, h5py.Dataset] = {}
        file.visititems(lambda name, node: arrays.update({name: node} if getattr(node, "shape", None) else {}))
        sparse = about["type"] == "sparse" or "size_train" in arrays
        if sparse or about["distance"] in _UNSUPPORTED or about["point_type"] in ("bit", "binary"):
            kind = "sparse sets" if sparse else "bits" if about["point_type"] in ("bit", "binary") else "vectors"
            distance = f" under {about['distance']}" if about["distance"] else ""
            raise BenchError(
                f"{path} holds {kind}{distance}, which is not supported: give dense vectors under l2, cosine or ip"
            )
        if about["distance"] is not None and about["distance"] not in METRICS:
            raise BenchError(f"{path}: attribute distance: {unknown('distance', about['distance'], METRICS)}")
        metric = METRICS[about["distance"]] if about["distance"] else None
        return {name: _stored(path, name, array) for name, array in arrays.items()}, metric


def _stored(path: Path, name: str, array: "h5py.Dataset") -> Stored:
    chunk = array.chunks[0] if array.chunks else 1

    def blocks() -> Iterator[np.ndarray]:
        with _opened(path) as file:
            for rows in spans(file[name], chunk):
                block = file[name][rows]
                # h5py gives text of any length as bytes objects, which are no array's type.
                yield block.astype(bytes) if block.dtype.hasobject else block

    return Stored(path, name, array.shape, array.dtype, blocks, _mapped(path, array))


def _mapped(path: Path, array: "h5py.Dataset") -> np.ndarray | None:
    """The array where it lies in the file, where it lies there in one piece."""
    offset = array.id.get_offset()
    if offset is None or array.external or array.is_virtual or array.dtype.kind not in "fiu" or not array.size:
        return None
    if offset + array.size * array.dtype.itemsize > path.stat().st_size:
        raise damaged(path)
    return np.memmap(path, array.dtype, "r", offset, array.shape)


@contextmanager
def _opened(path: Path) -> "Iterator[h5py.File]":
    import h5py

    if not h5py.is_hdf5(path):
        raise BenchError(f"{path} is not an HDF5 file, or damaged at its start: get or write it again")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError):
        raise damaged(path) from None


def _text(value: Any) -> str | None:
    """An attribute's text in small letters; h5py gives str or bytes by how it was written."""
    if value is None:
        return None
    return (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).lower()
