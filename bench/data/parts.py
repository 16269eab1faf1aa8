"""The parts of a dataset as files or arrays in memory give them, none of their vectors read yet."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data import formats
from bench.data.arrays import check_neighbors, check_query_groups
from bench.data.dataset import METRICS, warn_other_groups, warn_unverified
from bench.data.formats import Place, hdf5
from bench.data.formats.array import FileArray, check, whole
from bench.errors import BenchError, BenchWarning, Log, unknown
from bench.labels import listed


@dataclass(frozen=True)
class Replacement:
    """Parts that replace those of a dataset, or that it lacks.

    queries: a file of them. Neighbours, judgements and groups of those before are left out.
    labels: a file of one label per row of the source.
    neighbors: a file of the queries' nearest base rows.
    metric: one of METRICS.
    query_groups: a file of one label per query: queries of one label are not independent of each other.
    """

    queries: Place | None = None
    labels: Place | None = None
    neighbors: Path | None = None
    metric: str | None = None
    query_groups: Place | None = None


class Parts(NamedTuple):
    """Sources of a dataset, vectors and neighbours not read yet.

    name: the file's, without its suffix.
    metric: the dataset's.
    base: of which queries are held out if there are none.
    queries: None if the files have none.
    neighbors: None if the files have none, or those of other queries or another metric.
    is_named: whether the user names the neighbours, which are then refused if they are unusable.
    labels: one per row of the base, not checked yet; None if the files have none.
    query_groups: labels of the queries' groups, the same; None too if they are of other queries.
    files: by part, the place that an error names.
    """

    name: str
    metric: str
    base: FileArray
    queries: FileArray | None
    neighbors: FileArray | None
    is_named: bool
    labels: np.ndarray | None
    query_groups: np.ndarray | None
    files: dict[str, str]


def opened(base: Place, beside: Replacement, log: Log) -> Parts:
    """The Parts of a file, or of an array in memory, and of what is given with it. log: as `from_files` has it."""
    bundle = formats.opened(base)
    base_source = formats.get(bundle, "base")
    query_source = queries_in(beside.queries) if beside.queries else formats.find(bundle, "queries")
    for what, path in (("neighbours", beside.neighbors), ("groups", beside.query_groups)):
        if path and query_source is None:
            raise BenchError(f"{named(path)}: {what} are those of queries; give the queries as well")
    chosen_metric = metric(bundle, beside.metric, log)
    neighbor_source = _neighbors(bundle, beside, chosen_metric)
    row_labels, labels_file = labels(bundle, beside.labels)
    groups, groups_file = _query_groups(bundle, beside)
    sources = {"base": base_source, "queries": query_source or base_source, "neighbors": neighbor_source}
    files = {part: source.where for part, source in sources.items() if source}
    files |= labels_file | groups_file
    log_unused(bundle, log)
    check(base_source)
    if query_source:
        check_queries(query_source)
    return Parts(
        bundle.path.stem,
        chosen_metric,
        base_source,
        query_source,
        neighbor_source,
        beside.neighbors is not None,
        row_labels,
        groups,
        files,
    )


def log_unused(bundle: formats.Contents, log: Log) -> None:
    """Call `log` with a line on what a bundle holds that is no part of a dataset, or not by its name."""
    parts = {id(formats.find(bundle, part)) for part in formats.NAMES} | {id(formats.get(bundle, "base"))}
    unused = [name for name, array in bundle.arrays.items() if id(array) not in parts]
    if names := [*unused, *bundle.others]:
        log(f"{bundle.path}: not used: {listed(names)}")


def queries_in(path: Place) -> FileArray:
    """The queries in a file or in memory."""
    return formats.get(formats.opened(path), "queries")


def named(path: Place) -> str:
    """The place that an error names."""
    return path.where if isinstance(path, FileArray) else str(path)


def check_queries(source: FileArray) -> None:
    """Check them as `check` does; raises BenchError if there are none, too."""
    check(source)
    if source.shape[0] == 0:
        raise BenchError(f"{source.where} has no rows: give at least one query")


def labels(
    bundle: formats.Contents, path: Place | None, part: str = "labels"
) -> tuple[np.ndarray | None, dict[str, str]]:
    """The labels in a file that is given with a bundle, else those in it, or None; and the place that an error names.

    part: `labels` of rows, or `query_groups`.
    """
    if path:
        return formats.read_labels(path, part), {part: named(path)}
    source = formats.find(bundle, part)
    return (whole(source), {part: source.where}) if source else (None, {})


def metric(bundle: formats.Contents, requested: str | None, log: Log = lambda line: None) -> str:
    """The metric that is requested, else the one that the file states, else l2."""
    stated_metric = bundle.metric
    if requested is None:
        if stated_metric not in (None, *METRICS):
            error = unknown("distance", stated_metric, hdf5.METRICS)
            raise BenchError(f"{bundle.path}: attribute distance: {error}; name a metric in its place")
        reason = ", as the file states" if stated_metric else "; name a metric for another"
        log(f"{bundle.path}: metric {stated_metric or 'l2'}{reason}")
        return stated_metric or "l2"
    if requested not in METRICS:
        raise unknown("metric", requested, METRICS)
    if stated_metric not in (None, requested):
        warnings.warn(
            f"{bundle.path} states the metric {stated_metric}; {requested} is taken instead, "
            "and neighbours in the file are left out",
            BenchWarning,
            stacklevel=4,
        )
    return requested


def neighbors_of(parts: Parts, base_rows: np.ndarray, query_rows: np.ndarray) -> np.ndarray | None:
    """The neighbours of the queries that are taken; None if there are none to use.

    A BenchWarning says why neighbours are left out: those that a bundle brings and that are unusable, and those of more
    base rows than are taken. Raises BenchError if the user names them and they are unusable.
    """
    source = parts.neighbors
    if source is None:
        return None
    if parts.queries is None:
        _warn_left_out(f"{source.where}: its queries are missing")
        return None
    try:
        neighbors = check_neighbors(whole(source), source.where, parts.queries.shape[0])
    except BenchError as error:
        if parts.is_named:
            raise
        _warn_left_out(str(error))
        return None
    if len(base_rows) < parts.base.shape[0]:
        warn_unverified(source.where)
        return None
    return np.asarray(neighbors[query_rows])


def groups_of(parts: Parts, query_rows: np.ndarray) -> np.ndarray | None:
    """The labels of the groups of the queries that are taken; None if there are none, or queries are held out."""
    if parts.query_groups is None or parts.queries is None:
        return None
    groups = check_query_groups(parts.query_groups, parts.files["query_groups"], parts.queries.shape[0])
    return np.asarray(groups[query_rows])


def _warn_left_out(why: str) -> None:
    warnings.warn(f"{why}; the neighbours are left out, and not verified", BenchWarning, stacklevel=4)


def _neighbors(bundle: formats.Contents, beside: Replacement, chosen_metric: str) -> FileArray | None:
    """The neighbours that are given, else those in the bundle; None if those are of other queries or another metric."""
    if beside.neighbors:
        return formats.get(formats.read(beside.neighbors), "neighbors")
    source = formats.find(bundle, "neighbors")
    if bundle.metric not in (None, chosen_metric):
        return None
    if beside.queries and source:
        warn_unverified(source.where, "other queries")
        return None
    return source


def _query_groups(bundle: formats.Contents, beside: Replacement) -> tuple[np.ndarray | None, dict[str, str]]:
    """As `labels`, of queries; None, with a warning, if the bundle's are those of other queries than are given."""
    source = formats.find(bundle, "query_groups")
    if source and beside.queries and not beside.query_groups:
        warn_other_groups(source.where)
        return None, {}
    return labels(bundle, beside.query_groups, "query_groups")
