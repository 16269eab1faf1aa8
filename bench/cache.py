"""Arrays that are costly to make, kept on disk under a hash of everything they depend on.

An entry is a folder of .npy files and an entry.json with their digests. It is written under another
name and moved into place whole, so that a reader never sees half of one. Arrays come back read-only
and memory-mapped.
"""

import hashlib
import json
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
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


def check_space(folder: Path, needed: int, what: str) -> None:
    """BenchError where `folder`, or the nearest folder above that exists, has fewer than `needed` bytes free."""
    from rich.filesize import decimal

    folder = folder.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise BenchError(
            f"{what} needs {decimal(needed)}, {existing} has {decimal(free)} free: make room, "
            "or set BENCH_CACHE elsewhere"
        )


class Blocks(NamedTuple):
    """An array to keep that comes as blocks of its rows, in order, so that it need not fit into memory."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Iterable[np.ndarray]


class Entry:
    """The arrays of one entry by name, with the digest of each."""

    def __init__(self, arrays: dict[str, np.ndarray], digests: dict[str, str]) -> None:
        self.arrays = arrays
        self.digests = digests


def entry(kind: str, key: Mapping[str, Any], make: Callable[[], Mapping[str, np.ndarray | Blocks]]) -> Entry:
    """The arrays that `key` names: from disk if they are there and whole, else made and kept.

    kind: a folder for entries of one sort. key: plain values that name everything the arrays depend
    on. A damaged entry is told in a warning and made again.
    """
    folder = root() / kind / digests.key_digest(key)[:32]
    if folder.is_dir():
        found = _read(folder)
        if found is not None:
            return found
        warnings.warn(f"{folder} is damaged; making it again", BenchWarning, stacklevel=2)
        shutil.rmtree(folder, ignore_errors=True)
    _write(folder, key, make())
    written = _read(folder)
    if written is None:
        raise BenchError(f"{folder}: what was written does not read back: is the disk full?")
    return written


def _write(folder: Path, key: Mapping[str, Any], arrays: Mapping[str, np.ndarray | Blocks]) -> None:
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
        (building / "entry.json").write_text(json.dumps({"key": dict(key), "files": files}, indent=1))
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
    """The entry in `folder`, or None where anything of it is missing or changed."""
    try:
        files = json.loads((folder / "entry.json").read_text())["files"]
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
        return Entry(arrays, {name: recorded["sha256"] for name, recorded in files.items()})
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None


def _stamp(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
