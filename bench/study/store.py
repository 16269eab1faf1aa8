"""Results in SQLite: a finished outcome is never lost and never run twice."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import digests
from bench.errors import BenchError, unknown
from bench.study.outcome import Build, Failure, Outcome
from bench.study.trial import FIELDS as TRIAL_FIELDS
from bench.study.trial import Data, Search, Trial, flat, grouped

SCHEMA = 3

_APPLICATION = 0x484F5242  # "HORB", in the file's header: this is a store of ours
_TYPES = {str: "TEXT", int: "INTEGER"}
_DATA = [field.name for field in msgspec.structs.fields(Data)]
_SEARCH = [field.name for field in msgspec.structs.fields(Search)]
_BUILD = [name for name in TRIAL_FIELDS if name not in (*_DATA, *_SEARCH)]


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}" {_TYPES[TRIAL_FIELDS[name]]} NOT NULL' for name in names)


# hits, hits_tie: uint16, little-endian, one a query. retrieval, retrieval_exact: ids of scores, which all builds of a
# dataset share for exact search. A build measured again in another environment is another row of builds.
_TABLES = f"""
CREATE TABLE environments (id TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE datasets (id TEXT PRIMARY KEY, {_columns(_DATA)}, profile BLOB);
CREATE TABLE builds (id TEXT PRIMARY KEY, dataset_id TEXT NOT NULL REFERENCES datasets, {_columns(_BUILD)},
    order_seconds REAL NOT NULL, build_seconds REAL NOT NULL, environment TEXT NOT NULL REFERENCES environments);
CREATE TABLE scores (id TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE outcomes (key TEXT PRIMARY KEY, build_id TEXT NOT NULL REFERENCES builds, {_columns(_SEARCH)},
    hits BLOB NOT NULL, hits_tie BLOB NOT NULL, ids_sha256 TEXT NOT NULL, search_seconds REAL NOT NULL,
    retrieval TEXT NOT NULL, retrieval_exact TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE failures (key TEXT PRIMARY KEY, trial TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE members (experiment TEXT, key TEXT, PRIMARY KEY (experiment, key)) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {SCHEMA};
"""
_OUTCOMES = ("hits", "hits_tie", "ids_sha256", "search_seconds", "retrieval", "retrieval_exact")
_OF_BUILD = ("id", "order_seconds", "build_seconds", "environment")


class Store:
    """A store file. `Store.create` makes it where there is none, `Store.open` does not."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: Path) -> "Store":
        """The store at `path`, made if it does not exist; a BenchError where it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(
                f"cannot write the results folder {path.parent}: {error.strerror}; name another store with --store"
            ) from None
        return cls._connect(path, "rwc")

    @classmethod
    def open(cls, path: Path) -> "Store":
        """The store at `path`; a BenchError where there is none."""
        if not path.is_file():
            raise BenchError(f"no store at {path}: run `bench run` first, or name another with --store")
        return cls._connect(path, "rw")

    @classmethod
    def _connect(cls, path: Path, mode: str) -> "Store":
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=60)
            store = cls(path, connection)
            store._prepare()
        except sqlite3.DatabaseError as error:
            raise BenchError(f"cannot use the store {path}: {error}; name another with --store") from None
        return store

    def _prepare(self) -> None:
        """Make the tables of a new file; a BenchError for a file of another kind or schema."""
        if self._kind() == (_APPLICATION, SCHEMA):
            return
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")  # no other process changes the file from here on
            if (kind := self._kind()) == (_APPLICATION, SCHEMA):
                return  # another process was first
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                what = f"a store of schema {kind[1]}" if kind[0] == _APPLICATION else "not a store of this harness"
                raise BenchError(
                    f"{self.path} is {what}, and this bench reads schema {SCHEMA}: move the file away, or name another "
                    "with --store"
                )
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)

    def _kind(self) -> tuple[int, int]:
        """Whose file it is, and of which schema; zeros of a new one."""
        application, schema = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        return application, schema

    def close(self) -> None:
        self._connection.close()

    def enlist(self, experiment: str, trials: Iterable[Trial]) -> None:
        """Count these trials among those of `experiment`."""
        with self._usable(), self._connection as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO members VALUES (?, ?)", ((experiment, trial.key) for trial in trials)
            )

    def forget(self, experiment: str, but: Iterable[Trial]) -> None:
        """Take trials without an outcome from those of `experiment`, but these; and builds that no outcome has."""
        keys = {trial.key for trial in but}
        query = "SELECT key FROM members WHERE experiment = ? AND key NOT IN (SELECT key FROM outcomes)"
        with self._usable(), self._connection as connection:
            rows = [key for (key,) in connection.execute(query, (experiment,)) if key not in keys]
            connection.executemany(
                "DELETE FROM members WHERE experiment = ? AND key = ?", ((experiment, key) for key in rows)
            )
            connection.execute("DELETE FROM builds WHERE id NOT IN (SELECT build_id FROM outcomes)")

    def unfinished(self) -> dict[str, int]:
        """How many outcomes each experiment misses of those that it last asked for, failures aside, where any."""
        with self._usable():
            return dict(
                self._connection.execute(
                    "SELECT experiment, count(*) FROM members WHERE key NOT IN (SELECT key FROM outcomes) "
                    "AND key NOT IN (SELECT key FROM failures) GROUP BY experiment ORDER BY experiment"
                ).fetchall()
            )

    def missing(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials that have no outcome yet, in their order; those that failed are among them."""
        with self._usable():
            done = {key for (key,) in self._connection.execute("SELECT key FROM outcomes")}
        return [trial for trial in trials if trial.key not in done]

    def describe(self, data: Data, profile: Mapping[str, np.ndarray]) -> None:
        """Keep what geometry says of a dataset; see `geometry.describe.profile`."""
        content = msgspec.msgpack.encode({name: [a.dtype.str, a.tobytes()] for name, a in profile.items()})
        with self._usable(), self._connection as connection:
            _insert_data(connection, data)
            connection.execute("UPDATE datasets SET profile = ? WHERE id = ?", (content, _id(data)))

    def profile(self, data: Data) -> dict[str, np.ndarray] | None:
        """What geometry said of a dataset; None where nothing has been kept."""
        with self._usable():
            query = "SELECT profile FROM datasets WHERE id = ?"
            row = self._connection.execute(query, (_id(data),)).fetchone()
        if row is None or row[0] is None:
            return None
        packed = msgspec.msgpack.decode(row[0], type=dict[str, tuple[str, bytes]])
        return {name: np.frombuffer(content, dtype=kind) for name, (kind, content) in packed.items()}

    def add(self, outcome: Outcome, experiment: str | None = None) -> None:
        """Keep an outcome, as one of an experiment: when this returns it is on disk."""
        trial, build = outcome.trial, outcome.build
        environment_id = _id(build.environment)
        scores = [_packed_scores(scores) for scores in (outcome.retrieval, outcome.retrieval_exact)]
        fields = flat(trial)
        build_row = (build.id, _id(trial.data), *(fields[name] for name in _BUILD))
        outcome_row = (trial.key, build.id, *(fields[name] for name in _SEARCH))
        measured = (_packed(outcome.hits), _packed(outcome.hits_tie), outcome.ids_sha256, outcome.search_seconds)
        with self._usable(), self._connection as connection:
            environment = json.dumps(build.environment, sort_keys=True)
            connection.execute("INSERT OR IGNORE INTO environments VALUES (?, ?)", (environment_id, environment))
            _insert_data(connection, trial.data)
            _replace(connection, "builds", (*build_row, build.order_seconds, build.build_seconds, environment_id))
            connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", (row for row in scores if row[0]))
            _replace(connection, "outcomes", (*outcome_row, *measured, *(key for key, _ in scores)))
            connection.execute("DELETE FROM failures WHERE key = ?", (trial.key,))
            _add_member(connection, experiment, trial)

    def fail(self, failure: Failure, experiment: str | None = None) -> None:
        """Keep why a trial of an experiment gave nothing, until it has an outcome."""
        trial = msgspec.json.encode(failure.trial).decode()
        with self._usable(), self._connection as connection:
            _replace(connection, "failures", (failure.trial.key, trial, failure.reason))
            _add_member(connection, experiment, failure.trial)

    def failures(self, experiment: str | None = None) -> list[tuple[str, Failure]]:
        """(experiment, failure) of trials that an experiment, or any, asked for last and that gave nothing."""
        with self._usable():
            rows = self._connection.execute(
                "SELECT experiment, trial, reason FROM failures JOIN members USING (key) "
                "WHERE (?1 IS NULL OR experiment = ?1) AND key NOT IN (SELECT key FROM outcomes) "
                "ORDER BY experiment, key",
                (experiment,),
            ).fetchall()
        return [
            (name, Failure(trial=msgspec.json.decode(trial, type=Trial), reason=reason)) for name, trial, reason in rows
        ]

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Failures of the file, not of ours, as a BenchError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise BenchError(
                f"cannot use the store {self.path}: {error}; what finished before is kept; name another with --store"
            ) from None

    def experiments(self) -> list[str]:
        """The names of the experiments that have outcomes or failures."""
        with self._usable():
            rows = self._connection.execute(
                "SELECT DISTINCT experiment FROM members WHERE key IN (SELECT key FROM outcomes) "
                "OR key IN (SELECT key FROM failures) ORDER BY experiment"
            ).fetchall()
        return [name for (name,) in rows]

    def outcomes(self, experiment: str | None = None) -> Iterator[tuple[str, Outcome]]:
        """(experiment, outcome) of one experiment; without a name of all, and outcomes of none under ''."""
        if experiment is not None and experiment not in self.experiments():
            raise BenchError(f"{self.path}: {unknown('experiment', experiment, self.experiments())}")
        of_table = {"datasets": _DATA, "builds": [*_BUILD, *_OF_BUILD], "outcomes": [*_SEARCH, *_OUTCOMES]}
        columns = [f'{table}."{name}"' for table, names in of_table.items() for name in names]
        with self._usable():
            rows = self._connection.execute(
                f"SELECT coalesce(experiment, ''), {', '.join(columns)} FROM outcomes "
                "JOIN builds ON builds.id = build_id JOIN datasets ON datasets.id = dataset_id "
                "LEFT JOIN members USING (key) WHERE ?1 IS NULL OR experiment = ?1 "
                "ORDER BY 1, dataset, engine, order_seed, build_seed, key",
                (experiment,),
            ).fetchall()
            # After the rows: what another process adds meanwhile has its environment and scores in any case.
            environment_rows = self._connection.execute("SELECT id, content FROM environments").fetchall()
            score_rows = self._connection.execute("SELECT id, content FROM scores").fetchall()
        environments = {key: json.loads(content) for key, content in environment_rows}
        scores: dict[str, dict[str, np.ndarray]] = {"": {}}
        scores |= {key: _unpacked_scores(content) for key, content in score_rows}
        names = [name for of_one in of_table.values() for name in of_one]
        return ((name, _outcome(dict(zip(names, fields, strict=True)), environments, scores)) for name, *fields in rows)


def _outcome(
    row: Mapping[str, Any], environments: Mapping[str, dict[str, Any]], scores: Mapping[str, dict[str, np.ndarray]]
) -> Outcome:
    return Outcome(
        trial=grouped({name: row[name] for name in TRIAL_FIELDS}),
        build=Build(
            id=row["id"],
            order_seconds=row["order_seconds"],
            build_seconds=row["build_seconds"],
            environment=environments[row["environment"]],
        ),
        hits=_unpacked(row["hits"]),
        hits_tie=_unpacked(row["hits_tie"]),
        ids_sha256=row["ids_sha256"],
        search_seconds=row["search_seconds"],
        retrieval=scores[row["retrieval"]],
        retrieval_exact=scores[row["retrieval_exact"]],
    )


def _add_member(connection: sqlite3.Connection, experiment: str | None, trial: Trial) -> None:
    if experiment is not None:
        connection.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (experiment, trial.key))


def _insert_data(connection: sqlite3.Connection, data: Data) -> None:
    row = (_id(data), *msgspec.structs.astuple(data), None)
    connection.execute(f"INSERT OR IGNORE INTO datasets VALUES ({_places(row)})", row)


def _replace(connection: sqlite3.Connection, table: str, row: Sequence[Any]) -> None:
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({_places(row)})", row)


def _places(row: Sequence[Any]) -> str:
    return ", ".join("?" * len(row))


def _id(content: Any) -> str:
    return digests.key_digest(msgspec.to_builtins(content))[:32]


def _packed(hits: np.ndarray) -> bytes:
    return hits.astype("<u2").tobytes()


def _unpacked(blob: bytes) -> np.ndarray:
    return np.frombuffer(blob, dtype="<u2").astype(np.int64)


def _packed_scores(scores: Mapping[str, np.ndarray]) -> tuple[str, bytes]:
    """Id and content of retrieval scores: MessagePack, by measure float32, little-endian; '' where there are none."""
    if not scores:
        return "", b""
    content = msgspec.msgpack.encode({name: values.astype("<f4").tobytes() for name, values in scores.items()})
    return hashlib.sha256(content).hexdigest()[:32], content


def _unpacked_scores(content: bytes) -> dict[str, np.ndarray]:
    packed = msgspec.msgpack.decode(content, type=dict[str, bytes])
    return {name: np.frombuffer(blob, dtype="<f4") for name, blob in packed.items()}
