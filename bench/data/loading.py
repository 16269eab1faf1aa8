"""Load a dataset: read the parts that its file states, put given parts in their place, and check all of them."""

import itertools
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bench.convert import converted
from bench.data import catalog, formats, generated, records
from bench.data.check import checked
from bench.data.dataset import METRICS, Dataset
from bench.data.definition import Definition, read_definition
from bench.data.formats import hdf5
from bench.data.formats.array import FileArray
from bench.data.parts import Parts
from bench.data.texts import beir, embed
from bench.errors import BenchError, BenchWarning, Log, unknown
from bench.labels import listed


def load(
    given: Parts,
    log: Log = lambda line: None,
    *,
    parameters: Mapping[str, Any] | None = None,
    beside: Path | None = None,
) -> Dataset:
    """Return the Dataset of a file, of arrays in memory, or of a definition: the catalogue's, or a TOML file.

    Given parts take the place of stated ones. Stated parts that belong to other queries or to another metric are left
    out, with a warning.

    log: called with a line about each choice. parameters: parameters of a generator to change, or the `model` of a BEIR
    folder; the dataset's name then states them. beside: the folder that the path of a TOML file starts from.
    """
    stated = _stated(given, log, parameters or {}, beside)
    return checked(given.over(stated), log)


def load_whole(given: Parts, log: Log = lambda line: None) -> Dataset:
    """As `load`, but take all rows of files, and neither hold out nor read queries: for geometry only."""
    base = given.base
    if isinstance(base, str) and not catalog.is_file(base) and not read_definition(catalog.find(base)).files:
        return load(given, log)
    stated = replace(_stated(given, log), queries=None, neighbors=None, query_groups=None)
    return checked(given.over(stated), log, hold_out=False)


def load_all(
    name: str, parameters: Mapping[str, Any], beside: Path | None = None, log: Log = lambda line: None
) -> list[Dataset]:
    """Return the Datasets of a sweep: as `load`, for every combination of the parameters given as lists."""
    given = Parts(base=name)
    if not parameters:
        return [load(given, log, beside=beside)]
    defaults = read_definition(catalog.find(name, beside)).parameters
    for key, value in parameters.items():
        if value == []:
            raise BenchError(f"dataset {name!r}: {key} is an empty list: name at least one value")
    return [load(given, log, parameters=chosen, beside=beside) for chosen in sweep(parameters, defaults)]


def sweep(parameters: Mapping[str, Any], generator_takes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return every combination of the parameters given as lists, if the generator takes a single value."""
    axes = [
        [(key, item) for item in value]
        if isinstance(value, list) and not isinstance(generator_takes.get(key), list)
        else [(key, value)]
        for key, value in parameters.items()
    ]
    return (dict(combination) for combination in itertools.product(*axes))


def _stated(given: Parts, log: Log, parameters: Mapping[str, Any] | None = None, beside: Path | None = None) -> Parts:
    """Return the parts that the given base states: a file of vectors, or the definition of a dataset."""
    if given.metric not in (None, *METRICS):
        raise unknown("metric", given.metric, METRICS)
    if not isinstance(given.base, str) or catalog.is_file(given.base):
        return _of_file(given, log)
    path = catalog.find(given.base, beside)
    definition = read_definition(path)
    metric, where = definition.metric, f"dataset {path.stem!r}"
    if definition.embedding is not None:
        embed.verify(definition.embedding, path.parent, where)
    if definition.generator is not None:
        return generated.load(path.stem, metric, definition.generator, definition.parameters, parameters or {})
    if definition.beir is not None:
        model = converted(dict(parameters or {}), beir.Chosen, where).model
        return beir.load(path.stem, given.metric or metric, definition.beir, path.parent, model)
    if parameters:
        raise BenchError(f"{where} comes from files and takes no parameters: {', '.join(parameters)}")
    if definition.texts:
        how = f"run `bench fetch {path.stem}`, then `bench embed` on what it gives"
        raise BenchError(f"{where} is texts without vectors: {how}")
    published = catalog.published(path, definition)
    if definition.records is not None:
        return records.load(path, metric, definition.records, *published)
    files = msgspec.structs.asdict(definition.files).items() if definition.files else ()
    places = {part: path.parent / file for part, file in files if file} or {"base": published[0]}
    named = Parts.of(places, metric, path.stem)
    stated = named.over(_of_file(named, log))
    _check_size(path, definition, stated)
    return stated


def _of_file(given: Parts, log: Log) -> Parts:
    """Return the parts in a file, or of an array in memory; a bundle (HDF5, npz) may have every part, and a metric."""
    base = given.base
    contents = formats.read(Path(base) if isinstance(base, str) else base)
    arrays = formats.by_part(contents)
    metric = _metric(contents, given.metric, log)
    parts = {id(array) for array in arrays.values()}
    unused = [name for name, array in contents.arrays.items() if id(array) not in parts]
    if names := [*unused, *contents.others]:
        log(f"{contents.path}: not used: {listed(names)}")
    if contents.metric not in (None, metric):
        arrays.pop("neighbors", None)
    return Parts.of(arrays, metric, contents.path.stem)


def _metric(contents: formats.Contents, given: str | None, log: Log) -> str:
    """Return the given metric, or the one that a file states, or l2."""
    stated = contents.metric
    if given is None:
        if stated not in (None, *METRICS):
            error = unknown("distance", stated, hdf5.METRICS)
            raise BenchError(f"{contents.path}: attribute distance: {error}; name a metric in its place")
        reason = ", as the file states" if stated else "; name a metric for another"
        log(f"{contents.path}: metric {stated or 'l2'}{reason}")
        return stated or "l2"
    if stated not in (None, given):
        line = f"{contents.path} states the metric {stated}; {given} is taken instead, and neighbours in the file are "
        warnings.warn(f"{line}left out", BenchWarning, stacklevel=4)
    return given


def _check_size(path: Path, definition: Definition, stated: Parts) -> None:
    """Raise BenchError if a download has other numbers of rows, dimensions or queries than its definition states."""
    base, queries = stated.base, stated.queries
    assert isinstance(base, FileArray)
    actual = dict(zip(("n", "d"), base.shape, strict=False))
    if isinstance(queries, FileArray):
        actual["queries"] = queries.shape[0]
    for name, number in actual.items():
        stated_number = getattr(definition, name)
        if definition.download and stated_number not in (None, number):
            raise BenchError(
                f"{base.path} has {name} = {number:,}, {path} states {stated_number:,}: remove the file and fetch it "
                "again, or state what it holds"
            )
