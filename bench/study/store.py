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
from bench.study.trial import Trial

SCHEMA = 2

_APPLICATION = 0x484F5242  # "HORB", in the file's header: this is a store of ours
_TYPES = {str: "TEXT", int: "INTEGER"}
_TRIAL = {field.name: _TYPES[field.type] for field in msgspec.structs.fields(Trial)}
_MEASURED = {
    "hits": "BLOB",  # uint16, little-endian, one a query
    "hits_tie": "BLOB",
    "ids_sha256": "TEXT",
    "build_seconds": "REAL",
    "search_seconds": "REAL",
    "environment": "TEXT",
    "retrieval": "TEXT",  # id of the scores
    "retrieval_exact": "TEXT",
}
_SINCE_2 = ("judgements", "engine_binary", "retrieval", "retrieval_exact")  # columns that a store of version 1 lacks
# Retrieval scores by the hash of their content: all builds of a dataset share those of exact search
_SCORES = "CREATE TABLE scores (id TEXT PRIMARY KEY, content BLOB NOT NULL)"


class Outcome(msgspec.Struct, frozen=True):
    """What one trial gave.

    hits, hits_tie: (q,) int64, true neighbours found a query by id and with ties; recall is these over k.
    ids_sha256: of the ids returned, so that builds can be compared bit by bit. build_seconds: of the
    build that served this search. environment: versions, commit and machine. retrieval, retrieval_exact: by
    measure (q,) float32, see `measure.retrieval`, of what was found and of the exact neighbours; empty
    without judgements.
    """

    trial: Trial
    hits: np.ndarray
    hits_tie: np.ndarray
    ids_sha256: str
    build_seconds: float
    search_seconds: float
    environment: dict[str, Any]
    retrieval: dict[str, np.ndarray] = {}
    retrieval_exact: dict[str, np.ndarray] = {}

    @property
    def recall(self) -> float:
        """Mean recall@k over the queries, by id."""
        return float(self.hits.mean() / self.trial.k)

    @property
    def recall_tie(self) -> float:
        """Mean recall@k over the queries, ties counted."""
        return float(self.hits_tie.mean() / self.trial.k)


class Store:
    """A store file. `Store.create` makes it where there is none, `Store.open` does not."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: Path) -> "Store":
        """The store at `path`, made if it is not there; a BenchError where it cannot be written."""
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
        if self._kind() != (_APPLICATION, SCHEMA):
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")  # what is found now, no other process changes meanwhile
                self._make(*self._kind())

    def _kind(self) -> tuple[int, int]:
        """Whose file it is, and of which version; zeros of a new one."""
        application, version = (
            self._connection.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version")
        )
        return application, version

    def _make(self, application: int, version: int) -> None:
        """The tables of a new store, or what one of version 1 lacks; its outcomes stay as they are."""
        connection = self._connection
        if (application, version) == (_APPLICATION, SCHEMA):
            return  # another process was first
        if (application, version) == (_APPLICATION, 1):
            for name in _SINCE_2:
                connection.execute(f"ALTER TABLE outcomes ADD COLUMN \"{name}\" TEXT NOT NULL DEFAULT ''")
            connection.execute(_SCORES)
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            return
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            found = f"a store of version {version}" if application == _APPLICATION else "not a store of this harness"
            raise BenchError(
                f"{self.path} is {found}, and this bench reads version {SCHEMA}: name another with --store"
            )
        columns = ", ".join(f'"{name}" {kind} NOT NULL' for name, kind in (_TRIAL | _MEASURED).items())
        connection.execute(f"CREATE TABLE outcomes (key TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
        connection.execute("CREATE TABLE environments (id TEXT PRIMARY KEY, content TEXT NOT NULL)")
        connection.execute(
            "CREATE TABLE members (experiment TEXT, key TEXT, PRIMARY KEY (experiment, key)) WITHOUT ROWID"
        )
        connection.execute(_SCORES)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")

    def close(self) -> None:
        self._connection.close()

    def enlist(self, experiment: str, trials: Iterable[Trial]) -> None:
        """Count these trials among those of `experiment`; what finished of those it asked before stays."""
        with self._told(), self._connection as connection:
            connection.execute(
                "DELETE FROM members WHERE experiment = ? AND key NOT IN (SELECT key FROM outcomes)", (experiment,)
            )
            connection.executemany(
                "INSERT OR IGNORE INTO members VALUES (?, ?)", ((experiment, trial.key) for trial in trials)
            )

    def unfinished(self) -> dict[str, int]:
        """How many outcomes are missing of those that each experiment last asked, where any are."""
        with self._told():
            return dict(
                self._connection.execute(
                    "SELECT experiment, count(*) FROM members WHERE key NOT IN (SELECT key FROM outcomes) "
                    "GROUP BY experiment ORDER BY experiment"
                ).fetchall()
            )

    def missing(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials that have no outcome yet, in their order."""
        with self._told():
            done = {key for (key,) in self._connection.execute("SELECT key FROM outcomes")}
        return [trial for trial in trials if trial.key not in done]

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome: when this returns it is on disk."""
        environment = json.dumps(outcome.environment, sort_keys=True)
        environment_id = digests.key_digest(outcome.environment)[:16]
        scores = [_packed_scores(found) for found in (outcome.retrieval, outcome.retrieval_exact)]
        measured = (
            _packed(outcome.hits),
            _packed(outcome.hits_tie),
            outcome.ids_sha256,
            outcome.build_seconds,
            outcome.search_seconds,
            environment_id,
            *(key for key, _ in scores),
        )
        values = (outcome.trial.key, *msgspec.structs.astuple(outcome.trial), *measured)
        columns = ", ".join(f'"{name}"' for name in ("key", *_TRIAL, *_MEASURED))
        with self._told(), self._connection as connection:
            connection.execute("INSERT OR IGNORE INTO environments VALUES (?, ?)", (environment_id, environment))
            connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", (row for row in scores if row[0]))
            places = ", ".join("?" * len(values))
            connection.execute(f"INSERT OR REPLACE INTO outcomes ({columns}) VALUES ({places})", values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures of the file, not of ours, as a BenchError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise BenchError(
                f"cannot use the store {self.path}: {error}; what finished before is kept; name another with --store"
            ) from None

    def experiments(self) -> list[str]:
        """The names of the experiments that have outcomes."""
        with self._told():
            rows = self._connection.execute(
                "SELECT DISTINCT experiment FROM members JOIN outcomes USING (key) ORDER BY experiment"
            ).fetchall()
        return [name for (name,) in rows]

    def outcomes(self, experiment: str | None = None) -> Iterator[tuple[str, Outcome]]:
        """(experiment, outcome) of one experiment; without a name of all, and outcomes of none under ''."""
        if experiment is not None and experiment not in self.experiments():
            raise BenchError(f"{self.path}: {unknown('experiment', experiment, self.experiments())}")
        columns = ", ".join(f'outcomes."{name}"' for name in _TRIAL | _MEASURED)
        with self._told():
            rows = self._connection.execute(
                f"SELECT coalesce(experiment, ''), {columns} FROM outcomes LEFT JOIN members USING (key) "
                "WHERE ?1 IS NULL OR experiment = ?1 ORDER BY 1, dataset, engine, key",
                (experiment,),
            ).fetchall()
            # After the rows: what another process adds meanwhile has its environment and scores in any case.
            found = self._connection.execute("SELECT id, content FROM environments").fetchall()
            scored = self._connection.execute("SELECT id, content FROM scores").fetchall()
        environments = {key: json.loads(content) for key, content in found}
        scores: dict[str, dict[str, np.ndarray]] = {"": {}}
        scores |= {key: _unpacked_scores(content) for key, content in scored}
        return (_row(row, environments, scores) for row in rows)


def _row(
    row: Sequence[Any], environments: Mapping[str, dict[str, Any]], scores: Mapping[str, dict[str, np.ndarray]]
) -> tuple[str, Outcome]:
    experiment, *fields = row
    trial = Trial(**dict(zip(_TRIAL, fields[: len(_TRIAL)], strict=True)))
    hits, hits_tie, ids_sha256, build_seconds, search_seconds, environment, *retrieval = fields[len(_TRIAL) :]
    return experiment, Outcome(
        trial,
        _unpacked(hits),
        _unpacked(hits_tie),
        ids_sha256,
        build_seconds,
        search_seconds,
        environments[environment],
        *(scores[key] for key in retrieval),
    )


def _packed(hits: np.ndarray) -> bytes:
    return hits.astype("<u2").tobytes()


def _unpacked(blob: bytes) -> np.ndarray:
    return np.frombuffer(blob, dtype="<u2").astype(np.int64)


def _packed_scores(scores: Mapping[str, np.ndarray]) -> tuple[str, bytes]:
    """Id and content of retrieval scores: MessagePack, by measure float32, little-endian; '' where there are none."""
    if not scores:
        return "", b""
    content = msgspec.msgpack.encode({name: found.astype("<f4").tobytes() for name, found in scores.items()})
    return hashlib.sha256(content).hexdigest()[:32], content


def _unpacked_scores(content: bytes) -> dict[str, np.ndarray]:
    packed = msgspec.msgpack.decode(content, type=dict[str, bytes])
    return {name: np.frombuffer(blob, dtype="<f4") for name, blob in packed.items()}
