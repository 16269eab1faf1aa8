"""pgvector, in a PostgreSQL server: the one that pgserver brings, or another that BENCH_PGVECTOR_DSN names.

A build is one transaction that is never committed: its table, which nobody else sees, is gone with its connection.
Read in the extension's source (hnswinsert.c, hnswbuild.c): rows enter the graph in the sequence of `COPY` where the
index is there before them, and of the table where it is made afterwards; the server draws levels from its own seed.
"""

import os
import uuid
import warnings
import weakref
from functools import cache
from typing import Any, Literal

import numpy as np

from bench.errors import BenchError, BenchWarning
from bench.indexes import postgres
from bench.indexes.engine import Engine, NotInstalledError, Params, Promises
from bench.indexes.insertion import Chunk, calls

DSN = "BENCH_PGVECTOR_DSN"
_COPY_BLOCK = 1024  # rows sent at a time
_OPERATORS = {"l2": "<->", "cosine": "<=>", "ip": "<#>"}
_ROW = [("fields", ">i2"), ("id_bytes", ">i4"), ("id", ">i8"), ("vector_bytes", ">i4"), ("d", ">i2"), ("zero", ">i2")]
_NUMBERS = {"vector": ">f4", "halfvec": ">f2"}  # of a row, as they are sent
_MOST_DIMENSIONS = {"vector": 2000, "halfvec": 4000}  # of an index
_SETTINGS = {
    "enable_seqscan": "off",
    "plan_cache_mode": "force_custom_plan",  # of each query, as the one that is proven
    "synchronize_seqscans": "off",  # else the scan that an index is made of may begin anywhere in the table
    "client_min_messages": "notice",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_servers: list[postgres.Server] = []  # this process's own, once it has one


class PgvectorParams(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """index: whether it is there before the rows, or is made of the filled table.
    chunk: rows of a `COPY`, or "all"; one row after the other enters an index that is there.
    dtype: the type of the column: float32, or float16, which halves the table and takes twice as many dimensions.
    """

    index: Literal["first", "after"] = "first"
    dtype: Literal["vector", "halfvec"] = "vector"
    chunk: Chunk = "all"


def check(params: PgvectorParams) -> None:
    """Raises ValueError for parameters that pgvector refuses."""
    if params.M > 100:
        raise ValueError(f"M = {params.M}: pgvector takes at most 100")
    if not 2 * params.M <= params.ef_construction <= 1000:
        raise ValueError(
            f"ef_construction = {params.ef_construction}: pgvector takes 2 M = {2 * params.M} to 1000: "
            "give another of the two"
        )
    if params.threads > 1 and params.index == "first":
        raise ValueError(f'threads = {params.threads}: rows enter an index one by one: give 1, or index = "after"')


def refuses(params: PgvectorParams, d: int) -> str:
    """Return why pgvector indexes no rows of d dimensions; empty if it does."""
    most = _MOST_DIMENSIONS[params.dtype]
    if d <= most:
        return ""
    instead = ' (dtype = "halfvec" takes 4,000)' if d <= _MOST_DIMENSIONS["halfvec"] else ""
    return f'takes at most {most:,} dimensions with dtype = "{params.dtype}", and the rows have {d:,}{instead}'


class PgvectorSearcher:
    """A table of ids and vectors, in the order of insertion, with its index."""

    def __init__(self, connection: Any, table: str, metric: str, dtype: str) -> None:
        self.connection = connection
        self.table = table
        self._dtype = dtype
        self._operator = _OPERATORS[metric]
        self._finalizer = weakref.finalize(self, _close, connection, os.getpid())

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        nearest = f"SELECT id FROM {self.table} ORDER BY vector {self._operator} %s::{self._dtype} LIMIT {k}"
        _set(self.connection, {"hnsw.ef_search": str(ef_search)})
        self._prove(nearest, queries[0])
        answers = np.full((len(queries), k), -1, dtype=np.int64)
        for answer, query in zip(answers, queries, strict=True):
            found = self.connection.execute(nearest, [str(query.tolist())]).fetchall()
            answer[: len(found)] = [row[0] for row in found]
        return answers

    def _prove(self, nearest: str, query: np.ndarray) -> None:
        """Raises RuntimeError if the statement of the searches would read the table, not the graph."""
        plan = self.connection.execute(f"EXPLAIN {nearest}", [str(query.tolist())]).fetchall()
        if not any(f"Index Scan using {self.table}_graph" in line for (line,) in plan):
            raise RuntimeError("pgvector answers by an exact scan: its plan has no Index Scan of the graph")


def build(base: np.ndarray, order: np.ndarray, metric: str, params: PgvectorParams, seed: int) -> PgvectorSearcher:
    """A table of `base` (n, d) with row order[i] inserted i-th; the server draws levels by itself, not from `seed`."""
    table = f"bench_{uuid.uuid4().hex}"
    connection = _connection()
    searcher = PgvectorSearcher(connection, table, metric, params.dtype)
    room = len(order) * (4 * base.shape[1] + 64 * params.M + 512) * 3 // 2  # of a graph, and half as much
    connection.add_notice_handler(_tell_of_spill)
    _check_workers(connection, params.threads)
    _check_type(connection, params.dtype)
    workers = str(params.threads - 1)
    memory = {"maintenance_work_mem": f"{room // 1024 + 65536}kB", "max_parallel_maintenance_workers": workers}
    _set(connection, _SETTINGS | memory)
    connection.execute(
        f"CREATE UNLOGGED TABLE {table} (id bigint, vector {params.dtype}({base.shape[1]})) "
        f"WITH (parallel_workers = {workers})"
    )
    # The server's own settings of searches, if it has any, would tell: known now that a vector has loaded the extension
    connection.execute("SELECT set_config(name, boot_val, true) FROM pg_settings WHERE name LIKE 'hnsw.%'")
    create = (
        f"CREATE INDEX {table}_graph ON {table} USING hnsw (vector {params.dtype}_{metric}_ops) "
        f"WITH (m = {params.M}, ef_construction = {params.ef_construction})"
    )
    if params.index == "first":
        connection.execute(create)
    for rows in calls(order, params.chunk):
        _copy(connection, table, base, rows, params.dtype)
    if params.index == "after":
        connection.execute(create)
    return searcher


def _copy(connection: Any, table: str, base: np.ndarray, rows: np.ndarray, dtype: str) -> None:
    """One `COPY` of these rows of `base`, in PostgreSQL's binary format: float32 exactly, or rounded to float16."""
    d = base.shape[1]
    row = np.dtype([*_ROW, ("vector", _NUMBERS[dtype], (d,))])
    vector_bytes = 4 + row["vector"].itemsize
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for start in range(0, len(rows), _COPY_BLOCK):
            ids = rows[start : start + _COPY_BLOCK]
            sent = np.zeros(len(ids), dtype=row)
            sent["fields"], sent["id_bytes"], sent["vector_bytes"], sent["d"] = 2, 8, vector_bytes, d
            sent["id"], sent["vector"] = ids, base[ids]
            copy.write(sent.tobytes())
        copy.write(b"\xff\xff")


def _check_workers(connection: Any, threads: int) -> None:
    """Raises RuntimeError if the server has fewer processes than threads: it would build with fewer, and not say so."""
    for name in ("max_parallel_workers", "max_worker_processes"):
        most = int(connection.execute(f"SHOW {name}").fetchone()[0])
        if threads - 1 > most:
            raise RuntimeError(
                f"threads = {threads}: the server has {name} = {most}: give at most {most + 1} threads, or raise it"
            )


def _check_type(connection: Any, dtype: str) -> None:
    """Raise RuntimeError if the server's pgvector has no such type."""
    if connection.execute("SELECT to_regtype(%s)", [dtype]).fetchone() == (None,):
        (version,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        raise RuntimeError(
            f'dtype = "{dtype}" needs pgvector 0.7 or newer, and the server has {version}: name another in {DSN}'
        )


def _close(connection: Any, owner: int) -> None:
    """Close a connection in the process that opened it: a forked child's copy of it would end its parent's."""
    if os.getpid() == owner:
        connection.close()


def _set(connection: Any, settings: dict[str, str]) -> None:
    """Settings of this transaction."""
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])


def _tell_of_spill(notice: Any) -> None:
    if "no longer fits" in notice.message_primary:
        warnings.warn(f"pgvector finished a build on disk: {notice.message_primary}", BenchWarning, stacklevel=2)


def _connection() -> Any:
    """A connection to the server that is named, or to this process's own, which starts with its first build."""
    import psycopg

    named = os.environ.get(DSN)
    if named:
        return psycopg.connect(named)
    if _servers:
        try:
            return psycopg.connect(_servers[0].dsn)
        except psycopg.OperationalError:
            if not _servers[0].ends():
                raise
            _servers.pop().close()
    server = postgres.Server()
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE EXTENSION vector")
    _servers.append(server)
    return psycopg.connect(server.dsn)


def served() -> str:
    """Return the version of pgvector and of the package or server that provides it.

    Raises NotInstalledError if no server is named and pgserver is not available. Raises BenchError if a named server
    does not answer.
    """
    named = os.environ.get(DSN)
    if named and not postgres.importable("psycopg"):
        raise BenchError(f"{DSN}: its client is not installed: pip install 'hnsw-order-bench[pgvector]', or unset it")
    if not named and not (postgres.importable("psycopg") and postgres.importable("pgserver")):
        raise NotInstalledError(
            "engine 'pgvector' needs pip install 'hnsw-order-bench[pgvector]'; on Python 3.13, without pgserver, "
            f"also name a server in {DSN}"
        )
    return _version_at(named) if named else postgres.own_version("vector")


@cache
def _version_at(dsn: str) -> str:
    import psycopg

    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
            server = connection.execute("SHOW server_version").fetchone()
    except psycopg.Error as error:
        raise BenchError(f"{DSN}: {str(error).strip().partition(chr(10))[0]}") from None
    if found is None or server is None:
        raise BenchError(f"{DSN}: its database has no pgvector: run CREATE EXTENSION vector in it")
    return f"{found[0]}, PostgreSQL {server[0]}"


ENGINE = Engine(
    build=build,
    package="pgserver",
    about=f"pgvector in a server of its own, or at {DSN}; index before or after the rows",
    params=PgvectorParams,
    later=("dtype",),
    check=check,
    most_ef_search=1000,
    refuses=refuses,
    extra="pgvector",
    prepare=lambda params: _connection().close(),
    promises=Promises(repeats=False, seeded=False),
    in_process=False,
    served=served,
    elsewhere=lambda: bool(os.environ.get(DSN)),
)
