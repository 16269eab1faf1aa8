"""A Dataset of files in any format, a user's own or a published one, and files in place of a Dataset's parts.

An array in memory may stand wherever a file may.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data import formats
from bench.data.arrays import check_labels, check_query_groups
from bench.data.dataset import METRICS, Dataset, checked, drawn, warn_other_groups, warn_unverified
from bench.data.formats import Place, hdf5
from bench.data.formats.array import FileArray, check, nonzero, vectors, whole
from bench.errors import BenchError, BenchWarning, Log, unknown


@dataclass(frozen=True)
class Replacement:
    """What takes the place of what a dataset states, and fills in what it does not.

    queries: a file of them. Neighbours, judgements and groups of those before are left out.
    labels: a file of one label a row of the source.
    neighbors: a file of the queries' nearest base rows.
    metric: one of METRICS.
    query_groups: a file of one label a query: queries of one label are not independent of each other.
    """

    queries: Place | None = None
    labels: Place | None = None
    neighbors: Path | None = None
    metric: str | None = None
    query_groups: Place | None = None


def from_files(
    base: Place,
    queries: Place | None = None,
    labels: Place | None = None,
    metric: str | None = None,
    *,
    neighbors: Path | None = None,
    query_groups: Place | None = None,
    name: str | None = None,
    limit: int | None = None,
    drop_zeros: bool = False,
    log: Log = lambda line: None,
) -> Dataset:
    """A Dataset of files in any of `formats.READERS`.

    A bundle (HDF5, npz) brings queries, their groups, labels, neighbours and its metric; what is given beside it takes
    their place, and groups or neighbours of other queries or another metric are left out. Without a metric it is l2;
    without queries, a tenth of the base, at most 1,000 rows, is held out of it, by seed, so that no query finds itself.
    limit: at most so many rows of the base that stays, as `dataset.limit` draws them. drop_zeros: whether under cosine
    rows of zeros are left out, with a warning, rather than refused. log: is called with a line on what was chosen.

    Only rows that are taken are read if the file allows it. Errors count rows as the file does.
    """
    parts = _open(base, Replacement(queries, labels, neighbors, metric, query_groups), log)
    stem = name or parts.name
    base_rows, query_rows = _choose_rows(parts, stem, drop_zeros and parts.metric == "cosine", log)
    if limit is not None and limit < len(base_rows):
        base_rows, stem = base_rows[drawn(len(base_rows), limit, "limit")], f"{stem}[{limit}]"
    row_labels = parts.labels
    if row_labels is not None:
        row_labels = check_labels(row_labels, parts.files["labels"], parts.base.shape[0])[base_rows]
    return checked(
        stem,
        vectors(parts.base, base_rows),
        vectors(parts.queries or parts.base, query_rows),
        parts.metric,
        row_labels,
        neighbors=_neighbors(parts, len(base_rows), len(query_rows)),
        query_groups=_groups_of(parts, query_rows),
        files=parts.files,
        rows={"base": base_rows, "queries": query_rows},
        source_size=parts.base.shape[0],
    )


def replaced(dataset: Dataset, replacement: Replacement) -> Dataset:
    """The dataset with parts from files in place of its own; its metric is left as it is.

    A BenchWarning names what belongs to queries that are replaced, and is left out: neighbours, judgements and groups.
    """
    queries, labels, neighbors, judgements = dataset.queries, dataset.labels, dataset.neighbors, dataset.judgements
    query_groups = dataset.query_groups
    files = {}
    if replacement.queries:
        source = _queries(replacement.queries)
        _check_queries(source)
        queries, files["queries"] = vectors(source), source.where
        if neighbors is not None and not replacement.neighbors:
            warn_unverified(dataset.name, "other queries")
        if judgements:
            line = f"{dataset.name}: its judgements are those of other queries; left out, so retrieval is not scored"
            warnings.warn(line, BenchWarning, stacklevel=3)
        if query_groups is not None and not replacement.query_groups:
            warn_other_groups(dataset.name)
        neighbors = judgements = query_groups = None
    if replacement.labels:
        labels, files["labels"] = formats.read_labels(replacement.labels), _name(replacement.labels)
        labels = check_labels(labels, files["labels"], dataset.source_count)
        labels = labels if dataset.source_rows is None else labels[dataset.source_rows]
    if replacement.neighbors:
        source = formats.get(formats.read(replacement.neighbors), "neighbors")
        neighbors, files["neighbors"] = whole(source), source.where
    if replacement.query_groups:
        query_groups = formats.read_labels(replacement.query_groups, "query_groups")
        files["query_groups"] = _name(replacement.query_groups)
    if not files:
        return dataset
    return checked(
        dataset.name,
        dataset.base,
        queries,
        dataset.metric,
        labels,
        neighbors=neighbors,
        files=files,
        rows=None if dataset.source_rows is None else {"base": dataset.source_rows},
        source_size=dataset.source_size,
        judgements=judgements,
        query_groups=query_groups,
    )


def whole_file(
    base: Place, metric: str | None = None, labels: Place | None = None, *, name: str | None = None
) -> Dataset:
    """A Dataset of all base rows of a file and no queries: for its geometry alone."""
    bundle = formats.opened(base)
    source = formats.get(bundle, "base")
    chosen_metric = _metric(bundle, metric)
    row_labels, labels_file = _labels(bundle, labels)
    check(source)
    rows = vectors(source)
    files = {"base": source.where} | labels_file
    return checked(name or bundle.path.stem, rows, rows[:0], chosen_metric, row_labels, files=files)


class _Parts(NamedTuple):
    """What a dataset comes from, vectors and neighbours not read yet.

    name: the file's, without its suffix.
    metric: the dataset's.
    base: of which queries are held out if there are none.
    queries: None if the files have none.
    neighbors: None if the files have none, or those of other queries or another metric.
    labels: one a row of the base, not checked yet; None if the files have none.
    query_groups: labels of the queries' groups, the same; None too if they are of other queries.
    files: by part, the place that an error names.
    """

    name: str
    metric: str
    base: FileArray
    queries: FileArray | None
    neighbors: FileArray | None
    labels: np.ndarray | None
    query_groups: np.ndarray | None
    files: dict[str, str]


def _open(base: Place, beside: Replacement, log: Log) -> _Parts:
    bundle = formats.opened(base)
    base_source = formats.get(bundle, "base")
    query_source = _queries(beside.queries) if beside.queries else formats.find(bundle, "queries")
    for what, path in (("neighbours", beside.neighbors), ("groups", beside.query_groups)):
        if path and query_source is None:
            raise BenchError(f"{_name(path)}: {what} are those of queries; give the queries as well")
    chosen_metric = _metric(bundle, beside.metric, log)
    neighbor_source = formats.find(bundle, "neighbors")
    if beside.neighbors:
        neighbor_source = formats.get(formats.read(beside.neighbors), "neighbors")
    elif bundle.metric not in (None, chosen_metric):
        neighbor_source = None
    elif beside.queries and neighbor_source:
        warn_unverified(neighbor_source.where, "other queries")
        neighbor_source = None
    row_labels, labels_file = _labels(bundle, beside.labels)
    groups, groups_file = _query_groups(bundle, beside)
    sources = {"base": base_source, "queries": query_source or base_source, "neighbors": neighbor_source}
    files = {part: source.where for part, source in sources.items() if source}
    files |= labels_file | groups_file
    check(base_source)
    if query_source:
        _check_queries(query_source)
    return _Parts(
        bundle.path.stem, chosen_metric, base_source, query_source, neighbor_source, row_labels, groups, files
    )


def _queries(path: Place) -> FileArray:
    return formats.get(formats.opened(path), "queries")


def _name(path: Place) -> str:
    """The place that an error names."""
    return path.where if isinstance(path, FileArray) else str(path)


def _check_queries(source: FileArray) -> None:
    """As `check`; a BenchError where there are none, too."""
    check(source)
    if source.shape[0] == 0:
        raise BenchError(f"{source.where} has no rows: give at least one query")


def _choose_rows(parts: _Parts, stem: str, drop_zeros: bool, log: Log) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the rows that are the base's, and of those that are queries, each in its own file.

    drop_zeros: whether those of zeros are left out, with a warning.
    """
    sources = [source for source in (parts.base, parts.queries) if source]
    rows = [nonzero(source) if drop_zeros else np.arange(source.shape[0]) for source in sources]
    zeros = [source.shape[0] - len(numbers) for source, numbers in zip(sources, rows, strict=True)]
    if any(zeros):
        counts = " and ".join(f"{n:,} {what}" for n, what in zip(zeros, ("rows", "queries"), strict=False))
        warnings.warn(f"{stem}: {counts} are all zeros, which have no direction; left out", BenchWarning, stacklevel=3)
    if parts.queries:
        return rows[0], rows[1]
    base_rows, query_rows = _hold_out(rows[0], parts.base.where)
    log(f"{parts.base.where}: {len(query_rows)} rows held out as queries; give queries to search with your own")
    return base_rows, query_rows


def _hold_out(rows: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stay in the base, in their order, and those drawn as queries."""
    count = min(1000, len(rows) // 10)
    if count == 0:
        raise BenchError(f"{where} has too few rows ({len(rows)}) to hold queries out: give queries, or 10 rows")
    places = drawn(len(rows), count, "queries")
    return np.delete(rows, places), rows[places]


def _neighbors(parts: _Parts, base_rows: int, query_rows: int) -> np.ndarray | None:
    """The neighbours in the files; None, with a warning, if they are those of more rows than were chosen."""
    source = parts.neighbors
    if source and parts.queries and (base_rows, query_rows) != (parts.base.shape[0], parts.queries.shape[0]):
        warn_unverified(source.where)
        return None
    return whole(source) if source else None


def _labels(
    bundle: formats.Contents, path: Place | None, part: str = "labels"
) -> tuple[np.ndarray | None, dict[str, str]]:
    """The labels in a file beside a bundle, else those in it, or None; and the place that an error names.

    part: `labels` of rows, or `query_groups`.
    """
    if path:
        return formats.read_labels(path, part), {part: _name(path)}
    source = formats.find(bundle, part)
    return (whole(source), {part: source.where}) if source else (None, {})


def _query_groups(bundle: formats.Contents, beside: Replacement) -> tuple[np.ndarray | None, dict[str, str]]:
    """As `_labels`, of queries; None, with a warning, if the bundle's are those of other queries than are given."""
    source = formats.find(bundle, "query_groups")
    if source and beside.queries and not beside.query_groups:
        warn_other_groups(source.where)
        return None, {}
    return _labels(bundle, beside.query_groups, "query_groups")


def _groups_of(parts: _Parts, query_rows: np.ndarray) -> np.ndarray | None:
    """The labels of the groups of the queries that are taken; None where there are none, or queries are held out."""
    if parts.query_groups is None or parts.queries is None:
        return None
    groups = check_query_groups(parts.query_groups, parts.files["query_groups"], parts.queries.shape[0])
    return np.asarray(groups[query_rows])


def _metric(bundle: formats.Contents, requested: str | None, log: Log = lambda line: None) -> str:
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
