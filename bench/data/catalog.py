"""The catalogue: datasets/*.toml, each of which becomes a Dataset."""

import dataclasses
import difflib
import inspect
import itertools
import os
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import cache, digests
from bench.convert import converted
from bench.data import formats, generators, records
from bench.data.dataset import METRICS, Dataset, checked, fingerprint, warn_other_groups, warn_unverified
from bench.data.fetch import FetchedFile, Progress, Published, fetch_file, local_path, required_path
from bench.data.formats.array import from_memory
from bench.data.from_files import from_files, replaced, whole_file
from bench.data.parts import Replacement
from bench.data.spec import Spec as Spec
from bench.data.spec import read_spec as read_spec
from bench.data.texts import beir, embed
from bench.errors import BenchError, Log, no_file, unknown

NOTHING = Replacement()


def folder() -> Path:
    """The catalogue's folder: that of the checkout, else the one inside the installed package."""
    return cache.CATALOGUE_IN_CHECKOUT or Path(__file__).parent.parent / "datasets"


def names() -> list[str]:
    """The names of the catalogue's datasets."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    beside: Path | None = None,
    replacement: Replacement = NOTHING,
    log: Log = lambda line: None,
) -> Dataset:
    """The Dataset that the catalogue, or a path ending in .toml (from the folder `beside`), names.

    parameters: what to change of a generator's parameters, or the `model` of a BEIR folder; the dataset's name then
    states it. replacement: what takes the place of what the TOML file states; the dataset's name stays. Neighbours of
    other queries or of another metric are left out, with a warning. log: as `from_files` has it.
    """
    path = _find(name, beside)
    stated = read_spec(path)
    if replacement.metric not in (None, *METRICS):
        raise unknown("metric", replacement.metric, METRICS)
    spec = msgspec.structs.replace(stated, metric=replacement.metric or stated.metric)
    dataset = _load(path, spec, dict(parameters or {}), replacement, log)
    if spec.metric == stated.metric or dataset.neighbors is None or replacement.neighbors:
        return dataset
    warn_unverified(dataset.name, f"the metric {stated.metric}")
    return dataclasses.replace(dataset, neighbors=None)


def files(name: str) -> list[Path]:
    """The files on this machine that a dataset is read from, its TOML file included."""
    path = _find(name, None)
    spec = read_spec(path)
    named = [file for file in msgspec.structs.astuple(spec.files) if file] if spec.files else []
    named += spec.embedding.sha256 if spec.embedding else []
    named += [f"{spec.beir.folder}/{file}" for file in beir.files(spec.beir)] if spec.beir else []
    published = [local_path(file) for file in spec.published]
    return [path, *formats.files(path.parent / file for file in named), *formats.files(published)]


def load_whole(name: str, replacement: Replacement = NOTHING, log: Log = lambda line: None) -> Dataset:
    """As `load`, but of files all rows, and no queries held out or read: for its geometry alone."""
    path = _find(name, None)
    spec = read_spec(path)
    if spec.files is None:
        return load(name, replacement=replacement, log=log)
    _verify(path, spec)
    labels = replacement.labels or (path.parent / spec.files.labels if spec.files.labels else None)
    metric = replacement.metric or spec.metric
    return whole_file(path.parent / spec.files.base, metric, labels, name=path.stem, log=log)


def _load(path: Path, spec: Spec, parameters: dict[str, Any], replacement: Replacement, log: Log) -> Dataset:
    stem = path.stem
    _verify(path, spec)
    if spec.generator is not None:
        return replaced(_generate(stem, spec, parameters), replacement)
    if spec.beir is not None:
        model = converted(parameters, beir.Chosen, f"dataset {stem!r}").model
        return replaced(beir.load(stem, spec.metric, spec.beir, path.parent, model), replacement)
    if parameters:
        raise BenchError(f"dataset {stem!r} comes from files and takes no parameters: {', '.join(parameters)}")
    if spec.records is not None:
        return replaced(_read_records(path, spec), replacement)
    if spec.texts:
        raise BenchError(
            f"dataset {stem!r} is texts without vectors: run `bench fetch {stem}`, then `bench embed` on what it gives"
        )
    if not spec.download:
        return _read_files(path, spec, replacement, log)
    file = _local_path(path, spec, spec.download[0])
    _check_stated(path, spec, formats.read(file))
    return from_files(
        file,
        replacement.queries,
        replacement.labels,
        spec.metric,
        neighbors=replacement.neighbors,
        query_groups=replacement.query_groups,
        name=stem,
        log=log,
    )


def _verify(path: Path, spec: Spec) -> None:
    """A BenchError if texts or vectors are not those that `bench embed` recorded."""
    if spec.embedding is not None:
        embed.verify(spec.embedding, path.parent, f"dataset {path.stem!r}")


def _read_files(path: Path, spec: Spec, replacement: Replacement, log: Log) -> Dataset:
    """The Dataset of `files`: what takes their place comes in before queries would be held out of the base."""
    assert spec.files is not None
    parts = ("queries", "labels", "neighbors", "query_groups")
    stated = {part: getattr(spec.files, part) for part in parts}
    files = {part: path.parent / file for part, file in stated.items() if file}
    if replacement.queries and "neighbors" in files and not replacement.neighbors:
        warn_unverified(str(files.pop("neighbors")), "other queries")
    if replacement.queries and "query_groups" in files and not replacement.query_groups:
        warn_other_groups(str(files.pop("query_groups")))
    queries, labels, neighbors, groups = (getattr(replacement, part) or files.get(part) for part in parts)
    return from_files(
        path.parent / spec.files.base,
        queries,
        labels,
        spec.metric,
        neighbors=neighbors,
        query_groups=groups,
        name=path.stem,
        log=log,
    )


def fetch(name: str, progress: Progress = lambda *_: None) -> list[FetchedFile]:
    """Download what a dataset of the catalogue is made from and is not here yet; the files, all verified."""
    spec = read_spec(_find(name, None))
    if not spec.published:
        how = "is generated when it is needed" if spec.generator else "is read from files of yours"
        raise BenchError(f"dataset {name!r} {how}: there is nothing to fetch")
    return [fetch_file(file, f"dataset {name!r}", progress) for file in spec.published]


def sweep(parameters: Mapping[str, Any], generator_takes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of parameters given as lists, where the generator takes a single value."""
    axes = [
        [(key, item) for item in value]
        if isinstance(value, list) and not isinstance(generator_takes.get(key), list)
        else [(key, value)]
        for key, value in parameters.items()
    ]
    return (dict(combination) for combination in itertools.product(*axes))


def load_all(
    name: str, parameters: Mapping[str, Any], beside: Path | None = None, log: Log = lambda line: None
) -> list[Dataset]:
    """The Datasets of a sweep: as `load`, for every combination of the parameters given as lists."""
    if not parameters:
        return [load(name, beside=beside, log=log)]
    defaults = read_spec(_find(name, beside)).parameters
    for key, value in parameters.items():
        if value == []:
            raise BenchError(f"dataset {name!r}: {key} is an empty list: name at least one value")
    return [load(name, chosen, beside, log=log) for chosen in sweep(parameters, defaults)]


def is_file(name: str) -> bool:
    """Whether a name is that of a file of vectors, rather than of a dataset or a TOML file."""
    path, _ = formats.split(Path(name))
    if name in names() or path.suffix == ".toml":
        return False
    return bool(path.suffix) or os.path.exists(path)


def _find(name: str, beside: Path | None) -> Path:
    path = (beside or Path()) / name if name.endswith(".toml") else folder() / f"{name}.toml"
    if not os.path.isfile(path):
        if name.endswith(".toml"):
            raise no_file(path, "give the path of a dataset's TOML file, or a name; see `bench list datasets`")
        near = [known for known in names() if name in known] or difflib.get_close_matches(name, names())
        close = f"; near it: {', '.join(near)}" if near else ""
        raise BenchError(f"unknown dataset {name!r}{close}; see `bench list datasets`")
    return path


def _generate(stem: str, spec: Spec, changed: dict[str, Any]) -> Dataset:
    assert spec.generator is not None
    generate = generators.GENERATORS[spec.generator]
    takes = inspect.signature(generate).parameters
    arguments = {**spec.parameters, **changed}
    for key in arguments:
        if key not in takes:
            raise BenchError(f"dataset {stem!r}: {unknown('parameter', key, takes)}")
    arguments = {
        key: converted(value, takes[key].annotation, f"dataset {stem!r}: {key}") for key, value in arguments.items()
    }
    defaults = {key: p.default for key, p in takes.items() if p.default is not inspect.Parameter.empty}
    name = stem if not changed else f"{stem}({', '.join(f'{key}={arguments[key]}' for key in changed)})"

    def make() -> dict[str, np.ndarray]:
        try:
            base, queries, labels = generate(**arguments)
        except (TypeError, ValueError) as error:
            raise BenchError(f"dataset {name!r}: {error}") from None
        except MemoryError:
            raise BenchError(f"dataset {name!r} does not fit into memory: ask for a smaller n or d") from None
        return _arrays(checked(name, base, queries, spec.metric, labels))

    entry_key = {
        "generator": spec.generator,
        "parameters": defaults | arguments,
        "metric": spec.metric,
        "code": digests.code_digest(Path(generators.__file__)),
        "libraries": {name: metadata.version(name) for name in ("numpy", "scikit-learn", "pillow")},
    }
    return _from_entry(name, spec.metric, cache.entry("datasets", entry_key, make))


def _read_records(path: Path, spec: Spec) -> Dataset:
    source = spec.records
    assert source is not None
    vectors, described_by = (_local_path(path, spec, file) for file in spec.published)

    def make() -> dict[str, np.ndarray]:
        contents = records.read(vectors, described_by, source)._asdict()
        return {part: array for part, array in contents.items() if array is not None}

    code = digests.code_digest(Path(records.__file__))
    key = {"metric": spec.metric, "records": msgspec.to_builtins(source), "code": code}
    entry = cache.entry("datasets", key, make)
    names = {"query_groups": "records.query_group_field"}
    base, queries, labels, groups = (
        from_memory(f"{path}: {names.get(part, part)}", entry.arrays[part]) if part in entry.arrays else None
        for part in records.Contents._fields
    )
    assert base is not None
    return from_files(base, queries, labels, spec.metric, query_groups=groups, name=path.stem)


def _local_path(path: Path, spec: Spec, file: Published) -> Path:
    """Where a published file of the dataset that the TOML file `path` describes lies, or how to get it."""
    name = path.stem if path.parent == folder() else str(path)
    return required_path(file, f"dataset {path.stem!r}", name, spec.download_size)


def _check_stated(path: Path, spec: Spec, contents: formats.Contents) -> None:
    """BenchError where a downloaded file has other numbers of rows, dimensions or queries than the TOML file states."""
    base, queries = formats.get(contents, "base"), formats.find(contents, "queries")
    actual = dict(zip(("n", "d"), base.shape, strict=False)) | ({"queries": queries.shape[0]} if queries else {})
    for name, number in actual.items():
        stated_number = getattr(spec, name)
        if stated_number not in (None, number):
            raise BenchError(
                f"{contents.path} has {name} = {number:,}, {path} states {stated_number:,}: remove the file and fetch "
                "it again, or state what it holds"
            )


def _arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    parts = {part: getattr(dataset, part) for part in ("base", "queries", "labels", "query_groups")}
    return {part: array for part, array in parts.items() if array is not None}


def _from_entry(name: str, metric: str, entry: cache.Entry) -> Dataset:
    """A Dataset from arrays that were checked before they were kept."""
    base, queries, labels = (entry.arrays.get(part) for part in ("base", "queries", "labels"))
    assert base is not None
    assert queries is not None
    groups = entry.arrays.get("query_groups")
    return Dataset(name, base, queries, metric, labels, fingerprint(entry.digests), query_groups=groups)
