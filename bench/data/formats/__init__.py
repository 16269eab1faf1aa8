"""Files of vectors, queries, labels and neighbours: by its suffix, a file is one array or a bundle of named ones.

Nothing is ever unpickled, and nothing is read before it is needed.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data.formats.array import FileArray, vectors, whole
from bench.data.formats.array import check as check_array
from bench.data.formats.bigann import TYPES as BIGANN
from bench.data.formats.bigann import read_bigann
from bench.data.formats.hdf5 import read_hdf5
from bench.data.formats.npy import read_npy, read_npz
from bench.data.formats.parquet import read_parquet
from bench.data.formats.texmex import TYPES as TEXMEX
from bench.data.formats.texmex import read_texmex
from bench.errors import BenchError, no_file, unknown

_Arrays = dict[str, FileArray]
Place = Path | FileArray  # of an array: the file that it is in, or itself, where it is in memory


class Contents(NamedTuple):
    """What a file holds.

    path: the file.
    arrays: by name, none read yet; the array of a file that can only hold one has the name "".
    metric: as the file states it, perhaps none of ours; None if it states none.
    """

    path: Path
    arrays: dict[str, FileArray]
    metric: str | None = None


def _plain(read: Callable[[Path], _Arrays]) -> Callable[[Path], tuple[_Arrays, None]]:
    return lambda path: (read(path), None)


READERS: dict[str, Callable[[Path], tuple[_Arrays, str | None]]] = {
    ".npy": _plain(read_npy),
    ".npz": _plain(read_npz),
    ".hdf5": read_hdf5,
    ".h5": read_hdf5,
    **dict.fromkeys(TEXMEX, _plain(read_texmex)),
    **dict.fromkeys(BIGANN, _plain(read_bigann)),
    ".parquet": _plain(read_parquet),
}
# The names that arrays have in a bundle: ours, and those of ann-benchmarks.
NAMES = {
    "base": ("base", "train"),
    "queries": ("queries", "test"),
    "neighbors": ("neighbors",),
    "labels": ("labels",),
    "query_groups": ("query_groups",),
}


def split(path: Path) -> tuple[Path, str]:
    """The file that `path` names, and what of it behind a `#`: an array's name, or nothing."""
    file, mark, name = str(path).rpartition("#")
    return (Path(file), name) if mark and not os.path.exists(path) else (path, "")


def files(places: Iterable[Place | None]) -> list[Path]:
    """The files among places of arrays."""
    return [split(place)[0] for place in places if isinstance(place, Path)]


def read(path: Path) -> Contents:
    """What the file at `path` holds; of FILE#NAME, the array of that name alone."""
    path, name = split(path)
    suffix = path.suffix.lower()
    with _readable(path):
        if path.is_dir():
            raise BenchError(
                f"{path} is a folder: name a file in it; of a BEIR folder, the .toml that `bench embed` writes"
            )
        if not path.is_file():
            raise no_file(path, f"give the path of a file ({', '.join(READERS)})")
        if suffix not in READERS:
            raise BenchError(f"{path}: {unknown('suffix', suffix, READERS)}")
        if path.stat().st_size == 0:
            raise BenchError(f"{path} is empty: get or write it again")
        path.open("rb").close()
    arrays, metric = READERS[suffix](path)
    if name and name not in arrays:
        raise unknown(f"array in {path}", name, filter(None, arrays))
    return Contents(path, {"": arrays[name]} if name else arrays, metric)


def opened(place: Place) -> Contents:
    """As `read`, also of an array in memory, which goes by its name."""
    return Contents(place.path, {"": place}) if isinstance(place, FileArray) else read(place)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """A BenchError if the file at `path` cannot be read in this context."""
    try:
        yield
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}; allow it, or name another file") from None


def find(contents: Contents, part: str) -> FileArray | None:
    """The array of a bundle that is `part`, a key of NAMES, or None."""
    names = [name for name in NAMES[part] if name in contents.arrays]
    if len(names) > 1:
        raise BenchError(f"{contents.path} holds {' and '.join(names)}: leave one of them out")
    return contents.arrays[names[0]] if names else None


def get(contents: Contents, part: str) -> FileArray:
    """The array that is `part`, a key of NAMES, or the only one there is; a BenchError lists them."""
    chosen = find(contents, part)
    if chosen is None and len(contents.arrays) == 1:
        [(name, only)] = contents.arrays.items()
        if not any(name in names for names in NAMES.values()):  # a name of its own is not that of another part
            chosen = only
    if chosen is None:
        wanted = " or ".join(NAMES[part])
        way_out = f"; name one as {contents.path}#NAME" if any(contents.arrays) else ""
        raise BenchError(
            f"{contents.path} has no {wanted}; it holds: {', '.join(contents.arrays) or 'no arrays'}{way_out}"
        )
    return chosen


def read_vectors(path: Path, part: str = "base") -> np.ndarray:
    """(n, d) float32 vectors that are `part` of a file, memory-mapped."""
    source = get(read(path), part)
    check_array(source)
    return vectors(source)


def read_labels(path: Place, part: str = "labels") -> np.ndarray:
    """(n,) labels: the array that is `part` of a file, or the lines of a .txt file."""
    if isinstance(path, FileArray) or path.suffix.lower() != ".txt":
        return whole(get(opened(path), part))
    try:
        with _readable(path):
            if not path.is_file():
                raise no_file(path, "give the path of a file of labels, one a line")
            return np.array(path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n"))
    except UnicodeDecodeError:
        raise BenchError(f"{path} is not UTF-8 text: write one label a line") from None
