"""The catalogue: datasets/*.toml, each of which defines a dataset."""

import difflib
import os
from pathlib import Path

import msgspec

from bench import cache
from bench.data import formats
from bench.data.definition import Definition, read_definition
from bench.data.fetch import FetchedFile, Progress, fetch_file, local_path, required_path
from bench.data.parts import Parts, where
from bench.data.texts import beir
from bench.errors import BenchError, no_file


def folder() -> Path:
    """The catalogue's folder: that of the checkout, else the one inside the installed package."""
    return cache.CATALOGUE_IN_CHECKOUT or Path(__file__).parent.parent / "datasets"


def names() -> list[str]:
    """The names of the catalogue's datasets."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def is_file(name: str) -> bool:
    """Return whether a name is that of a file of vectors, rather than of a dataset or a TOML file."""
    path, _ = formats.split(Path(name))
    if name in names() or path.suffix == ".toml":
        return False
    return bool(path.suffix) or os.path.exists(path)


def find(name: str, beside: Path | None = None) -> Path:
    """The TOML file of a dataset of the catalogue, or at a path from the folder `beside`."""
    path = (beside or Path()) / name if name.endswith(".toml") else folder() / f"{name}.toml"
    if not os.path.isfile(path):
        if name.endswith(".toml"):
            raise no_file(path, "give the path of a dataset's TOML file, or a name; see `bench list datasets`")
        near = [known for known in names() if name in known] or difflib.get_close_matches(name, names())
        close = f"; near it: {', '.join(near)}" if near else ""
        raise BenchError(f"unknown dataset {name!r}{close}; see `bench list datasets`")
    return path


def name_of(given: Parts) -> str:
    """Return the name in results of the dataset of the given parts."""
    if not isinstance(given.base, str):
        return given.name or where(given.base)
    return given.base if given.base in names() else formats.split(Path(given.base))[0].stem


def files(given: Parts) -> list[Path]:
    """Return the files on this machine that the dataset of the given parts is read from, its TOML file included."""
    places = [given.queries, given.labels, given.neighbors, given.query_groups]
    if not isinstance(given.base, str) or is_file(given.base):
        base = Path(given.base) if isinstance(given.base, str) else given.base
        return formats.files([base, *places])
    path = find(given.base)
    definition = read_definition(path)
    named = [file for file in msgspec.structs.astuple(definition.files) if file] if definition.files else []
    named += definition.embedding.sha256 if definition.embedding else []
    named += [f"{definition.beir.folder}/{file}" for file in beir.files(definition.beir)] if definition.beir else []
    published = [local_path(file) for file in definition.published]
    return [path, *formats.files([*(path.parent / file for file in named), *published, *places])]


def published(path: Path, definition: Definition) -> list[Path]:
    """Return the paths of the published files of a definition. Raises BenchError that says how to get a missing one."""
    name = path.stem if path.parent == folder() else str(path)
    size = definition.download_size
    return [required_path(file, f"dataset {path.stem!r}", name, size) for file in definition.published]


def fetch(name: str, progress: Progress = lambda *_: None) -> list[FetchedFile]:
    """Download what a dataset of the catalogue is made from and is not here yet; the files, all verified."""
    definition = read_definition(find(name))
    if not definition.published:
        how = "is generated when it is needed" if definition.generator else "is read from files of yours"
        raise BenchError(f"dataset {name!r} {how}: there is nothing to fetch")
    return [fetch_file(file, f"dataset {name!r}", progress) for file in definition.published]
