"""From the parts of a dataset to the Dataset, in one pass: rows are chosen, read and checked."""

import warnings

import numpy as np

from bench.data import formats
from bench.data.arrays import check_vectors
from bench.data.dataset import METRICS, Dataset, drawn, fingerprint, warn_left_out
from bench.data.formats.array import FileArray, check, nonzero, vectors, whole
from bench.data.parts import Parts, is_named
from bench.errors import BenchError, BenchWarning, Log, unknown

Arrays = dict[str, FileArray]  # by part, none read yet
Read = dict[str, np.ndarray]  # by part


def checked(parts: Parts, log: Log = lambda line: None, *, hold_out: bool = True) -> Dataset:
    """Return the Dataset of parts whose base is an array.

    Without queries, a tenth of the base, at most 1,000 rows, is held out of it, by seed, so that no query finds itself.
    Under cosine, rows of zeros have no direction; they are left out, with a warning. Only the chosen rows are read if
    the file and the metric allow it. Other types are converted to float32: float64 and integers may lose digits.

    log: called with a line about rows that are held out. hold_out: whether to hold rows out if there are no queries.
    Raises BenchError that names the part that is wrong, by its file or argument, and its row, as the file counts them.
    """
    metric, name = parts.metric, parts.name
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    arrays = _opened(parts)
    size = arrays["base"].shape[0]
    taken: Read = {p: _with_direction(arrays[p], metric) for p in ("base", "queries") if p in arrays}
    if "queries" not in taken and hold_out:
        arrays["queries"] = arrays["base"]
        taken["base"], taken["queries"] = _held_out(taken["base"], arrays["base"].where, log)
    if size == 0:
        raise BenchError(f"{arrays['base'].where} has no rows")
    if parts.limit is not None and parts.limit < len(taken["base"]):
        taken["base"] = taken["base"][drawn(len(taken["base"]), parts.limit, "limit")]
        name = f"{name}[{parts.limit}]"
    read = {part: vectors(arrays[part], rows) for part, rows in taken.items()}
    read |= {part: whole(arrays[part]) for part in ("labels", "query_groups") if part in arrays}
    for part, rows in taken.items():
        read[part] = check_vectors(read[part], arrays[part].where, metric, rows)
    base, queries = read["base"], read["queries"] if "queries" in read else read["base"][:0]
    labels = _labels("labels", arrays, read)[taken["base"]] if "labels" in read else None
    groups = _groups(arrays, read, taken["queries"]) if "query_groups" in read else None
    neighbors = _neighbors(parts, arrays, taken) if "neighbors" in arrays else None
    return Dataset(
        name=name,
        base=base,
        queries=queries,
        metric=metric,
        labels=labels,
        fingerprint=fingerprint({"base": base, "queries": queries, "labels": labels, "query_groups": groups}),
        judgements=parts.judgements and parts.judgements.matched(name, len(queries), size, taken["base"]),
        neighbors=neighbors,
        source_rows=taken["base"] if len(base) < size else None,
        source_size=size,
        query_groups=groups,
    )


def _opened(parts: Parts) -> Arrays:
    """Open the arrays of the parts, without reading them yet; leave neighbours and groups out if there are no queries.

    Raises BenchError if somebody names neighbours or groups without queries.
    """
    places = {part: getattr(parts, part) for part in formats.NAMES}
    arrays = {part: formats.array_at(place, part) for part, place in places.items() if place is not None}
    base = arrays["base"]
    check(base)
    if "queries" in arrays:
        queries = arrays["queries"]
        check(queries)
        if queries.shape[0] == 0:
            raise BenchError(f"{queries.where} has no rows: give at least one query")
        if queries.shape[1] != base.shape[1]:
            raise BenchError(
                f"{queries.where} has dimension {queries.shape[1]}, {base.where} has {base.shape[1]}: "
                "embed both with the same model"
            )
        return arrays
    for part, what in (("neighbors", "neighbours"), ("query_groups", "groups")):
        if part in arrays:
            place = arrays.pop(part).where
            if is_named(places[part]):
                raise BenchError(f"{place}: {what} are those of queries; give the queries as well")
            if part == "neighbors":
                _warn_unusable(f"{place}: its queries are missing")
    return arrays


def _with_direction(source: FileArray, metric: str) -> np.ndarray:
    """Return the numbers of the rows that have a distance under the metric; a BenchWarning counts the others."""
    if metric != "cosine":
        return np.arange(source.shape[0])
    rows = nonzero(source)
    if zeros := source.shape[0] - len(rows):
        line = f"{source.where}: {zeros:,} of {source.shape[0]:,} rows are all zeros, which have no direction"
        if not len(rows):
            raise BenchError(f"{line}: give other vectors, or use the metric l2")
        warnings.warn(f"{line} under cosine; left out", BenchWarning, stacklevel=4)
    return rows


def _held_out(rows: np.ndarray, where: str, log: Log) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that stay in the base, in their order, and those drawn as queries."""
    count = min(1000, len(rows) // 10)
    if count == 0:
        raise BenchError(f"{where} has too few rows ({len(rows)}) to hold queries out: give queries, or 10 rows")
    places = drawn(len(rows), count, "queries")
    log(f"{where}: {count} rows held out as queries; give queries to search with your own")
    return np.delete(rows, places), rows[places]


def _labels(part: str, arrays: Arrays, read: Read) -> np.ndarray:
    """Return (n,) the labels of all rows of the base, or the groups of all queries; a single column will do."""
    labels, where = read[part], arrays[part].where
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    n = arrays["base" if part == "labels" else "queries"].shape[0]
    if labels.shape != (n,):
        of_queries = f"there are {n} queries: give one group per query"
        needed = f"the base has {n} rows: give one label per row" if part == "labels" else of_queries
        raise BenchError(f"{where} has shape {labels.shape}, {needed}")
    if labels.dtype.kind not in "iuSU":
        raise BenchError(f"{where} has type {labels.dtype}: labels are integers or strings")
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError:
            raise BenchError(f"{where} has bytes that are not UTF-8: save labels as text") from None
    return labels


def _groups(arrays: Arrays, read: Read, rows: np.ndarray) -> np.ndarray | None:
    """Return (q,) int64 numbers of groups, from 0 by sorted label; None if each group has one query.

    Raises BenchError if there is only one group, which says nothing about others.
    """
    groups = _labels("query_groups", arrays, read)[rows]
    names, codes = np.unique(groups, return_inverse=True)
    if len(names) == len(groups):
        return None
    if len(names) == 1:
        raise BenchError(
            f"{arrays['query_groups'].where} has one group alone, which says nothing of others: name two at least, or "
            "leave it out"
        )
    return codes.astype(np.int64)


def _neighbors(parts: Parts, arrays: Arrays, taken: Read) -> np.ndarray | None:
    """Return (q, k) int64 ids, not verified; None, with a warning, if the base lacks rows that they may name.

    Unusable ids of a bundle are left out, with a warning. Raises BenchError if somebody names unusable ids.
    """
    source, queries = arrays["neighbors"], arrays["queries"].shape[0]
    try:
        neighbors = whole(source)
        if neighbors.ndim != 2 or neighbors.shape[0] != queries or neighbors.shape[1] == 0:
            needed = f"there are {queries} queries: give one row per query"
            raise BenchError(f"{source.where} has shape {neighbors.shape}, {needed}")
        if neighbors.dtype.kind not in "iu":
            raise BenchError(
                f"{source.where} has type {neighbors.dtype}: neighbours are the numbers of base rows, from 0"
            )
    except BenchError as error:
        if parts.neighbors is None or is_named(parts.neighbors):
            raise
        _warn_unusable(str(error))
        return None
    if len(taken["base"]) < arrays["base"].shape[0]:
        warn_left_out(source.where, "neighbors", "all its rows")
        return None
    return neighbors[taken["queries"]].astype(np.int64)


def _warn_unusable(why: str) -> None:
    warnings.warn(f"{why}; the neighbours are left out, and not verified", BenchWarning, stacklevel=4)
