"""Stores of the last schema, made into this one: outcomes keep their results and get new keys.

Schema 5 had digests of code in the keys, memory by part, and no facts. A migrated outcome states no code: it counts as
current, and takes the code of the first study that asks for it; see `Store.enlist`.
"""

import sqlite3
from typing import Any

import msgspec

from bench import digests
from bench.study.store.packing import DamagedError
from bench.study.trial import CODE, FIELDS, Trial, changed, grouped

FROM = 5
_GONE = {"builds": ("order_bytes", "build_bytes"), "outcomes": ("search_bytes",)}
_NEW = ("attempts", "facts", "stale")


def migrate(connection: sqlite3.Connection, tables: str) -> None:
    """Change a store of schema FROM within the transaction that is open. tables: statements of the present schema."""
    for table, columns in _GONE.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("DROP TABLE IF EXISTS attempts")  # of a gate that was interrupted, by builds of other code
    for statement in tables.split(";"):
        if any(f"CREATE TABLE {name} " in statement for name in _NEW) or "user_version" in statement:
            connection.execute(statement)
    keys = _new_keys(connection)
    connection.execute(f"UPDATE builds SET {', '.join(f'{name} = ?' for name in CODE)}", ("",) * len(CODE))
    connection.execute("CREATE TEMP TABLE renamed (old TEXT PRIMARY KEY, new TEXT)")
    connection.executemany("INSERT INTO renamed VALUES (?, ?)", keys.items())
    # Of outcomes that differed in their code alone, the one built last stays.
    connection.execute("DELETE FROM outcomes WHERE key NOT IN (SELECT old FROM renamed)")
    connection.execute("DELETE FROM builds WHERE id NOT IN (SELECT build_id FROM outcomes)")
    connection.execute("UPDATE outcomes SET key = (SELECT new FROM renamed WHERE old = key)")
    for old, new, trial in _failed(connection):
        connection.execute("DELETE FROM failures WHERE key = ?", (old,))
        connection.execute("INSERT OR IGNORE INTO failures VALUES (?, ?, ?)", (new, *trial))
        connection.execute("INSERT OR IGNORE INTO renamed VALUES (?, ?)", (old, new))
    members = connection.execute(
        "SELECT experiment, new, min(ladder) FROM members JOIN renamed ON old = key GROUP BY experiment, new"
    ).fetchall()
    connection.execute("DELETE FROM members")
    connection.executemany("INSERT INTO members VALUES (?, ?, ?)", members)
    connection.execute("DROP TABLE renamed")


def _new_keys(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the new key of each outcome by its old one, without those that a later build replaces.

    Raises DamagedError if an outcome is not the one that its key names.
    """
    columns = ", ".join(f'"{name}"' for name in FIELDS)
    rows = connection.execute(
        f"SELECT key, {columns} FROM outcomes LEFT JOIN builds ON builds.id = build_id LEFT JOIN datasets ON "
        "datasets.id = dataset_id ORDER BY builds.rowid"
    ).fetchall()
    old_of = {}
    for key, *fields in rows:
        trial = grouped(dict(zip(FIELDS, fields, strict=True)))
        if digests.key_digest(msgspec.to_builtins(trial)) != key:  # as schema 5 made keys
            raise DamagedError(f"outcome {key} states another trial, or its build or dataset is missing")
        old_of[_new(trial).key] = key
    return {old: new for new, old in old_of.items()}


def _failed(connection: sqlite3.Connection) -> list[tuple[str, str, tuple[str, Any]]]:
    """The old and the new key of each failure, with its trial as JSON and its reason."""
    failures = []
    for key, content, reason in connection.execute("SELECT key, trial, reason FROM failures").fetchall():
        trial = _new(msgspec.json.decode(content, type=Trial))
        failures.append((key, trial.key, (msgspec.json.encode(trial).decode(), reason)))
    return failures


def _new(trial: Trial) -> Trial:
    return changed(trial, **dict.fromkeys(CODE, ""))
