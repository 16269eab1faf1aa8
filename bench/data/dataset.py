"""Base vectors, queries, labels: checked once, when the Dataset is created."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from bench import digests
from bench.convert import as_text
from bench.data.arrays import cached_rows, few, read_only, rows_at_a_time
from bench.errors import BenchError, BenchWarning

Metric = Literal["l2", "cosine", "ip"]
METRICS: tuple[str, ...] = get_args(Metric)
OWN_LEFT_OUT = "-own-left-out"  # what the digest of such Judgements has before its dot
_LEFT_OUT = {  # by part, what it is called and what follows
    "neighbors": ("the neighbours that came with the data", ", and not verified"),
    "query_groups": ("its groups of queries", " (give query groups of your own)"),
    "judgements": ("its judgements", ", so retrieval is not scored"),
}


@dataclass(frozen=True)
class Judgements:
    """The documents that are relevant to a dataset's queries.

    query_ids: (q,) str, one per query.
    doc_ids: (n,) str, one per base row.
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

        Retrieval figures depend on this and on the returned ids only. If the part before the dot is the same, figures
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

    def matched(self, name: str, queries: int, documents: int, rows: np.ndarray) -> "Judgements":
        """Return the judgements for these rows of all documents. Raises BenchError if the numbers of ids differ."""
        if (len(self.query_ids), len(self.doc_ids)) != (queries, documents):
            raise BenchError(
                f"{name}: judgements name {len(self.query_ids)} queries and {len(self.doc_ids)} documents, "
                f"the data has {queries} and {documents} rows: give one id per row"
            )
        return replace(self, doc_ids=self.doc_ids[rows])


@dataclass(frozen=True)
class Dataset:
    """Vectors to index and vectors to search for, all C-contiguous and read-only. `check.checked` makes one.

    name: as results give it.
    base: (n, d) float32.
    queries: (q, d) float32.
    metric: `l2`, `cosine` or `ip`.
    labels: (n,) integers or strings, or None.
    fingerprint: SHA-256 of the arrays.
    judgements: relevance, if the dataset has it.
    neighbors: (q, k) base ids that came with the data as the queries' nearest: to be verified, never trusted.
    source_rows: (n,) which rows of their source the base rows are, where queries were held out of them or some were
        left out; None if they are all.
    source_size: how many rows the source has, if they are not all.
    query_groups: (q,) int64, from 0, which group a query belongs to, where queries are not independent of each other;
        None if they are, or nothing is known.
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
        for part in ("base", "queries", "labels", "neighbors", "query_groups"):
            if (array := getattr(self, part)) is not None:
                object.__setattr__(self, part, read_only(array))

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


def fingerprint(arrays: Mapping[str, np.ndarray | None]) -> str:
    """Return the SHA-256 of a dataset's content: of the arrays that it has, by part."""
    return digests.key_digest(
        {part: digests.array_digest(array) for part, array in arrays.items() if array is not None}
    )


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
        warn_left_out(dataset.name, "neighbors", "all its rows")
    return part(dataset, drawn(dataset.n, rows, "limit", seed), f"{dataset.name}[{rows}]")


def part(dataset: Dataset, rows: np.ndarray, name: str) -> Dataset:
    """The dataset with these rows (ascending) of its base alone, by another name, without given neighbours."""
    base = _take(dataset, rows)
    labels = None if dataset.labels is None else dataset.labels[rows]
    arrays = {"base": base, "queries": dataset.queries, "labels": labels, "query_groups": dataset.query_groups}
    return replace(
        dataset,
        name=name,
        base=base,
        labels=labels,
        fingerprint=fingerprint(arrays),
        judgements=dataset.judgements and replace(dataset.judgements, doc_ids=dataset.judgements.doc_ids[rows]),
        neighbors=None,
        source_rows=rows if dataset.source_rows is None else dataset.source_rows[rows],
        source_size=dataset.source_count,
    )


def warn_left_out(where: str, part: str, of: str) -> None:
    """Warn that a part of a dataset is left out, because it belongs to something else. where: the place of the part."""
    what, so = _LEFT_OUT[part]
    warnings.warn(f"{where}: {what} are those of {of}; left out{so}", BenchWarning, stacklevel=3)


def _take(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """These rows of the base: in memory if they are few, else in the cache and memory-mapped."""
    if few(len(rows), dataset.d):
        return np.asarray(dataset.base[rows])
    step = rows_at_a_time(dataset.d)
    blocks = (dataset.base[rows[start : start + step]] for start in range(0, len(rows), step))
    key = {"fingerprint": dataset.fingerprint, "rows": digests.array_digest(rows)}
    return cached_rows("part", key, (len(rows), dataset.d), blocks, f"a copy of {len(rows):,} rows of {dataset.name}")
