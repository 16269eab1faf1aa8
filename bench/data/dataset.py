"""Base vectors, queries, labels: checked once, when made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from bench import cache
from bench.errors import BenchError, unknown

Metric = Literal["l2", "cosine", "ip"]
METRICS: tuple[str, ...] = get_args(Metric)

# Squared lengths outside this range overflow or vanish in float32, in which engines compute.
_LEAST, _MOST = 1e-30, 1e30
_BLOCK_VALUES = 1 << 24  # values looked at at a time, so that a base larger than memory can be checked


@dataclass(frozen=True)
class Judgements:
    """What is relevant to a dataset's queries.

    query_ids: (q,) str, one a query; doc_ids: (n,) str, one a base row. qrels: by query id and document id, a
    grade, 0 for not relevant.
    """

    query_ids: np.ndarray
    doc_ids: np.ndarray
    qrels: Mapping[str, Mapping[str, int]]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the queries and what is relevant to them, a dot, and that of the documents, as hexadecimal.

        All that figures of retrieval depend on beside the ids found. Where the part before the dot is the same, figures
        can be compared, though one base may lack documents that another has.
        """
        qrels = {query: dict(row) for query, row in self.qrels.items()}
        asked = cache.key_digest({"queries": cache.array_digest(self.query_ids), "qrels": qrels})
        return f"{asked}.{cache.array_digest(self.doc_ids)}"


@dataclass(frozen=True)
class Dataset:
    """Vectors to index and vectors to search for. Make one with `checked`.

    base: (n, d) float32, queries: (q, d) float32, labels: (n,) integers or strings, or None; all
    C-contiguous and read-only. metric: `l2`, `cosine` or `ip`. fingerprint: SHA-256 of the arrays.
    judgements: relevance, where the dataset has it. neighbors: (q, k) base ids that came with the data as the
    queries' nearest: to be verified, never trusted.
    """

    name: str
    base: np.ndarray
    queries: np.ndarray
    metric: str
    labels: np.ndarray | None
    fingerprint: str
    judgements: Judgements | None = None
    neighbors: np.ndarray | None = None

    @property
    def n(self) -> int:
        return int(self.base.shape[0])

    @property
    def d(self) -> int:
        return int(self.base.shape[1])


def checked(
    name: str,
    base: np.ndarray,
    queries: np.ndarray,
    metric: str,
    labels: np.ndarray | None = None,
    *,
    neighbors: np.ndarray | None = None,
    files: dict[str, str] | None = None,
    judgements: Judgements | None = None,
) -> Dataset:
    """A Dataset of these arrays, or a BenchError that says what is wrong with which of them.

    Arrays of another type than float32 are converted; float64 and integers may lose digits.
    files: where `base`, `queries`, `labels` and `neighbors` came from, for the error; by default the dataset's name.
    judgements: carried along; the fingerprint is that of the arrays alone, so that recall is shared.
    """
    told = {part: f"{name}: {part}" for part in ("base", "queries", "labels", "neighbors")} | (files or {})
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    base = check_vectors(base, told["base"], metric)
    queries = check_vectors(queries, told["queries"], metric)
    if base.shape[0] == 0:
        raise BenchError(f"{told['base']} has no rows")
    if queries.shape[1] != base.shape[1]:
        raise BenchError(
            f"{told['queries']} has dimension {queries.shape[1]}, {told['base']} has {base.shape[1]}: "
            "embed both with the same model"
        )
    if labels is not None:
        labels = check_labels(labels, told["labels"], base.shape[0])
    if judgements and (len(judgements.query_ids), len(judgements.doc_ids)) != (len(queries), len(base)):
        raise BenchError(
            f"{name}: judgements name {len(judgements.query_ids)} queries and {len(judgements.doc_ids)} documents, "
            f"the data has {len(queries)} and {len(base)} rows: one id a row is needed"
        )
    if neighbors is not None:
        neighbors = check_neighbors(neighbors, told["neighbors"], len(queries))
    return _made(name, base, queries, metric, labels, neighbors, judgements)


def _made(
    name: str,
    base: np.ndarray,
    queries: np.ndarray,
    metric: str,
    labels: np.ndarray | None,
    neighbors: np.ndarray | None = None,
    judgements: Judgements | None = None,
) -> Dataset:
    """A Dataset of arrays that are checked already."""
    base, queries, labels = read_only(base), read_only(queries), None if labels is None else read_only(labels)
    arrays = {"base": base, "queries": queries} | ({} if labels is None else {"labels": labels})
    digests = {part: cache.array_digest(array) for part, array in arrays.items()}
    return Dataset(name, base, queries, metric, labels, fingerprint(digests), judgements, neighbors)


def fingerprint(digests: dict[str, str]) -> str:
    """SHA-256 that identifies a dataset's content, from the digests of its arrays."""
    return cache.key_digest(digests)


def check_kind(shape: tuple[int, ...], dtype: np.dtype[Any], told: str) -> None:
    """A BenchError that names `told` where an array of this shape and type cannot be vectors."""
    if len(shape) != 2:
        raise BenchError(f"{told} has shape {shape}: vectors are rows of a 2-D array")
    if dtype.kind not in "fiu":
        raise BenchError(f"{told} has type {dtype}: vectors are real numbers")
    if shape[1] == 0:
        raise BenchError(f"{told} has rows of no values: shape {shape}")


def check_vectors(vectors: np.ndarray, told: str, metric: str) -> np.ndarray:
    """(n, d) vectors as read-only C-contiguous float32, or a BenchError naming `told` and the first bad row."""
    check_kind(vectors.shape, vectors.dtype, told)
    with np.errstate(over="ignore"):
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    step = max(1, _BLOCK_VALUES // vectors.shape[1])
    largest = 0.0
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise BenchError(f"{told} has NaN or infinity (as float32) in row {start + bad[0]}: repair or remove it")
        if metric == "cosine":
            zero = np.flatnonzero(~block.any(axis=1))
            if len(zero):
                raise BenchError(
                    f"{told} is all zeros in row {start + zero[0]}, "
                    "which has no direction under cosine: remove it, or use the metric l2"
                )
        squares = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        largest = max(largest, float(squares.max()))
        odd = np.flatnonzero((squares > _MOST) | ((squares < _LEAST) & (metric == "cosine")))
        if len(odd):
            raise BenchError(
                f"{told} has length {squares[odd[0]] ** 0.5:.1e} in row {start + odd[0]}, "
                "whose square float32 cannot hold: scale the vectors"
            )
    if 0 < largest < _LEAST:
        raise BenchError(f"{told} is so small that squares vanish in float32: scale the vectors")
    return read_only(vectors)


def check_labels(labels: np.ndarray, told: str, n: int) -> np.ndarray:
    """(n,) labels, or a BenchError that names `told`."""
    if labels.ndim != 1 or labels.shape[0] != n:
        raise BenchError(f"{told} has shape {labels.shape}, the base has {n} rows: one label a row is needed")
    if labels.dtype.kind not in "iuSU":
        raise BenchError(f"{told} has type {labels.dtype}: labels are integers or strings")
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError:
            raise BenchError(f"{told} has bytes that are not UTF-8: save labels as text") from None
    return read_only(np.ascontiguousarray(labels))


def check_neighbors(neighbors: np.ndarray, told: str, queries: int) -> np.ndarray:
    """(queries, k) int64 ids, or a BenchError that names `told`; whether the ids are right is not looked at."""
    if neighbors.ndim != 2 or neighbors.shape[0] != queries or neighbors.shape[1] == 0:
        raise BenchError(f"{told} has shape {neighbors.shape}, there are {queries} queries: one row a query is needed")
    if neighbors.dtype.kind not in "iu":
        raise BenchError(f"{told} has type {neighbors.dtype}: neighbours are the numbers of base rows, from 0")
    return read_only(np.ascontiguousarray(neighbors, dtype=np.int64))


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of `array` that cannot be written through; `array` itself where it cannot be written."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def hold_out_queries(dataset: Dataset, seed: int = 0) -> Dataset:
    """The dataset with a sample of its base as its queries, and without it in the base.

    A tenth of the rows, at most 1,000, is held out, so that no query finds itself. What stays keeps
    its order.
    """
    count = min(1000, dataset.n // 10)
    if count == 0:
        raise BenchError(f"{dataset.n} rows are too few to hold queries out of: give --queries, or at least 10 rows")
    rows = np.sort(np.random.default_rng([seed, *b"queries"]).choice(dataset.n, size=count, replace=False))
    stays = np.ones(dataset.n, dtype=bool)
    stays[rows] = False
    labels = None if dataset.labels is None else dataset.labels[stays]
    return _made(dataset.name, _taken(dataset, np.flatnonzero(stays)), dataset.base[rows], dataset.metric, labels)


def limit(dataset: Dataset, rows: int, seed: int = 0) -> Dataset:
    """The dataset with at most `rows` rows of its base, drawn by seed, in their given order.

    Given neighbours are left out: they are not those of the rows that stay. Judgements of rows left out stay: they
    are relevant, and cannot be found.
    """
    if rows >= dataset.n:
        return dataset
    chosen = np.sort(np.random.default_rng([seed, *b"limit"]).choice(dataset.n, size=rows, replace=False))
    labels = None if dataset.labels is None else dataset.labels[chosen]
    judgements = dataset.judgements
    if judgements is not None:
        judgements = replace(judgements, doc_ids=judgements.doc_ids[chosen])
    name = f"{dataset.name}[{rows}]"
    base = _taken(dataset, chosen)
    return _made(name, base, dataset.queries, dataset.metric, labels, judgements=judgements)


def _taken(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """These rows of the base: in memory where they are few, else kept on disk and memory-mapped."""
    step = max(1, _BLOCK_VALUES // dataset.d)
    if len(rows) <= step:
        return read_only(dataset.base[rows])
    blocks = (dataset.base[rows[start : start + step]] for start in range(0, len(rows), step))
    key = {"fingerprint": dataset.fingerprint, "rows": cache.array_digest(rows)}
    made = cache.Blocks((len(rows), dataset.d), dataset.base.dtype, blocks)
    return cache.entry("rows", key, lambda: {"base": made}).arrays["base"]
