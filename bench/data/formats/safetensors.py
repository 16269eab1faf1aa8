"""Safetensors: the length of a header, the header (JSON: type, shape and place of each tensor), then all values.

Read here and not by its library, which copies what can be mapped, and has no bfloat16 without PyTorch.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.data.formats.array import FileArray, damaged, from_memory_map, spans

_BFLOAT16 = "BF16"
_TYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"},
    **{"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", _BFLOAT16: "<u2"},
}
_MOST = 100_000_000  # bytes of a header, as the format allows


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read_safetensors(path: Path) -> tuple[dict[str, FileArray], list[str]]:
    """The tensors of a file by name, mapped, and the names of those of types that numpy lacks."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= min(_MOST, size - 8):
            raise damaged(path)
        header = stream.read(length)
    try:
        parts = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        parts.pop("__metadata__", None)
        tensors = {name: msgspec.json.decode(part, type=_Tensor) for name, part in parts.items()}
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise damaged(path) from None
    known = {name: tensor for name, tensor in tensors.items() if tensor.dtype in _TYPES}
    arrays = {name: _array(path, name, tensor, 8 + length, size) for name, tensor in known.items()}
    return arrays, [name for name in tensors if name not in known]


def _array(path: Path, name: str, tensor: _Tensor, values: int, size: int) -> FileArray:
    dtype, shape = np.dtype(_TYPES[tensor.dtype]), tuple(tensor.shape)
    start, end = tensor.data_offsets
    if min((0, *shape)) < 0 or start < 0 or end - start != math.prod(shape) * dtype.itemsize or values + end > size:
        raise damaged(path)
    if 0 in shape:
        return from_memory_map(path, np.empty(shape, dtype), name)
    array = np.memmap(path, dtype, "r", values + start, shape)
    if tensor.dtype != _BFLOAT16:
        return from_memory_map(path, array, name)

    def take(rows: Any) -> np.ndarray:
        return np.asarray((array[rows].astype(np.uint32) << 16).view(np.float32))  # the upper half of a float32

    def blocks() -> Iterator[np.ndarray]:
        return map(take, spans(array))

    return FileArray(path, name, shape, np.dtype(np.float32), blocks, take=take)
