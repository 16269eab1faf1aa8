"""A Dataset of files in any format, a user's own or a published one."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data import formats
from bench.data.dataset import METRICS, Dataset, check_labels, checked, drawn, warn_unverified
from bench.data.formats import hdf5
from bench.data.formats.array import FileArray, check, nonzero, vectors, whole
from bench.errors import BenchError, BenchWarning, Log, unknown


def from_files(
    base: Path,
    queries: Path | None = None,
    labels: Path | None = None,
    metric: str | None = None,
    *,
    neighbors: Path | None = None,
    name: str | None = None,
    limit: int | None = None,
    drop_zeros: bool = False,
    log: Log = lambda line: None,
) -> Dataset:
    """A Dataset of files in any of `formats.READERS`.

    A bundle (HDF5, npz) brings queries, labels, neighbours and its metric; what is given beside it takes
    their place, and neighbours of other queries or another metric are left out. Without a metric it is l2;
    without queries, a tenth of the base, at most 1,000 rows, is held out of it, by seed, so that no query finds itself.
    limit: at most so many rows of the base that stays, as `dataset.limit` draws them. drop_zeros: whether under cosine
    rows of zeros are left out, with a warning, rather than refused. log: is called with a line on what was chosen.

    Only rows that are taken are read if the file allows it. Errors count rows as the file does.
    """
    parts = _open(base, queries, labels, metric, neighbors, log)
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
        files=parts.files,
        rows={"base": base_rows, "queries": query_rows},
        source_size=parts.base.shape[0],
    )


def whole_file(base: Path, metric: str | None = None, labels: Path | None = None) -> Dataset:
    """A Dataset of all base rows of a file and no queries: for its geometry alone."""
    bundle = formats.read(base)
    source = formats.get(bundle, "base")
    chosen_metric = _metric(bundle, metric)
    row_labels, labels_file = _labels(bundle, labels)
    check(source)
    rows = vectors(source)
    return checked(
        bundle.path.stem, rows, rows[:0], chosen_metric, row_labels, files={"base": source.where} | labels_file
    )


class _Parts(NamedTuple):
    """What a dataset comes from, vectors and neighbours not read yet.

    name: the file's, without its suffix.
    metric: the dataset's.
    base: of which queries are held out if there are none.
    queries: None if the files have none.
    neighbors: None if the files have none, or those of other queries or another metric.
    labels: one a row of the base, not checked yet; None if the files have none.
    files: by part, the place that an error names.
    """

    name: str
    metric: str
    base: FileArray
    queries: FileArray | None
    neighbors: FileArray | None
    labels: np.ndarray | None
    files: dict[str, str]


def _open(
    base: Path, queries: Path | None, labels: Path | None, metric: str | None, neighbors: Path | None, log: Log
) -> _Parts:
    bundle = formats.read(base)
    base_source = formats.get(bundle, "base")
    query_source = formats.get(formats.read(queries), "queries") if queries else formats.find(bundle, "queries")
    if neighbors and query_source is None:
        raise BenchError(f"{neighbors}: neighbours are those of queries; give the queries as well")
    chosen_metric = _metric(bundle, metric, log)
    if neighbors:
        neighbor_source: FileArray | None = formats.get(formats.read(neighbors), "neighbors")
    elif queries or bundle.metric not in (None, chosen_metric):
        neighbor_source = None
    else:
        neighbor_source = formats.find(bundle, "neighbors")
    row_labels, labels_file = _labels(bundle, labels)
    sources = {"base": base_source, "queries": query_source or base_source, "neighbors": neighbor_source}
    files = {part: source.where for part, source in sources.items() if source} | labels_file
    for source in filter(None, (base_source, query_source)):
        check(source)
    return _Parts(bundle.path.stem, chosen_metric, base_source, query_source, neighbor_source, row_labels, files)


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
    base_rows, query_rows = _hold_out(rows[0])
    log(f"{parts.base.where}: {len(query_rows)} rows held out as queries; --queries gives your own")
    return base_rows, query_rows


def _hold_out(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stay in the base, in their order, and those drawn as queries."""
    count = min(1000, len(rows) // 10)
    if count == 0:
        raise BenchError(f"{len(rows)} rows are too few to hold queries out of: give --queries, or at least 10 rows")
    places = drawn(len(rows), count, "queries")
    return np.delete(rows, places), rows[places]


def _neighbors(parts: _Parts, base_rows: int, query_rows: int) -> np.ndarray | None:
    """The neighbours in the files; None, with a warning, if they are those of more rows than were chosen."""
    source = parts.neighbors
    if source and parts.queries and (base_rows, query_rows) != (parts.base.shape[0], parts.queries.shape[0]):
        warn_unverified(source.where)
        return None
    return whole(source) if source else None


def _labels(bundle: formats.Contents, path: Path | None) -> tuple[np.ndarray | None, dict[str, str]]:
    """The labels in a file beside a bundle, else those in it, or None; and the place that an error names."""
    if path:
        return formats.read_labels(path), {"labels": str(path)}
    source = formats.find(bundle, "labels")
    return (whole(source), {"labels": source.where}) if source else (None, {})


def _metric(bundle: formats.Contents, requested: str | None, log: Log = lambda line: None) -> str:
    """The metric that is requested, else the one that the file states, else l2."""
    stated_metric = bundle.metric
    if requested is None:
        if stated_metric not in (None, *METRICS):
            error = unknown("distance", stated_metric, hdf5.METRICS)
            raise BenchError(f"{bundle.path}: attribute distance: {error}; --metric gives one in its place")
        reason = ", as the file states" if stated_metric else "; --metric gives another"
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
