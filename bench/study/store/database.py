"""The SQLite file of a store: its tables, and how it is opened, even if nothing can be written."""

import os
import sqlite3
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.study.store import migration
from bench.study.store.packing import DamagedError
from bench.study.trial import FIELDS, Data, Search

SCHEMA = 6
DATA = [field.name for field in msgspec.structs.fields(Data)]
SEARCH = [field.name for field in msgspec.structs.fields(Search)]
BUILD = [name for name in FIELDS if name not in (*DATA, *SEARCH)]

_APPLICATION = 0x484F5242  # "HORB", in the file's header: marks the file as a store of this program
_TYPES = {str: "TEXT", int: "INTEGER"}


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}" {_TYPES[FIELDS[name]]} NOT NULL' for name in names)


# Content is as `packing` has it, and an id is a digest of what it stands for, but those of builds. retrieval,
# retrieval_exact: ids of scores, which all builds of a dataset share for exact search. A build measured again in
# another environment is another row of builds. facts: of a build by its id, of an outcome by its key. stale: outcomes
# that an experiment asked for when other code would have made them.
_TABLES = f"""
CREATE TABLE environments (id TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE datasets (id TEXT PRIMARY KEY, {_columns(DATA)}, profile BLOB, query_groups BLOB);
CREATE TABLE builds (id TEXT PRIMARY KEY, dataset_id TEXT NOT NULL REFERENCES datasets, {_columns(BUILD)},
    order_seconds REAL NOT NULL, build_seconds REAL NOT NULL,
    environment TEXT NOT NULL REFERENCES environments);
CREATE TABLE scores (id TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE outcomes (key TEXT PRIMARY KEY, build_id TEXT NOT NULL REFERENCES builds, {_columns(SEARCH)},
    hits BLOB NOT NULL, hits_tie BLOB NOT NULL, ids_sha256 TEXT NOT NULL, search_seconds REAL NOT NULL,
    retrieval TEXT NOT NULL, retrieval_exact TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE experiments (name TEXT PRIMARY KEY, title TEXT NOT NULL, reference TEXT NOT NULL, command TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE failures (key TEXT PRIMARY KEY, trial TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE members (experiment TEXT, key TEXT, ladder INTEGER NOT NULL, PRIMARY KEY (experiment, key)) WITHOUT ROWID;
CREATE TABLE attempts (attempt TEXT, build_id TEXT, PRIMARY KEY (attempt, build_id)) WITHOUT ROWID;
CREATE TABLE facts (of TEXT, name TEXT, value NOT NULL, PRIMARY KEY (of, name)) WITHOUT ROWID;
CREATE TABLE stale (key TEXT PRIMARY KEY) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {SCHEMA};
"""


def connected(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to the store at `path`, which is made where `mode`, one of SQLite's, allows it.

    Raises BenchError if it cannot be used, is of another kind or schema, or has other columns.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise BenchError(f"cannot use the store {path}: it is {what}; name a file with --store")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BenchError(f"cannot use the store {path}: {error.strerror}; name another with --store") from None
    try:
        connection = _opened(path, mode)
        if _kind(connection) == (_APPLICATION, migration.FROM) and not is_writable(path):
            connection = in_memory(connection)
        _prepare(connection, path)
        _check_columns(connection, path)
    except sqlite3.DatabaseError as error:
        raise unusable(path, error) from None
    except DamagedError as what:
        raise damaged(path, what) from None
    return connection


def in_memory(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A copy of a store that may be written, and is gone with this process."""
    memory = sqlite3.connect(":memory:")
    connection.backup(memory)
    connection.close()
    return memory


def is_writable(path: Path) -> bool:
    """Return whether SQLite could write the store at `path`, and its journal next to the file that a link points to."""
    real = path.resolve()
    return all(os.access(place, os.W_OK, effective_ids=True) for place in (real, real.parent))


def unusable(path: Path, error: sqlite3.DatabaseError, but: str = "") -> BenchError:
    """Return the message for an SQLite error. but: the data that is not lost."""
    # Errors of Python's own module have no code, as of text that is not UTF-8.
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return BenchError(
            f"cannot use the store {path}: its last write was cut short, and is undone by {_beside(path, 'journal')} "
            "where the two can be written: copy both to such a place, and name it with --store"
        )
    if not path.exists():
        return BenchError(f"cannot make the store {path}: {error}; name another with --store")
    return BenchError(f"cannot use the store {path}: {error}; {but}name another with --store")


def damaged(path: Path, what: object) -> BenchError:
    """Return the message for a store with content that this harness does not write."""
    return BenchError(f"the store {path} was edited or is damaged: {what}; restore it, or move it away and run again")


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode={mode}", uri=True, timeout=60)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        connection.close()
        # A store in write-ahead mode, as other tools may have left it, needs further files next to it even to be read,
        # unless SQLite may assume that nobody writes. If such files exist, somebody may write, or they hold the last
        # write.
        if not path.exists() or is_writable(path) or any(_beside(path, end).exists() for end in ("journal", "wal")):
            raise
        connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
    return connection


def _beside(path: Path, end: str) -> Path:
    real = path.resolve()
    return real.with_name(f"{real.name}-{end}")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file; a BenchError for a file of another kind or schema."""
    if _kind(connection) == (_APPLICATION, SCHEMA):
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")  # no other process changes the file from here on
        kind = _kind(connection)
        if kind == (_APPLICATION, SCHEMA):
            return  # another process was first
        if kind == (_APPLICATION, migration.FROM):
            migration.migrate(connection, _TABLES)
            return
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            what = f"a store of schema {kind[1]}" if kind[0] == _APPLICATION else "not a store of this harness"
            raise BenchError(
                f"{path} is {what}, and this bench reads schema {SCHEMA}: move the file away, or name another "
                "with --store"
            )
        for statement in filter(str.strip, _TABLES.split(";")):
            connection.execute(statement)


def _kind(connection: sqlite3.Connection) -> tuple[int, int]:
    """Whose file it is, and of which schema; zeros of a new one."""
    application, schema = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    return application, schema


def _check_columns(connection: sqlite3.Connection, path: Path) -> None:
    stored = _layout(connection)
    for table, columns in _expected().items():
        if stored.get(table, []) != columns:
            different = sorted(set(columns) ^ set(stored.get(table, []))) or columns
            raise damaged(path, f"the columns of its table {table} differ in {', '.join(different)}")


@cache
def _expected() -> dict[str, list[str]]:
    memory = sqlite3.connect(":memory:")
    memory.executescript(_TABLES)
    layout = _layout(memory)
    memory.close()
    return layout


def _layout(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """The columns of every table."""
    layout: dict[str, list[str]] = {}
    query = "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'"
    for table, column in connection.execute(f"{query} ORDER BY m.name, c.cid"):
        layout.setdefault(table, []).append(column)
    return layout
