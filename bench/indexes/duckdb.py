"""DuckDB's VSS extension: usearch under a table in memory. It draws nothing from a seed: jitter takes its place.

Read in the extension's source (hnsw_index.cpp, hnsw_index_physical_create.cpp): on one thread, rows enter the graph in
the order of the table, whether the index is there before them or made afterwards. Levels depend on position, always the
same; if the index is there first, they start again when it grows: with the transaction that passes a power of 2.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.indexes.engine import Engine, importing
from bench.indexes.insertion import Chunk, JitteredParams, calls, check_jitter, jittered

_INSERT_BLOCK = 1024  # rows turned into Python's objects at a time
_KINDS = {"l2": "l2sq", "cosine": "cosine", "ip": "ip"}
_DISTANCES = {"l2": "array_distance", "cosine": "array_cosine_distance", "ip": "array_negative_inner_product"}


class DuckdbParams(JitteredParams, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """M0: links of a node at level 0.
    index: whether it is there before the rows, or is made of the filled table.
    chunk: rows of a transaction, or "all"; an index that is there takes them when it ends. One made afterwards is the
        same for any.
    """

    M0: int | Literal["2M"] = "2M"
    index: Literal["first", "after"] = "first"
    chunk: Chunk = 1


def check(params: DuckdbParams) -> None:
    """Raises ValueError for parameters that DuckDB refuses."""
    check_jitter(params)
    if params.M0 != "2M" and not params.M <= params.M0 < 2**31:
        raise ValueError(f"M0 = {params.M0}: give at least M = {params.M}, or 2M")


class DuckdbSearcher:
    """A table of ids and vectors, in the order of insertion, with its index."""

    def __init__(self, connection: Any, metric: str, dimension: int) -> None:
        self.connection = connection
        self._nearest = f"SELECT id FROM rows ORDER BY {_DISTANCES[metric]}(vector, ?::FLOAT[{dimension}]) LIMIT ?"

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        answers = np.full((len(queries), k), -1, dtype=np.int64)
        with _interruptible():
            self.connection.execute(f"SET hnsw_ef_search = {ef_search}")
            self._prove(queries[0], k)
            for answer, query in zip(answers, queries, strict=True):
                found = self.connection.execute(self._nearest, [query, k]).fetchall()
                answer[: len(found)] = [row[0] for row in found]
        return answers

    def _prove(self, query: np.ndarray, k: int) -> None:
        """Raises RuntimeError if the statement of the searches would read the table, not the graph."""
        plan = self.connection.execute(f"EXPLAIN {self._nearest}", [query, k]).fetchall()[0][1]
        if "HNSW_INDEX_SCAN" not in plan or "SEQ_SCAN" in plan:
            raise RuntimeError("DuckDB answers by an exact scan: its plan has no HNSW_INDEX_SCAN alone")


def build(base: np.ndarray, order: np.ndarray, metric: str, params: DuckdbParams, seed: int) -> DuckdbSearcher:
    """A table of `base` (n, d) with row order[i] inserted i-th, each moved by fewer than `jitter` places by `seed`."""
    links = 2 * params.M if params.M0 == "2M" else params.M0
    create = (
        f"CREATE INDEX graph ON rows USING HNSW (vector) WITH (metric = '{_KINDS[metric]}', M = {params.M}, "
        f"M0 = {links}, ef_construction = {params.ef_construction})"
    )
    with _interruptible():
        connection = _database(params.threads)
        connection.execute(f"CREATE TABLE rows (id BIGINT, vector FLOAT[{base.shape[1]}])")
        if params.index == "first":
            connection.execute(create)
        chunk = params.chunk if params.index == "first" else "all"
        for rows in calls(jittered(order, params.jitter, seed), chunk):
            connection.execute("BEGIN")
            for pairs in _blocks(base, rows):
                connection.executemany("INSERT INTO rows VALUES (?, ?)", pairs)
            connection.execute("COMMIT")
        if params.index == "after":
            connection.execute(create)
    return DuckdbSearcher(connection, metric, base.shape[1])


def _database(threads: int) -> Any:
    """A database in memory of its own, that fetches nothing and writes nothing, with the extension."""
    import duckdb
    import pandas  # noqa: F401 - else DuckDB does so in the first INSERT, and loses a Ctrl-C meanwhile

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": "",  # what does not fit into memory fails, and goes into no folder
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("LOAD '{}'".format(str(_extension(duckdb.__version__)).replace("'", "''")))
    connection.execute("SET enable_progress_bar = false")  # it is shown where Python seems interactive, as in a worker
    # Else a small k is looked up in a scan of the table, by rows that the graph found
    connection.execute("SET late_materialization_max_rows = 0")
    return connection


def _extension(version: str) -> Path:
    """The file of the extension, which comes for one version of DuckDB; loading it by its path asks no server."""
    found = find_spec("duckdb_extension_vss")
    if found is None or found.origin is None:
        raise RuntimeError("DuckDB has no VSS extension: pip install 'hnsw-order-bench[duckdb]'")
    file = Path(found.origin).parent / "extensions" / f"v{version}" / "vss.duckdb_extension"
    if not file.is_file():
        fitting = metadata.version("duckdb-extension-vss")
        raise RuntimeError(f"DuckDB {version} has no VSS extension here: pip install 'duckdb=={fitting}'")
    return file


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C as it is everywhere: DuckDB makes another exception of it."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from None


def _blocks(base: np.ndarray, rows: np.ndarray) -> Iterator[list[list[Any]]]:
    for start in range(0, len(rows), _INSERT_BLOCK):
        ids = rows[start : start + _INSERT_BLOCK]
        yield [[one, vector] for one, vector in zip(ids.tolist(), base[ids], strict=True)]


ENGINE = Engine(
    build=build,
    package="duckdb",
    about="the VSS extension in memory; index before or after the rows; jitter for a seed",
    params=DuckdbParams,
    check=check,
    extra="duckdb",
    prepare=importing("duckdb", "pandas"),
    libraries=("duckdb-extension-vss",),
)
