"""The catalogue: datasets/*.toml, each of which becomes a Dataset."""

import hashlib
import inspect
import itertools
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import cache
from bench.data import beir, embed, formats, generators
from bench.data.beir import Beir
from bench.data.dataset import (
    METRICS,
    Dataset,
    checked,
    fingerprint,
    hold_out_queries,
)
from bench.errors import BenchError, converted, unknown


class Records(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Vectors in a .npy file that a JSON Lines file describes row by row; see `formats.read_records`."""

    vectors: str
    records: str
    split_field: str
    query_splits: list[str]
    max_queries: int
    sha256: dict[str, str]
    label_field: str | None = None


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """.npy files, by paths from the folder of the TOML file."""

    base: str
    queries: str | None = None
    labels: str | None = None


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One TOML file of the catalogue: what the data is, and one of the four places it comes from.

    embedding: how `bench embed` made its vectors.
    """

    title: str
    metric: str
    licence: str = ""
    citation: str = ""
    generator: str | None = None
    parameters: dict[str, Any] = {}
    records: Records | None = None
    files: Files | None = None
    beir: Beir | None = None
    embedding: embed.Embedding | None = None


def folder() -> Path:
    """The catalogue's folder: that of the checkout, else the one inside the installed package."""
    return cache.CATALOGUE_IN_CHECKOUT or Path(__file__).parent.parent / "datasets"


def names() -> list[str]:
    """The names of the catalogue's datasets."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def read_spec(path: Path) -> Spec:
    """The Spec in a TOML file, checked."""
    try:
        spec = converted(tomllib.loads(path.read_text(encoding="utf-8")), Spec, str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is not valid TOML: {error}") from None
    if spec.metric not in METRICS:
        raise BenchError(f"{path}: {unknown('metric', spec.metric, METRICS)}")
    if sum(source is not None for source in (spec.generator, spec.records, spec.files, spec.beir)) != 1:
        raise BenchError(f"{path}: give one of generator, records, files and beir")
    if spec.generator is not None and spec.generator not in generators.GENERATORS:
        raise BenchError(f"{path}: {unknown('generator', spec.generator, generators.GENERATORS)}")
    if spec.parameters and spec.generator is None:
        raise BenchError(f"{path}: parameters are a generator's; without one, leave them out")
    return spec


def load(name: str, parameters: Mapping[str, Any] | None = None, beside: Path | None = None) -> Dataset:
    """The Dataset that the catalogue, or a path ending in .toml (from the folder `beside`), names.

    parameters: what to change of a generator's parameters, or the `model` of a BEIR folder; the dataset's name then
    tells it.
    """
    path = _find(name, beside)
    spec = read_spec(path)
    stem = path.stem
    if spec.embedding is not None:
        embed.verify(spec.embedding, path.parent, f"dataset {stem!r}")
    if spec.generator is not None:
        return _generated(stem, spec, dict(parameters or {}))
    if spec.beir is not None:
        chosen = converted(dict(parameters or {}), beir.Chosen, f"dataset {stem!r}")
        return beir.load(stem, spec.metric, spec.beir, path.parent, chosen.model)
    if parameters:
        raise BenchError(f"dataset {stem!r} comes from files and takes no parameters: {', '.join(parameters)}")
    if spec.records is not None:
        return _recorded(stem, spec.metric, spec.records)
    assert spec.files is not None
    here = path.parent
    queries, labels = (here / part if part else None for part in (spec.files.queries, spec.files.labels))
    return from_files(here / spec.files.base, queries, labels, spec.metric, name=stem)


def sweep(parameters: Mapping[str, Any], generator_takes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of parameters given as lists, where the generator takes a single value."""
    axes = [
        [(key, item) for item in value]
        if isinstance(value, list) and not isinstance(generator_takes.get(key), list)
        else [(key, value)]
        for key, value in parameters.items()
    ]
    return (dict(combination) for combination in itertools.product(*axes))


def load_all(name: str, parameters: Mapping[str, Any], beside: Path | None = None) -> list[Dataset]:
    """The Datasets of a sweep: as `load`, for every combination of the parameters given as lists."""
    if not parameters:
        return [load(name, beside=beside)]
    stated = read_spec(_find(name, beside)).parameters
    for key, value in parameters.items():
        if value == []:
            raise BenchError(f"dataset {name!r}: {key} is an empty list: name at least one value")
    return [load(name, chosen, beside) for chosen in sweep(parameters, stated)]


def from_files(
    base: Path,
    queries: Path | None = None,
    labels: Path | None = None,
    metric: str = "l2",
    *,
    name: str | None = None,
) -> Dataset:
    """A Dataset of .npy files. Without queries, some of the base are held out, by seed."""
    vectors = formats.read_vectors(base)
    row_labels = formats.read_npy(labels) if labels else None
    files = {"base": str(base), "queries": str(queries or base), "labels": str(labels)}
    if queries:
        asked = formats.read_vectors(queries)
        return checked(name or base.stem, vectors, asked, metric, row_labels, files=files)
    # Everything is checked before rows are taken out, so that errors count rows as the file does.
    vectors = np.atleast_1d(vectors)
    whole = checked(name or base.stem, vectors, vectors[:0], metric, row_labels, files=files)
    kept, asked, row_labels = hold_out_queries(whole.base, whole.labels)
    return checked(whole.name, kept, asked, metric, row_labels, files=files)


def whole_file(base: Path, metric: str) -> Dataset:
    """A Dataset of all rows of a .npy file and no queries: for its geometry alone."""
    vectors = np.atleast_1d(formats.read_vectors(base))
    return checked(base.stem, vectors, vectors[:0], metric, files={"base": str(base)})


def _find(name: str, beside: Path | None) -> Path:
    path = (beside or Path()) / name if name.endswith(".toml") else folder() / f"{name}.toml"
    if not path.is_file():
        if name.endswith(".toml"):
            raise BenchError(
                f"dataset {path} is not there: give the path of a TOML file, or a name; see `bench list datasets`"
            )
        raise unknown("dataset", name, names())
    return path


def _generated(stem: str, spec: Spec, changed: dict[str, Any]) -> Dataset:
    assert spec.generator is not None
    generate = generators.GENERATORS[spec.generator]
    takes = inspect.signature(generate).parameters
    given = {**spec.parameters, **changed}
    for key in given:
        if key not in takes:
            raise BenchError(f"dataset {stem!r}: {unknown('parameter', key, takes)}")
    given = {key: converted(value, takes[key].annotation, f"dataset {stem!r}: {key}") for key, value in given.items()}
    defaults = {key: p.default for key, p in takes.items() if p.default is not inspect.Parameter.empty}
    name = stem if not changed else f"{stem}({', '.join(f'{key}={given[key]}' for key in changed)})"

    def make() -> dict[str, np.ndarray]:
        try:
            base, queries, labels = generate(**given)
        except (TypeError, ValueError) as error:
            raise BenchError(f"dataset {name!r}: {error}") from None
        except MemoryError:
            raise BenchError(f"dataset {name!r} does not fit into memory: ask for a smaller n or d") from None
        return _arrays(checked(name, base, queries, spec.metric, labels))

    code = hashlib.sha256(Path(generators.__file__).read_bytes()).hexdigest()
    made_from = {
        "generator": spec.generator,
        "parameters": defaults | given,
        "metric": spec.metric,
        "code": code,
        "numpy": np.__version__,
    }
    return _from_entry(name, spec.metric, cache.entry("datasets", made_from, make))


def _recorded(name: str, metric: str, source: Records) -> Dataset:
    paths = {}
    for file in (source.vectors, source.records):
        if file not in source.sha256:
            raise BenchError(f"dataset {name!r}: no checksum of {file} under records.sha256")
        paths[file] = cache.mirrored(file, source.sha256[file], f"dataset {name!r}")

    def make() -> dict[str, np.ndarray]:
        base, queries, labels = formats.read_records(
            paths[source.vectors],
            paths[source.records],
            source.split_field,
            source.query_splits,
            source.max_queries,
            source.label_field,
        )
        return _arrays(checked(name, base, queries, metric, labels))

    key = {"metric": metric, "records": msgspec.to_builtins(source)}
    return _from_entry(name, metric, cache.entry("datasets", key, make))


def _arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    arrays = {"base": dataset.base, "queries": dataset.queries}
    return arrays if dataset.labels is None else arrays | {"labels": dataset.labels}


def _from_entry(name: str, metric: str, entry: cache.Entry) -> Dataset:
    """A Dataset from arrays that were checked before they were kept."""
    base, queries, labels = (entry.arrays.get(part) for part in ("base", "queries", "labels"))
    assert base is not None
    assert queries is not None
    return Dataset(name, base, queries, metric, labels, fingerprint(entry.digests))
