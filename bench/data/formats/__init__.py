"""Files of vectors, queries, labels and neighbours: by its suffix, a file is one array or a bundle of named ones.

Nothing is ever unpickled, and nothing is read before it is needed.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data.formats.array import FileArray, from_memory, vectors
from bench.data.formats.array import check as check_array
from bench.data.formats.bigann import TYPES as BIGANN
from bench.data.formats.bigann import read_bigann
from bench.data.formats.columns import read_columns
from bench.data.formats.delimited import read_delimited
from bench.data.formats.hdf5 import read_hdf5
from bench.data.formats.json_lines import read_json_lines
from bench.data.formats.npy import read_npy, read_npz
from bench.data.formats.packed import opened as opened_text
from bench.data.formats.safetensors import read_safetensors
from bench.data.formats.shards import read_folder, warn_of_missing
from bench.data.formats.suffixes import check_readable, kind, kind_by_content
from bench.data.formats.tables import SUFFIXES as TABLES
from bench.data.formats.texmex import TYPES as TEXMEX
from bench.data.formats.texmex import read_texmex
from bench.errors import BenchError, no_file, unknown

_Arrays = dict[str, FileArray]
Place = Path | FileArray  # of an array: the file that it is in, or itself, where it is in memory


class Contents(NamedTuple):
    """The content of a file or a folder of shards.

    path: the file or the folder.
    arrays: by name, none read yet; the array of a file that can only hold one has the name "".
    metric: as the file states it, perhaps one that the harness does not know; None if it states none.
    others: the names of columns that are no vectors, and of tensors that numpy has no type for.
    """

    path: Path
    arrays: dict[str, FileArray]
    metric: str | None = None
    others: tuple[str, ...] = ()


def _arrays(read: Callable[[Path], _Arrays]) -> Callable[[Path], Contents]:
    return lambda path: Contents(path, read(path))


def _columns(read: Callable[[Path], tuple[_Arrays, list[str]]]) -> Callable[[Path], Contents]:
    def contents(path: Path) -> Contents:
        arrays, others = read(path)
        return Contents(path, arrays, others=tuple(others))

    return contents


def _table(suffix: str) -> Callable[[Path], Contents]:
    return _columns(lambda path: read_columns(path, suffix))


READERS: dict[str, Callable[[Path], Contents]] = {
    ".npy": _arrays(read_npy),
    ".npz": _arrays(read_npz),
    ".hdf5": lambda path: Contents(path, *read_hdf5(path)),
    ".h5": lambda path: Contents(path, *read_hdf5(path)),
    **dict.fromkeys(TEXMEX, _arrays(read_texmex)),
    **dict.fromkeys(BIGANN, _arrays(read_bigann)),
    **{suffix: _table(suffix) for suffix in TABLES},
    ".safetensors": _columns(read_safetensors),
    ".jsonl": _columns(read_json_lines),
    ".ndjson": _columns(read_json_lines),
    ".csv": _columns(read_delimited),
    ".tsv": _columns(read_delimited),
}
# The names that arrays have in a bundle: ours, those of ann-benchmarks, and others that are common.
NAMES = {
    "base": ("base", "train"),
    "queries": ("queries", "test", "query"),
    "neighbors": ("neighbors", "groundtruth", "ground_truth"),
    "labels": ("labels",),
    "query_groups": ("query_groups",),
}


def split(path: Path) -> tuple[Path, str]:
    """Return the file that `path` names, and the array's name after a `#`, or an empty name."""
    file, mark, name = str(path).rpartition("#")
    return (Path(file), name) if mark and not os.path.exists(path) else (path, "")


def files(places: Iterable[Place | None]) -> list[Path]:
    """The files among places of arrays."""
    return [split(place)[0] for place in places if isinstance(place, Path)]


def read(place: Place) -> Contents:
    """Return the Contents of a file or folder of shards; of FILE#NAME, or in memory, those of the one array."""
    if isinstance(place, FileArray):
        return Contents(place.path, {"": place})
    path, name = split(place)
    with _readable(path):
        contents = _folder(path) if path.is_dir() else READERS[_suffix(path)](path)
    if name and name not in contents.arrays:
        raise unknown(f"array in {path}", name, filter(None, contents.arrays))
    return Contents(path, {"": contents.arrays[name]}, contents.metric) if name else contents


def _folder(path: Path) -> Contents:
    arrays, others = read_folder(path)
    return Contents(path, arrays, others=tuple(others))


def _suffix(path: Path) -> str:
    """The key of READERS for a file; raises BenchError if there is none, or the file is empty or missing."""
    if not path.is_file():
        raise no_file(path, f"give the path of a file ({', '.join(READERS)})")
    suffix = kind(path)
    check_readable(path, suffix)
    if suffix not in READERS:
        by_content = kind_by_content(path)
        if by_content is None:
            raise BenchError(f"{path}: {unknown('suffix', suffix, READERS)}")
        suffix = by_content
    if path.stat().st_size == 0:
        raise BenchError(f"{path} is empty: get or write it again")
    path.open("rb").close()
    if suffix in TABLES:
        warn_of_missing([path])
    return suffix


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raises BenchError if the file at `path` cannot be read in this context."""
    try:
        yield
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}; allow it, or name another file") from None


def find(contents: Contents, part: str) -> FileArray | None:
    """The array of a bundle that is `part`, a key of NAMES, or None; of neighbours under several names, the first."""
    names = [name for name in NAMES[part] if name in contents.arrays]
    if len(names) > 1 and part != "neighbors":
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


def by_part(contents: Contents) -> dict[str, FileArray]:
    """The arrays of a bundle that are parts of a dataset, by key of NAMES: its base at least, or its only array."""
    found = {part: find(contents, part) for part in NAMES}
    return {part: array for part, array in found.items() if array} | {"base": get(contents, "base")}


def read_vectors(path: Path, part: str = "base") -> np.ndarray:
    """(n, d) float32 vectors that are `part` of a file, memory-mapped."""
    source = array_at(path, part)
    check_array(source)
    return vectors(source)


def array_at(place: Place, part: str) -> FileArray:
    """The array that is `part` of a file, or itself in memory; of labels, also the lines of a .txt file."""
    if isinstance(place, FileArray):
        return place
    is_text = part in ("labels", "query_groups") and kind(place) == ".txt"
    return from_memory(str(place), _lines(place)) if is_text else get(read(place), part)


def _lines(path: Path) -> np.ndarray:
    """(n,) labels: the lines of a text file, also packed by gzip."""
    try:
        with _readable(path):
            if not path.is_file():
                raise no_file(path, "give the path of a file of labels, one a line")
            with opened_text(path) as stream:
                text = stream.read().decode("utf-8-sig")
            lines = text.replace("\r\n", "\n").replace("\r", "\n")  # as `read_text` has them
            return np.array(lines.removesuffix("\n").split("\n"))
    except UnicodeDecodeError:
        raise BenchError(f"{path} is not UTF-8 text: write one label per line") from None
