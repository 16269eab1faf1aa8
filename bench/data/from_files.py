"""A Dataset of files of one's own, or of a published one."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data import formats
from bench.data.dataset import METRICS, Dataset, check_labels, checked, drawn, tell_unverified
from bench.data.formats import hdf5
from bench.data.formats.array import FileArray, check, nonzero, vectors, whole
from bench.errors import BenchError, BenchWarning, unknown

Told = Callable[[str], None]


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
    told: Told = lambda line: None,
) -> Dataset:
    """A Dataset of files in any of `formats.READERS`.

    A bundle (HDF5, npz) brings queries, labels, neighbours and its metric; what is given beside it takes
    their place, and neighbours of other queries or another metric are left out. Without a metric it is l2;
    without queries, a tenth of the base, at most 1,000 rows, is held out of it, by seed, so that no query finds itself.
    limit: at most so many rows of the base that stays, as `dataset.limit` draws them. drop_zeros: whether under cosine
    rows of zeros are left out, with a warning, rather than refused. told: is called with a line on what was chosen.

    Only rows that are taken are read where the file allows it. Errors count rows as the file does.
    """
    found = _found(base, queries, labels, metric, neighbors, told)
    rows, near, stem = found.base, found.neighbors, name or found.name
    at, queries_at = _numbers(found, stem, drop_zeros and found.metric == "cosine", told)
    if limit is not None and limit < len(at):
        at, stem = at[drawn(len(at), limit, "limit")], f"{stem}[{limit}]"
    if near and found.queries and (len(at), len(queries_at)) != (rows.shape[0], found.queries.shape[0]):
        tell_unverified(near.told)
        near = None
    return checked(
        stem,
        vectors(rows, at),
        vectors(found.queries or rows, queries_at),
        found.metric,
        None if found.labels is None else check_labels(found.labels, found.files["labels"], rows.shape[0])[at],
        neighbors=whole(near) if near else None,
        files=found.files,
        rows={"base": at, "queries": queries_at},
    )


def whole_file(base: Path, metric: str | None = None, labels: Path | None = None) -> Dataset:
    """A Dataset of all base rows of a file and no queries: for its geometry alone."""
    bundle = formats.read(base)
    rows = formats.get(bundle, "base")
    ranks_by = _metric(bundle, metric)
    row_labels, labels_from = _labels(bundle, labels)
    check(rows)
    base_rows = vectors(rows)
    files = {"base": rows.told} | labels_from
    return checked(bundle.path.stem, base_rows, base_rows[:0], ranks_by, row_labels, files=files)


class _Found(NamedTuple):
    """What a dataset is made from, vectors and neighbours not read yet; files: where each is from, for errors."""

    name: str
    metric: str
    base: FileArray
    queries: FileArray | None
    neighbors: FileArray | None
    labels: np.ndarray | None
    files: dict[str, str]


def _found(
    base: Path, queries: Path | None, labels: Path | None, metric: str | None, neighbors: Path | None, told: Told
) -> _Found:
    bundle = formats.read(base)
    rows = formats.get(bundle, "base")
    asked = formats.get(formats.read(queries), "queries") if queries else formats.find(bundle, "queries")
    if neighbors and asked is None:
        raise BenchError(f"{neighbors}: neighbours are those of queries; give the queries as well")
    ranks_by = _metric(bundle, metric, told)
    own = None if queries or bundle.metric not in (None, ranks_by) else formats.find(bundle, "neighbors")
    near = formats.get(formats.read(neighbors), "neighbors") if neighbors else own
    row_labels, labels_from = _labels(bundle, labels)
    parts = {"base": rows, "queries": asked or rows, "neighbors": near}
    files = {part: stored.told for part, stored in parts.items() if stored} | labels_from
    for stored in filter(None, (rows, asked)):
        check(stored)
    return _Found(bundle.path.stem, ranks_by, rows, asked, near, row_labels, files)


def _numbers(found: _Found, stem: str, drop_zeros: bool, told: Told) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of the base are its own and which are queries, or which of the queries there are.

    drop_zeros: those of zeros are not, with a warning.
    """
    parts = [part for part in (found.base, found.queries) if part]
    kept = [nonzero(part) if drop_zeros else np.arange(part.shape[0]) for part in parts]
    gone = [part.shape[0] - len(there) for part, there in zip(parts, kept, strict=True)]
    if any(gone):
        counted = " and ".join(f"{n:,} {what}" for n, what in zip(gone, ("rows", "queries"), strict=False))
        warnings.warn(f"{stem}: {counted} are all zeros, which have no direction; left out", BenchWarning, stacklevel=3)
    if found.queries:
        return kept[0], kept[1]
    at, queries_at = _held_out(kept[0])
    told(f"{found.base.told}: {len(queries_at)} rows held out as queries; --queries gives your own")
    return at, queries_at


def _held_out(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stay in the base, in their order, and those drawn as queries."""
    count = min(1000, len(rows) // 10)
    if count == 0:
        raise BenchError(f"{len(rows)} rows are too few to hold queries out of: give --queries, or at least 10 rows")
    places = drawn(len(rows), count, "queries")
    return np.delete(rows, places), rows[places]


def _labels(bundle: formats.Contents, given: Path | None) -> tuple[np.ndarray | None, dict[str, str]]:
    """The labels given beside a file, else those in it, or None; and where they are from, for errors."""
    if given:
        return formats.read_labels(given), {"labels": str(given)}
    found = formats.find(bundle, "labels")
    return (whole(found), {"labels": found.told}) if found else (None, {})


def _metric(bundle: formats.Contents, asked: str | None, told: Told = lambda line: None) -> str:
    """The metric that is asked, else the one that the file states, else l2."""
    stated = bundle.metric
    if asked is None:
        if stated not in (None, *METRICS):
            known = unknown("distance", stated, hdf5.METRICS)
            raise BenchError(f"{bundle.path}: attribute distance: {known}; --metric gives one in its place")
        told(
            f"{bundle.path}: metric {stated or 'l2'}{', as the file states' if stated else '; --metric gives another'}"
        )
        return stated or "l2"
    if asked not in METRICS:
        raise unknown("metric", asked, METRICS)
    if stated not in (None, asked):
        warnings.warn(
            f"{bundle.path} states the metric {stated}; {asked} is taken instead, "
            "and neighbours in the file are left out",
            BenchWarning,
            stacklevel=3,
        )
    return asked
