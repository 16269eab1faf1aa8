"""Arrays that are costly to make, kept on disk under a hash of everything they depend on.

An entry is a folder of .npy files and an entry.json with their digests. It is written under another
name and moved into place whole, so that a reader never sees half of one. Arrays come back read-only
and memory-mapped.
"""

import hashlib
import json
import math
import mmap
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from bench import digests
from bench.errors import BenchError, BenchWarning

CHECKOUT = Path(__file__).parent.parent
# Beside an installed package, a folder of that name would be somebody else's.
CATALOGUE_IN_CHECKOUT = CHECKOUT / "datasets" if (CHECKOUT / "pyproject.toml").is_file() else None


def root() -> Path:
    """The cache's folder: `BENCH_CACHE`, else `datasets/cache` of a checkout, else the user's cache folder."""
    if named := os.environ.get("BENCH_CACHE"):
        return Path(named)
    if CATALOGUE_IN_CHECKOUT:
        return CATALOGUE_IN_CHECKOUT / "cache"
    from platformdirs import user_cache_path

    return user_cache_path("hnsw-order-bench")


def check_space(folder: Path, needed: int, what: str, way_out: str = "set BENCH_CACHE elsewhere") -> None:
    """Raises BenchError if `folder`, or the nearest folder above that exists, has fewer than `needed` bytes free.

    way_out: what the user can do other than make room.
    """
    from rich.filesize import decimal

    folder = folder.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise BenchError(
            f"{what} needs {decimal(needed)}, {existing} has {decimal(free)} free: make room, or {way_out}"
        )


class Blocks(NamedTuple):
    """An array to keep that comes as blocks of its rows, in order, so that it need not fit into memory."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Iterable[np.ndarray]


class Entry(NamedTuple):
    """The cached content of one key.

    arrays: by name, read-only and memory-mapped.
    digests: of each.
    seconds: to make it, with the entries that it was made from, whether or not the cache had those.
    """

    arrays: dict[str, np.ndarray]
    digests: dict[str, str]
    seconds: float


class ArrayFile(NamedTuple):
    """The file that holds an array: sent to another process instead of the array."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def open(self) -> np.ndarray:
        """The array, read-only and memory-mapped."""
        return np.memmap(self.path, np.dtype(self.dtype), "r", self.offset, self.shape)


# Of every entry that is being made, the entries that it was made from so far: seconds spent waiting for them, and
# seconds to make them
_MAKING: list[dict[str, tuple[float, float]]] = []


def entry(kind: str, key: Mapping[str, Any], make: Callable[[], Mapping[str, np.ndarray | Blocks]]) -> Entry:
    """The arrays that `key` names: from disk if they are there and whole, else made and written.

    kind: a folder for entries of one sort. key: plain values that name everything the arrays depend
    on. A damaged entry is made again, with a warning.
    """
    folder = root() / kind / digests.key_digest(key)[:32]
    start = time.perf_counter()
    cached = _read(folder) if folder.is_dir() else None
    if cached is None:
        with alone(folder):
            cached = _made(folder, key, make)
    if _MAKING:
        waited, _ = _MAKING[-1].get(str(folder), (0.0, 0.0))
        _MAKING[-1][str(folder)] = (waited + time.perf_counter() - start, cached.seconds)
    return cached


def _made(folder: Path, key: Mapping[str, Any], make: Callable[[], Mapping[str, np.ndarray | Blocks]]) -> Entry:
    """The entry in `folder`, made now unless another process was quicker."""
    if folder.is_dir():
        if cached := _read(folder):
            return cached
        warnings.warn(f"{folder} is damaged; making it again", BenchWarning, stacklevel=3)
        shutil.rmtree(folder, ignore_errors=True)
    _write(folder, key, *_measured(make))
    written = _read(folder)
    if written is None:
        raise BenchError(f"{folder}: what was written does not read back: is the disk full?")
    return written


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from making the same entry: they wait, and read it then."""
    from filelock import FileLock

    lock = folder.with_name(f".{folder.name}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire()
    except OSError as error:
        raise BenchError(f"cannot write the cache {lock.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # who waits for it may make the entry once more, which harms nothing
        held.release()


def _measured(
    make: Callable[[], Mapping[str, np.ndarray | Blocks]],
) -> tuple[Mapping[str, np.ndarray | Blocks], float]:
    """Return what `make` gives, and the seconds that it took with the entries that it used."""
    _MAKING.append({})
    try:
        start = time.perf_counter()
        arrays = make()
        seconds = time.perf_counter() - start
    finally:
        used = _MAKING.pop().values()
    return arrays, seconds + sum(made - waited for waited, made in used)


def on_disk(array: np.ndarray) -> ArrayFile:
    """Return the file of a C-contiguous array: its own if it is memory-mapped, otherwise that of an entry for it."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and not isinstance(owner.base, mmap.mmap):
        owner = owner.base
    if not isinstance(owner, np.memmap) or not array.flags.c_contiguous:
        held = entry("arrays", {"sha256": digests.array_digest(array)}, lambda: {"array": array})
        return on_disk(held.arrays["array"])
    start = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return ArrayFile(str(owner.filename), array.dtype.str, array.shape, owner.offset + start)


def _write(folder: Path, key: Mapping[str, Any], arrays: Mapping[str, np.ndarray | Blocks], seconds: float) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
        building.chmod(0o755)  # a cache may be shared
    except OSError as error:
        raise BenchError(
            f"cannot write the cache {folder.parent}: {error.strerror}; set BENCH_CACHE elsewhere"
        ) from None
    try:
        files = {}
        for name, array in arrays.items():
            path = building / f"{name}.npy"
            whole = array if isinstance(array, Blocks) else Blocks(array.shape, array.dtype, digests.blocks(array))
            with path.open("wb") as stream:
                digest = _save(stream, whole)
            files[name] = {"sha256": digest, **_stamp(path)}
        (building / "entry.json").write_text(
            json.dumps({"key": dict(key), "seconds": seconds, "files": files}, indent=1)
        )
        # Another process may have been first: its entry has the same content, so either will do.
        if not folder.exists():
            building.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise BenchError(f"cannot write the cache {folder}: {error.strerror}; set BENCH_CACHE elsewhere") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _save(stream: BinaryIO, array: Blocks) -> str:
    """Write an array as a .npy file; its digest, as `array_digest` has it."""
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    written = 0
    for block in array.blocks:
        content = digests.content(block.astype(array.dtype, copy=False))
        digest.update(content)
        written += stream.write(content)
    if written != math.prod(array.shape) * array.dtype.itemsize:
        raise ValueError(f"blocks hold {written} bytes, which do not make an array of shape {array.shape}")
    return digest.hexdigest()


def _read(folder: Path) -> Entry | None:
    """The entry in `folder`, or None if anything of it is missing or changed."""
    try:
        stated = json.loads((folder / "entry.json").read_text())
        files, seconds = stated["files"], float(stated["seconds"])
        arrays = {}
        for name, recorded in files.items():
            path = folder / f"{name}.npy"
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
            # A file whose size and time are as written is taken as written; any other is hashed.
            stamp = {"bytes": recorded["bytes"], "mtime_ns": recorded["mtime_ns"]}
            if _stamp(path) != stamp and digests.array_digest(arrays[name]) != recorded["sha256"]:
                return None
        if not arrays:
            return None
        return Entry(arrays, {name: recorded["sha256"] for name, recorded in files.items()}, seconds)
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None


def _stamp(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
