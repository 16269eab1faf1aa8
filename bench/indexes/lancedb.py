"""LanceDB: a table in a private folder, and an IVF_HNSW index of it. One partition is one graph, in the table's order.

Levels come from a fixed seed, and one thread repeats bit by bit: the build seed moves rows a little. Threads are set by
environment variables that its library reads once in a process, by its first build, and that nothing else sees.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from bench.indexes.engine import Engine
from bench.indexes.insertion import Chunk, JitteredParams, calls, check_jitter, jittered
from bench.indexes.scratch import Scratch

_THREADS = ("RAYON_NUM_THREADS", "LANCE_CPU_THREADS", "TOKIO_WORKER_THREADS")
_DISTANCES: dict[str, Any] = {"l2": "l2", "cosine": "cosine", "ip": "dot"}
_INSERT_BLOCK = 1024  # rows gathered at a time, whatever a call adds
_QUERIES = 100  # a call: answers as one by one, eight times as fast
_loaded_with: list[int] = []  # the threads that LanceDB was loaded with in this process


class LanceDBParams(JitteredParams, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows per `add`. The graph is built afterwards, in the table's order, so that it affects build time only.
    index_type: FLAT compares the float32 vectors; SQ bytes, one per dimension, and does not rank again.
    num_partitions: graphs, each of the rows nearest to a centre of k-means, whose start no seed decides: with more than
        one, no build repeats. A search visits all of them.
    """

    chunk: Chunk = "all"
    index_type: Literal["FLAT", "SQ"] = "FLAT"
    num_partitions: int = 1


class LanceDBSearcher:
    """A table whose row ids are places in the order, and the order that turns them into base ids."""

    def __init__(self, table: Any, scratch: Scratch, order: np.ndarray, metric: str, partitions: int) -> None:
        self.table = table
        self._scratch = scratch  # removed with this object
        self._order = order
        self._metric = metric
        self._partitions = partitions

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        for start in range(0, len(queries), _QUERIES):
            query = (
                self.table.search(queries[start : start + _QUERIES], vector_column_name="vector")
                .distance_type(_DISTANCES[self._metric])
                .nprobes(self._partitions)
                .ef(max(ef_search, k))  # it refuses less
                .limit(k)
                .select(["id", "_distance"])
            )
            if not start:
                _check_plan(query.explain_plan())
            found = query.to_arrow()
            places = self._order[found["id"].to_numpy()]
            if "query_index" not in found.column_names:  # of a single query
                ids[start, : len(places)] = places
                continue
            row = start + found["query_index"].to_numpy()
            counts = np.bincount(row, minlength=len(queries))
            ids[row, np.arange(len(row)) - (np.cumsum(counts) - counts)[row]] = places
        return ids


def build(base: np.ndarray, order: np.ndarray, metric: str, params: LanceDBParams, seed: int) -> LanceDBSearcher:
    """A table of `base` (n, d) with row order[i] as the i-th, moved a little by `seed`, and its index."""
    _load(params.threads)
    import lancedb

    order = jittered(order, params.jitter, seed)
    scratch = Scratch()
    # Its pools start with the first build; its temporary files are in a folder that is removed whatever happens
    with _environment(_counts(params.threads) | {"TMPDIR": str(scratch.path)}):
        schema = _reader(base, order[:0], 0).schema
        table = lancedb.connect(str(scratch.path / "db")).create_table("rows", schema=schema)
        place = 0
        for rows in calls(order, params.chunk):
            table.add(_reader(base, rows, place), write_parallelism=1)
            place += len(rows)
        table.create_index("vector", config=_index(metric, params))
    return LanceDBSearcher(table, scratch, order, metric, params.num_partitions)


def _load(threads: int) -> None:
    """Let LanceDB work on `threads` threads. Raises RuntimeError if this process loaded it with another number."""
    if "lancedb" not in sys.modules:
        with _environment(_counts(threads)):
            import lancedb  # noqa: F401

        _loaded_with[:] = [threads]
    elif not _loaded_with and all(os.environ.get(name) == str(threads) for name in _THREADS):
        _loaded_with[:] = [threads]  # by somebody who had set them
    if _loaded_with != [threads]:
        before = f"threads = {_loaded_with[0]}" if _loaded_with else f"other values of {', '.join(_THREADS)}"
        raise RuntimeError(
            f"LanceDB reads its number of threads once in a process, and was loaded in this one with {before}: "
            f"build with threads = {threads} in another process"
        )


def _counts(threads: int) -> dict[str, str]:
    return dict.fromkeys(_THREADS, str(threads))


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for a while: other libraries and child processes read them too."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _reader(base: np.ndarray, rows: np.ndarray, place: int) -> Any:
    """Rows of `base` with their places from `place` on, gathered in blocks as LanceDB reads them."""
    import pyarrow as pa

    vector = pa.list_(pa.float32(), base.shape[1])
    schema = pa.schema([("id", pa.int64()), ("vector", vector)])

    def batches() -> Iterator[Any]:
        for start in range(0, len(rows), _INSERT_BLOCK):
            block = base[rows[start : start + _INSERT_BLOCK]]
            ids = np.arange(place + start, place + start + len(block))
            flat = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), base.shape[1])
            yield pa.record_batch([pa.array(ids), flat], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _index(metric: str, params: LanceDBParams) -> Any:
    from lancedb.index import HnswFlat, HnswSq

    kind = HnswFlat if params.index_type == "FLAT" else HnswSq
    return kind(
        distance_type=_DISTANCES[metric],
        num_partitions=params.num_partitions,
        m=params.M,
        ef_construction=params.ef_construction,
    )


def _check_plan(plan: str) -> None:
    """Raises RuntimeError if a plan compares rows that it does not find by the graph."""
    if "ANNSubIndex" not in plan or "KNN" in plan:
        steps = ", ".join(line.strip().partition(":")[0] for line in plan.splitlines() if line.strip())
        raise RuntimeError(f"LanceDB answers from no graph, or scans rows that are not in it: its plan is {steps}")


def _check(params: LanceDBParams) -> None:
    check_jitter(params)
    if params.M < 4:
        raise ValueError(f"M = {params.M}: LanceDB builds no graph of fewer than 4 links a node; give at least 4")
    if params.num_partitions < 1:
        raise ValueError(f"num_partitions = {params.num_partitions}: give at least 1")


ENGINE = Engine(
    build=build,
    package="lancedb",
    libraries=("pyarrow",),
    about="IVF_HNSW_FLAT of one partition, in the table's order; repeats on one thread; builds differ by jitter",
    params=LanceDBParams,
    check=_check,
    extra="lancedb",
    repeats_with=lambda params: params.num_partitions == 1,
    prepare=lambda params: _load(params.threads),
    threads_by_process=True,
)
