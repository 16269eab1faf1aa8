"""numpy's own files, .npy and .npz, never unpickled."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.data.stored import Stored, damaged, mapped, spans
from bench.errors import BenchError

_SPARSE = {"indices", "indptr", "shape", "data"}  # as scipy.sparse.save_npz writes


def read_npy(path: Path) -> np.ndarray:
    """The array in a .npy file, memory-mapped and read-only."""
    if not path.is_file():
        raise BenchError(f"{path} is not there: give the path of a .npy file written with numpy.save")
    with path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise BenchError(f"{path} is not a .npy file: write it with numpy.save")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if "Python objects" in str(error):
            raise _objects(str(path)) from None
        raise damaged(path, "write it again with numpy.save") from None
    return np.asarray(array)


def npy(path: Path) -> dict[str, Stored]:
    """The one array of a .npy file."""
    array = read_npy(path)
    if isinstance(array.base, np.memmap) and array.size:
        more = path.stat().st_size - array.base.offset - array.nbytes
        if more:
            raise BenchError(f"{path} holds {more:,} bytes more than its header states: write it again with numpy.save")
    return {"": mapped(path, array)}


def npz(path: Path) -> dict[str, Stored]:
    """The arrays of a .npz file by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (zipfile.BadZipFile, OSError):
        raise BenchError(f"{path} is not a whole .npz file: write it with numpy.savez") from None
    if set(names) >= _SPARSE:
        raise BenchError(f"{path} holds a sparse matrix, which HNSW does not index: give dense vectors")
    return {name: _member(path, name) for name in names}


def _member(path: Path, name: str) -> Stored:
    with zipfile.ZipFile(path) as archive, _opened(archive, path, name) as stream:
        shape, fortran, dtype = _header(stream, path, name)

    def blocks() -> Iterator[np.ndarray]:
        with zipfile.ZipFile(path) as archive, _opened(archive, path, name) as stream:
            _header(stream, path, name)
            if fortran:  # its rows lie all over the file
                yield _next(stream, path, shape[::-1], dtype).T
                return
            for rows in spans(np.broadcast_to(np.empty((), dtype), shape)):
                yield _next(stream, path, (min(rows.stop, shape[0]) - rows.start, *shape[1:]), dtype)

    return Stored(path, name, shape, dtype, blocks)


def _opened(archive: zipfile.ZipFile, path: Path, name: str) -> IO[bytes]:
    try:
        return archive.open(f"{name}.npy")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):  # damaged, encrypted, or packed in a new way
        raise damaged(path, "write it again with numpy.savez") from None


def _header(stream: IO[bytes], path: Path, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise damaged(path, "write it again with numpy.savez") from None
    if dtype.hasobject:
        raise _objects(f"{path}: {name}")
    return shape, fortran, dtype


def _next(stream: IO[bytes], path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    wanted = int(np.prod(shape)) * dtype.itemsize
    try:
        content = stream.read(wanted)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise damaged(path, "write it again with numpy.savez") from None
    if len(content) < wanted:
        raise damaged(path, "write it again with numpy.savez")
    return np.frombuffer(content, dtype).reshape(shape)


def _objects(told: str) -> BenchError:
    return BenchError(
        f"{told} holds Python objects, which are never unpickled: "
        "save an array of numbers (or of fixed-width strings, for labels)"
    )
