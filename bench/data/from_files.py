"""A Dataset of files in any format, a user's own or a published one, and files in place of a Dataset's parts.

An array in memory may stand wherever a file may.
"""

import warnings
from pathlib import Path

import numpy as np

from bench.data import formats, parts
from bench.data.arrays import check_labels, check_neighbors, check_query_groups
from bench.data.dataset import Dataset, checked, drawn, warn_other_groups, warn_unverified
from bench.data.formats import Place
from bench.data.formats.array import FileArray, check, nonzero, vectors, whole
from bench.data.parts import Parts, Replacement
from bench.errors import BenchError, BenchWarning, Log


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
    log: Log = lambda line: None,
) -> Dataset:
    """A Dataset of files in any of `formats.READERS`.

    A bundle (HDF5, npz) brings queries, their groups, labels, neighbours and its metric; what is given beside it takes
    their place, and groups or neighbours of other queries or another metric are left out. Without a metric it is l2;
    without queries, a tenth of the base, at most 1,000 rows, is held out of it, by seed, so that no query finds itself.
    limit: the most rows of the base, drawn as `dataset.limit` does. log: is called with a line on
    what was chosen.

    Under cosine, rows of zeros have no direction; they are left out, with a warning. Only rows that are taken are read
    if the file and the metric allow it. Errors count rows as the file does.
    """
    source = parts.opened(base, Replacement(queries, labels, neighbors, metric, query_groups), log)
    stem = name or source.name
    base_rows, query_rows = _choose_rows(source, log)
    if limit is not None and limit < len(base_rows):
        base_rows, stem = base_rows[drawn(len(base_rows), limit, "limit")], f"{stem}[{limit}]"
    row_labels = source.labels
    if row_labels is not None:
        row_labels = check_labels(row_labels, source.files["labels"], source.base.shape[0])[base_rows]
    return checked(
        stem,
        vectors(source.base, base_rows),
        vectors(source.queries or source.base, query_rows),
        source.metric,
        row_labels,
        neighbors=parts.neighbors_of(source, base_rows, query_rows),
        query_groups=parts.groups_of(source, query_rows),
        files=source.files,
        rows={"base": base_rows, "queries": query_rows},
        source_size=source.base.shape[0],
    )


def replaced(dataset: Dataset, replacement: Replacement) -> Dataset:
    """The dataset with parts from files in place of its own; its metric is left as it is.

    A BenchWarning names what belongs to queries that are replaced, and is left out: neighbours, judgements and groups.
    """
    queries, labels, neighbors, judgements = dataset.queries, dataset.labels, dataset.neighbors, dataset.judgements
    query_groups = dataset.query_groups
    files, rows = {}, {}
    query_count, query_rows = len(queries), np.arange(len(queries))
    if dataset.source_rows is not None:
        rows["base"] = dataset.source_rows
    if replacement.queries:
        source = parts.queries_in(replacement.queries)
        parts.check_queries(source)
        query_count, query_rows = source.shape[0], _with_direction(source, dataset.metric)
        queries, files["queries"], rows["queries"] = vectors(source, query_rows), source.where, query_rows
        if neighbors is not None and not replacement.neighbors:
            warn_unverified(dataset.name, "other queries")
        if judgements:
            line = f"{dataset.name}: its judgements are those of other queries; left out, so retrieval is not scored"
            warnings.warn(line, BenchWarning, stacklevel=3)
        if query_groups is not None and not replacement.query_groups:
            warn_other_groups(dataset.name)
        neighbors = judgements = query_groups = None
    if replacement.labels:
        labels, files["labels"] = formats.read_labels(replacement.labels), parts.named(replacement.labels)
        labels = check_labels(labels, files["labels"], dataset.source_count)
        labels = labels if dataset.source_rows is None else labels[dataset.source_rows]
    if replacement.neighbors:
        source = formats.get(formats.read(replacement.neighbors), "neighbors")
        neighbors, files["neighbors"] = check_neighbors(whole(source), source.where, query_count), source.where
        neighbors = neighbors[query_rows]
    if replacement.query_groups:
        groups, where = (
            formats.read_labels(replacement.query_groups, "query_groups"),
            parts.named(replacement.query_groups),
        )
        query_groups, files["query_groups"] = check_query_groups(groups, where, query_count)[query_rows], where
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
        rows=rows,
        source_size=dataset.source_size,
        judgements=judgements,
        query_groups=query_groups,
    )


def whole_file(
    base: Place,
    metric: str | None = None,
    labels: Place | None = None,
    *,
    name: str | None = None,
    log: Log = lambda line: None,
) -> Dataset:
    """A Dataset of all base rows of a file and no queries: for its geometry alone.

    Under cosine, rows of zeros are left out, with a warning. log: called with a line on what is not used.
    """
    bundle = formats.opened(base)
    source = formats.get(bundle, "base")
    chosen_metric = parts.metric(bundle, metric)
    row_labels, labels_file = parts.labels(bundle, labels)
    parts.log_unused(bundle, log)
    check(source)
    rows = _with_direction(source, chosen_metric)
    if row_labels is not None:
        row_labels = check_labels(row_labels, labels_file["labels"], source.shape[0])[rows]
    base_rows = vectors(source, rows)
    return checked(
        name or bundle.path.stem,
        base_rows,
        base_rows[:0],
        chosen_metric,
        row_labels,
        files={"base": source.where} | labels_file,
        rows={"base": rows},
        source_size=source.shape[0],
    )


def _choose_rows(source: Parts, log: Log) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the rows that are the base's, and of those that are queries, each in its own file."""
    rows = _with_direction(source.base, source.metric)
    if source.queries:
        return rows, _with_direction(source.queries, source.metric)
    base_rows, query_rows = _hold_out(rows, source.base.where)
    log(f"{source.base.where}: {len(query_rows)} rows held out as queries; give queries to search with your own")
    return base_rows, query_rows


def _with_direction(source: FileArray, metric: str) -> np.ndarray:
    """Numbers of the rows that have a distance under the metric; a BenchWarning counts those that have none."""
    if metric != "cosine":
        return np.arange(source.shape[0])
    rows = nonzero(source)
    if zeros := source.shape[0] - len(rows):
        line = f"{source.where}: {zeros:,} of {source.shape[0]:,} rows are all zeros, which have no direction"
        if not len(rows):
            raise BenchError(f"{line}: give other vectors, or use the metric l2")
        warnings.warn(f"{line} under cosine; left out", BenchWarning, stacklevel=4)
    return rows


def _hold_out(rows: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stay in the base, in their order, and those drawn as queries."""
    count = min(1000, len(rows) // 10)
    if count == 0:
        raise BenchError(f"{where} has too few rows ({len(rows)}) to hold queries out: give queries, or 10 rows")
    places = drawn(len(rows), count, "queries")
    return np.delete(rows, places), rows[places]
