"""Base vectors, queries, labels: checked once, when the Dataset is created."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from bench import digests
from bench.convert import as_text
from bench.data.arrays import (
    cached_rows,
    check_labels,
    check_neighbors,
    check_query_groups,
    check_vectors,
    few,
    group_codes,
    read_only,
    rows_at_a_time,
)
from bench.errors import BenchError, BenchWarning, unknown

Metric = Literal["l2", "cosine", "ip"]
METRICS: tuple[str, ...] = get_args(Metric)
OWN_LEFT_OUT = "-own-left-out"  # what the digest of such Judgements has before its dot
_PARTS = ("base", "queries", "labels", "neighbors", "query_groups")


@dataclass(frozen=True)
class Judgements:
    """What is relevant to a dataset's queries.

    query_ids: (q,) str, one a query.
    doc_ids: (n,) str, one a base row.
    qrels: by query id and document id, a grade, 0 for not relevant.
    leave_own_out: whether the document that has a query's id is left out of what the query returns, as BEIR does: it is
        the query itself.
    """

    query_ids: np.ndarray
    doc_ids: np.ndarray
    qrels: Mapping[str, Mapping[str, int]]
    leave_own_out: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the queries and what is relevant to them, a dot, and that of the documents, as hexadecimal.

        All that figures of retrieval depend on beside the returned ids. If the part before the dot is the same, figures
        can be compared, though one base may lack documents that another has.
        """
        qrels = {query: dict(row) for query, row in self.qrels.items()}
        queries_digest = digests.key_digest({"queries": digests.array_digest(self.query_ids), "qrels": qrels})
        rule = OWN_LEFT_OUT if self.leave_own_out else ""
        return f"{queries_digest}{rule}.{digests.array_digest(self.doc_ids)}"

    @cached_property
    def own_rows(self) -> np.ndarray:
        """(q,) int64: for each query the base row of the document that has its id, or -1."""
        rows = {document: row for row, document in enumerate(self.doc_ids.tolist())}
        return np.array([rows.get(query, -1) for query in self.query_ids.tolist()], dtype=np.int64)


@dataclass(frozen=True)
class Dataset:
    """Vectors to index and vectors to search for, all C-contiguous and read-only. Make one with `checked`.

    name: as results give it.
    base: (n, d) float32.
    queries: (q, d) float32.
    metric: `l2`, `cosine` or `ip`.
    labels: (n,) integers or strings, or None.
    fingerprint: SHA-256 of the arrays.
    judgements: relevance, if the dataset has it.
    neighbors: (q, k) base ids that came with the data as the queries' nearest: to be verified, never trusted.
    source_rows: (n,) which rows of their source the base rows are, where queries were held out of them or some were
        left out; None where they are all.
    source_size: how many rows the source has, where they are not all.
    query_groups: (q,) int64, from 0, which group a query belongs to, where queries are not independent of each other;
        None where they are, or nothing is known.
    """

    name: str
    base: np.ndarray
    queries: np.ndarray
    metric: str
    labels: np.ndarray | None
    fingerprint: str
    judgements: Judgements | None = None
    neighbors: np.ndarray | None = None
    source_rows: np.ndarray | None = None
    source_size: int = 0
    query_groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", as_text(self.name))  # which may be a file's

    @property
    def n(self) -> int:
        return int(self.base.shape[0])

    @property
    def d(self) -> int:
        return int(self.base.shape[1])

    @property
    def source_count(self) -> int:
        """How many rows the source of the base has, those that are not in it included."""
        return self.n if self.source_rows is None else self.source_size

    def by_source(self, values: np.ndarray) -> np.ndarray:
        """(source_count,) values of the base rows (n,) by the rows of their source; NaN for those that it lacks."""
        if self.source_rows is None:
            return values
        by_row = np.full(self.source_count, np.nan)
        by_row[self.source_rows] = values
        return by_row


def checked(
    name: str,
    base: np.ndarray,
    queries: np.ndarray,
    metric: str,
    labels: np.ndarray | None = None,
    *,
    neighbors: np.ndarray | None = None,
    files: dict[str, str] | None = None,
    rows: dict[str, np.ndarray] | None = None,
    source_size: int = 0,
    judgements: Judgements | None = None,
    query_groups: np.ndarray | None = None,
) -> Dataset:
    """A Dataset of these arrays, or a BenchError that says what is wrong with which of them.

    Arrays of another type than float32 are converted; float64 and integers may lose digits.
    files: where `base`, `queries`, `labels`, `neighbors` and `query_groups` came from, for the error; by default the
        dataset's name.
    rows: of `base` and `queries` that are not all rows of their file, which they are.
    source_size: how many rows the base's file has, where rows of it are given.
    judgements: carried along; the fingerprint is that of the arrays alone, so that recall is shared.
    query_groups: (q,) labels of any kind; where every query has one of its own it is as if there were none.
    """
    where = {part: f"{name}: {part}" for part in _PARTS} | (files or {})
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    base = check_vectors(base, where["base"], metric, (rows or {}).get("base"))
    queries = check_vectors(queries, where["queries"], metric, (rows or {}).get("queries"))
    if base.shape[0] == 0:
        raise BenchError(f"{where['base']} has no rows")
    if queries.shape[1] != base.shape[1]:
        raise BenchError(
            f"{where['queries']} has dimension {queries.shape[1]}, {where['base']} has {base.shape[1]}: "
            "embed both with the same model"
        )
    labels = None if labels is None else check_labels(labels, where["labels"], base.shape[0])
    if judgements and (len(judgements.query_ids), len(judgements.doc_ids)) != (len(queries), len(base)):
        raise BenchError(
            f"{name}: judgements name {len(judgements.query_ids)} queries and {len(judgements.doc_ids)} documents, "
            f"the data has {len(queries)} and {len(base)} rows: one id a row is needed"
        )
    if neighbors is not None:
        neighbors = check_neighbors(neighbors, where["neighbors"], len(queries))
    if query_groups is not None:
        query_groups = check_query_groups(query_groups, where["query_groups"], len(queries))
        query_groups = group_codes(query_groups, where["query_groups"])
    part = (rows or {}).get("base") if source_size > len(base) else None
    return _dataset(name, base, queries, metric, labels, neighbors, judgements, part, source_size, query_groups)


def _dataset(
    name: str,
    base: np.ndarray,
    queries: np.ndarray,
    metric: str,
    labels: np.ndarray | None,
    neighbors: np.ndarray | None = None,
    judgements: Judgements | None = None,
    source_rows: np.ndarray | None = None,
    source_size: int = 0,
    query_groups: np.ndarray | None = None,
) -> Dataset:
    """A Dataset of arrays that are checked already."""
    base, queries, labels = read_only(base), read_only(queries), None if labels is None else read_only(labels)
    arrays = {"base": base, "queries": queries, "labels": labels, "query_groups": query_groups}
    digest = fingerprint({part: digests.array_digest(array) for part, array in arrays.items() if array is not None})
    return Dataset(
        name, base, queries, metric, labels, digest, judgements, neighbors, source_rows, source_size, query_groups
    )


def fingerprint(by_part: dict[str, str]) -> str:
    """SHA-256 that identifies a dataset's content, from the digests of its arrays."""
    return digests.key_digest(by_part)


def drawn(n: int, count: int, purpose: str, seed: int = 0) -> np.ndarray:
    """Numbers of `count` of n rows, ascending, drawn by seed for a purpose; all if there are not so many."""
    if count >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, *purpose.encode()]).choice(n, size=count, replace=False))


def limit(dataset: Dataset, rows: int, seed: int = 0) -> Dataset:
    """The dataset with at most `rows` rows of its base, drawn by seed, in their given order.

    Given neighbours are left out, with a warning: they are those of all rows. Judgements of rows that are left out
    stay: these count as relevant and never returned.
    """
    if rows >= dataset.n:
        return dataset
    if dataset.neighbors is not None:
        warn_unverified(dataset.name)
    return part(dataset, drawn(dataset.n, rows, "limit", seed), f"{dataset.name}[{rows}]")


def part(dataset: Dataset, rows: np.ndarray, name: str) -> Dataset:
    """The dataset with these rows (ascending) of its base alone, by another name, without given neighbours."""
    judgements = dataset.judgements
    if judgements is not None:
        judgements = replace(judgements, doc_ids=judgements.doc_ids[rows])
    return _dataset(
        name,
        _take(dataset, rows),
        dataset.queries,
        dataset.metric,
        None if dataset.labels is None else dataset.labels[rows],
        judgements=judgements,
        source_rows=rows if dataset.source_rows is None else dataset.source_rows[rows],
        source_size=dataset.source_count,
        query_groups=dataset.query_groups,
    )


def warn_unverified(where: str, of: str = "all its rows") -> None:
    """A BenchWarning that given neighbours are left out, since they are those of something else."""
    warnings.warn(
        f"{where}: the neighbours that came with the data are those of {of}; left out, and not verified",
        BenchWarning,
        stacklevel=3,
    )


def warn_other_groups(where: str) -> None:
    """A BenchWarning that groups of queries are left out, since the queries are others."""
    warnings.warn(
        f"{where}: its groups of queries are those of other queries; left out (give query groups of your own)",
        BenchWarning,
        stacklevel=3,
    )


def _take(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """These rows of the base: in memory if they are few, else in the cache and memory-mapped."""
    if few(len(rows), dataset.d):
        return read_only(dataset.base[rows])
    step = rows_at_a_time(dataset.d)
    blocks = (dataset.base[rows[start : start + step]] for start in range(0, len(rows), step))
    key = {"fingerprint": dataset.fingerprint, "rows": digests.array_digest(rows)}
    return cached_rows("part", key, (len(rows), dataset.d), blocks, f"a copy of {len(rows):,} rows of {dataset.name}")
