"""numpy's own files, .npy and .npz, never unpickled."""

import io
import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.data.formats.array import FileArray, damaged, from_memory_map, spans
from bench.errors import BenchError, no_file
from bench.outputs import Kind

_SPARSE = {"format", "shape", "data"}  # among others, as scipy.sparse.save_npz writes
# 3.0 differs from 2.0 in how it spells the names of fields, which arrays of numbers do not have.
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}
# What numpy, zipfile and zlib raise where a file makes no sense; numpy reads a header as Python's own text.
_NONSENSE = (
    *(OSError, EOFError, ValueError, OverflowError, KeyError, TypeError, RecursionError),
    *(SyntaxError, tokenize.TokenError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError),
)


def open_npy(path: Path) -> np.ndarray:
    """The array in a .npy file, memory-mapped and read-only."""
    if not os.path.isfile(path):
        raise no_file(path, "give the path of a .npy file written with numpy.save")
    with path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise BenchError(f"{path} is not a .npy file: write it with numpy.save")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NONSENSE as error:
        if "Python objects" in str(error):
            raise _objects(str(path)) from None
        raise damaged(path, "write it again with numpy.save") from None
    return np.asarray(array)


def _are_estimates(path: Path) -> bool:
    """Return whether a file is a .npy file, whatever its name, of one dimension and floats."""
    try:
        array = open_npy(path)
    except BenchError:
        return False
    return array.ndim == 1 and array.dtype.kind == "f"


def npy(array: np.ndarray) -> bytes:
    """The content of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


ESTIMATES = Kind("file of one number per row", _are_estimates)


def read_npy(path: Path) -> dict[str, FileArray]:
    """The one array of a .npy file."""
    array = open_npy(path)
    if isinstance(array.base, np.memmap) and array.size:
        more = path.stat().st_size - array.base.offset - array.nbytes
        if more:
            raise BenchError(f"{path} holds {more:,} bytes more than its header states: write it again with numpy.save")
    return {"": from_memory_map(path, array)}


def read_npz(path: Path) -> dict[str, FileArray]:
    """The arrays of a .npz file by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _NONSENSE:
        raise BenchError(f"{path} is not a whole .npz file: write it with numpy.savez") from None
    if any(member.flag_bits & 1 for member in members):
        raise BenchError(f"{path} is encrypted: unpack it, and write it without a password, with numpy.savez")
    names = [member.filename.removesuffix(".npy") for member in members if member.filename.endswith(".npy")]
    if set(names) >= _SPARSE:
        raise BenchError(f"{path} holds a sparse matrix, which HNSW does not index: give dense vectors")
    return {name: _member(path, name) for name in names}


def _member(path: Path, name: str) -> FileArray:
    with _open_member(path, name) as stream:
        shape, fortran, dtype = _header(stream)

    def blocks() -> Iterator[np.ndarray]:
        if dtype.hasobject:
            raise _objects(f"{path}: {name}")
        with _open_member(path, name) as stream:
            _header(stream)
            if fortran:  # its rows lie all over the file
                yield _next(stream, shape[::-1], dtype).T
                return
            for rows in spans(np.broadcast_to(np.empty((), dtype), shape)):
                yield _next(stream, (min(rows.stop, shape[0]) - rows.start, *shape[1:]), dtype)

    return FileArray(path, name, shape, dtype, blocks)


@contextmanager
def _open_member(path: Path, name: str) -> Iterator[IO[bytes]]:
    """A member of a .npz file, opened. Raises BenchError if it is damaged, even if only reading it shows that."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            yield stream
    except _NONSENSE:
        raise damaged(path, "write it again with numpy.savez") from None


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return shape, fortran, dtype


def _next(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    return np.frombuffer(stream.read(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)


def _objects(where: str) -> BenchError:
    return BenchError(
        f"{where} holds Python objects, which are never unpickled: "
        "save an array of numbers (or of fixed-width strings, for labels)"
    )


def write_rows(stream: IO[bytes], base: np.ndarray, rows: np.ndarray) -> None:
    """Write these rows (m,) of `base` (n, d) as a .npy file, a block at a time: it may be larger than memory."""
    header = {"descr": base.dtype.str, "fortran_order": False, "shape": (len(rows), base.shape[1])}
    np.lib.format.write_array_header_1_0(stream, header)
    for part in spans(base):
        stream.write(base[rows[part]].data)


def reordered(base: np.ndarray) -> Kind:
    """Rows of `base` (n, d) in a .npy file, as `write_rows` leaves them; other vectors are not of this kind."""

    def holds(path: Path) -> bool:
        rows = open_npy(path)
        if rows.dtype != base.dtype or rows.shape[1:] != base.shape[1:] or not 0 < len(rows) <= len(base):
            return False
        return all(any((base[part] == row).all(axis=1).any() for part in spans(base)) for row in (rows[0], rows[-1]))

    return Kind("file of these vectors", holds)
