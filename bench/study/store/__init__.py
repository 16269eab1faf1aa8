"""Results in SQLite: a finished outcome is never lost and never run twice."""

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from bench.errors import BenchError, unknown
from bench.study.outcome import Facts, Failure, Outcome
from bench.study.spec.experiment import REFERENCE
from bench.study.store import packing
from bench.study.store.database import (
    BUILD,
    DATA,
    SEARCH,
    connected,
    damaged,
    in_memory,
    is_writable,
    unusable,
)
from bench.study.trial import Data, Trial, flat_fields

T = TypeVar("T")

_UNKNOWN = ("", "")  # the code of an outcome that states none

_OUTCOMES = ("key", "hits", "hits_tie", "ids_sha256", "search_seconds", "retrieval", "retrieval_exact")
_OF_BUILD = ("id", "dataset_id", "order_seconds", "build_seconds", "environment")


class Noted(msgspec.Struct, frozen=True):
    """Facts about an experiment that its outcomes do not contain.

    title: as it states. reference: the order that others are compared with. command: that it was last run by.
    """

    title: str = ""
    reference: str = REFERENCE
    command: str = ""


class Store:
    """A store file. `Store.create` makes a missing file, `Store.open` does not.

    One that cannot be written gives what it has; what is only noted about it, as which experiments ask for what, is
    forgotten when it is closed.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._read_only = False

    @classmethod
    def create(cls, path: Path) -> "Store":
        """Return the store at `path`, made if it does not exist. Raises BenchError if it cannot be used."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(
                f"cannot write the results folder {path.parent}: {error.strerror}; name another store with --store"
            ) from None
        store = cls(path, connected(path, "rwc"))
        if not is_writable(path):
            with store._usable():
                store._connection, store._read_only = in_memory(store._connection), True
        return store

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Return the store at `path`. Raises BenchError if it does not exist."""
        if not os.path.lexists(path):
            raise BenchError(f"no store at {path}: run `bench run` first, or name another with --store")
        return cls(path, connected(path, "rw"))

    def close(self) -> None:
        self._connection.close()

    def check_writable(self) -> None:
        """Raises BenchError if an outcome could not be kept."""
        if self._read_only:
            raise BenchError(
                f"cannot write the store {self.path}: it or its folder is read-only, and outcomes are missing in it; "
                "name another with --store"
            )

    def enlist(self, experiment: str, trials: Iterable[Trial], ladder: Iterable[Trial] = ()) -> None:
        """Count these trials among those of `experiment`, and these on its ladder; what it has as its own stays so.

        Outcomes of theirs that other code made are noted as stale. Those that state no code, as they are from a store
        of the last schema, are taken to be made by the code of these trials.
        """
        listed = [(True, trial) for trial in ladder] + [(False, trial) for trial in trials]
        rows = [(experiment, trial.key, on) for on, trial in listed]
        made_by = self._code()
        stale = [trial.key for _, trial in listed if made_by.get(trial.key, trial.code) not in (trial.code, _UNKNOWN)]
        adopted = [(*trial.code, trial.key) for _, trial in listed if made_by.get(trial.key) == _UNKNOWN]
        with self._usable(), self._connection as connection:
            connection.executemany("DELETE FROM stale WHERE key = ?", ((trial.key,) for _, trial in listed))
            connection.executemany("INSERT OR IGNORE INTO stale VALUES (?)", ((key,) for key in stale))
            connection.executemany(
                "UPDATE builds SET order_code = ?, code = ? WHERE id = (SELECT build_id FROM outcomes WHERE key = ?)",
                adopted,
            )
            connection.executemany(
                "INSERT INTO members VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET ladder = excluded.ladder "
                "WHERE excluded.ladder = 0 OR key NOT IN (SELECT key FROM outcomes)",
                rows,
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

    def note(self, experiment: str, title: str, reference: str, command: str) -> None:
        """Keep what an experiment's outcomes do not say of it, see Noted, in place of what was kept before."""
        if self.noted(experiment) == Noted(title, reference, command):
            return  # so that a command which has nothing to do leaves the file as it is
        with self._usable(), self._connection as connection:
            _replace(connection, "experiments", (experiment, title, reference, command))

    def noted(self, experiment: str) -> Noted:
        """Return the notes on an experiment; empty if it has none."""
        with self._usable():
            query = "SELECT title, reference, command FROM experiments WHERE name = ?"
            row = self._connection.execute(query, (experiment,)).fetchone()
            return Noted(*row) if row else Noted()

    def unfinished(self) -> dict[str, int]:
        """How many outcomes each experiment misses of those that it last asked for, failures aside, where any.

        Those that other code made count as missing.
        """
        with self._usable():
            return dict(
                self._connection.execute(
                    "SELECT experiment, count(*) FROM members WHERE (key NOT IN (SELECT key FROM outcomes) "
                    "OR key IN (SELECT key FROM stale)) AND key NOT IN (SELECT key FROM failures) "
                    "GROUP BY experiment ORDER BY experiment"
                ).fetchall()
            )

    def missing(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials that have no outcome yet, or one that other code made, in their order.

        Those that failed are among them.
        """
        made_by = self._code()
        return [trial for trial in trials if made_by.get(trial.key) not in (trial.code, _UNKNOWN)]

    def _code(self) -> dict[str, tuple[str, str]]:
        """The digests of the code that made each outcome, see `Trial.code`; _UNKNOWN of a migrated one."""
        query = "SELECT key, order_code, code FROM outcomes JOIN builds ON builds.id = build_id"
        with self._usable():
            return {key: (order_code, code) for key, order_code, code in self._connection.execute(query)}

    def describe(self, data: Data, profile: Mapping[str, np.ndarray]) -> None:
        """Keep what geometry says of a dataset; see `geometry.describe.profile`."""
        content = packing.packed_profile(profile)
        with self._usable(), self._connection as connection:
            _insert_data(connection, data)
            connection.execute("UPDATE datasets SET profile = ? WHERE id = ?", (content, packing.content_id(data)))

    def profile(self, data: Data) -> dict[str, np.ndarray] | None:
        """Return the geometry figures of a dataset; None if the store has none."""
        with self._usable():
            query = "SELECT profile FROM datasets WHERE id = ?"
            row = self._connection.execute(query, (packing.content_id(data),)).fetchone()
            return None if row is None or row[0] is None else packing.profile(row[0])

    def add(self, outcome: Outcome, experiment: str | None = None) -> None:
        """Keep an outcome, as one of an experiment: when this returns it is on disk."""
        trial, build = outcome.trial, outcome.build
        environment_id = packing.content_id(build.environment)
        scores = [packing.packed_scores(scores) for scores in (outcome.retrieval, outcome.retrieval_exact)]
        fields = flat_fields(trial)
        build_row = (build.id, packing.content_id(trial.data), *(fields[name] for name in BUILD))
        outcome_row = (trial.key, build.id, *(fields[name] for name in SEARCH))
        of_build = (build.order_seconds, build.build_seconds)
        hits = [packing.packed_hits(of_one) for of_one in (outcome.hits, outcome.hits_tie)]
        measured = (*hits, outcome.ids_sha256, outcome.search_seconds)
        with self._usable(), self._connection as connection:
            environment = json.dumps(build.environment, sort_keys=True)
            connection.execute("INSERT OR IGNORE INTO environments VALUES (?, ?)", (environment_id, environment))
            _insert_data(connection, trial.data, packing.packed_groups(outcome.query_groups))
            _replace(connection, "builds", (*build_row, *of_build, environment_id))
            connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", (row for row in scores if row[0]))
            _replace(connection, "outcomes", (*outcome_row, *measured, *(key for key, _ in scores)))
            _replace_facts(connection, {build.id: build.facts, trial.key: outcome.facts})
            for table in ("failures", "stale"):
                connection.execute(f"DELETE FROM {table} WHERE key = ?", (trial.key,))
            _add_member(connection, experiment, trial)

    def attempted(self, attempt: str) -> set[str]:
        """The ids of the builds that an attempt, which has not ended, made so far; see `attempt`."""
        with self._usable(), self._connection as connection:
            rows = connection.execute("SELECT build_id FROM attempts WHERE attempt = ?", (attempt,))
            return {build for (build,) in rows}

    def attempt(self, attempt: str, build: str) -> None:
        """Count a build among those of an attempt, by its digest, so that an interrupted one can go on."""
        with self._usable(), self._connection as connection:
            connection.execute("INSERT OR IGNORE INTO attempts VALUES (?, ?)", (attempt, build))

    def end_attempt(self, attempt: str) -> None:
        """Forget which builds an attempt made, whose outcomes stay."""
        with self._usable(), self._connection as connection:
            connection.execute("DELETE FROM attempts WHERE attempt = ?", (attempt,))

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
                "SELECT experiment, key, trial, reason FROM failures JOIN members USING (key) "
                "WHERE (?1 IS NULL OR experiment = ?1) AND key NOT IN (SELECT key FROM outcomes) "
                "ORDER BY experiment, key",
                (experiment,),
            ).fetchall()
            return [(name, packing.failure(key, trial, reason)) for name, key, trial, reason in rows]

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Raise failures of the file, not of this program, as a BenchError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise unusable(self.path, error, "what finished before is kept; ") from None
        except packing.DamagedError as what:
            raise damaged(self.path, what) from None

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
        return self._outcomes(experiment, of_ladder=False)

    def ladder(self, experiment: str | None = None) -> Iterator[tuple[str, Outcome]]:
        """(experiment, outcome) of the ladder of one experiment, or of all; see `Study.ladder`."""
        return self._outcomes(experiment, of_ladder=True)

    def _outcomes(self, experiment: str | None, of_ladder: bool) -> Iterator[tuple[str, Outcome]]:
        of_table = {"datasets": DATA, "builds": [*BUILD, *_OF_BUILD], "outcomes": [*SEARCH, *_OUTCOMES]}
        columns = [f'{table}."{name}"' for table, names in of_table.items() for name in names]
        with self._usable():
            rows = self._connection.execute(
                # Outcomes are looked up by the key of a member, which is indexed: the other way about each would read
                # all members.
                "WITH named AS (SELECT experiment, key, ladder FROM members UNION ALL "
                "SELECT '', key, 0 FROM outcomes WHERE key NOT IN (SELECT key FROM members)) "
                f"SELECT experiment, {', '.join(columns)} FROM named CROSS JOIN outcomes USING (key) "
                "LEFT JOIN builds ON builds.id = build_id LEFT JOIN datasets ON datasets.id = dataset_id "
                "WHERE (?1 IS NULL OR experiment = ?1) AND ladder = ?2 "
                "ORDER BY 1, dataset, engine, order_seed, build_seed, key",
                (experiment, of_ladder),
            ).fetchall()
            # After the rows: what another process adds meanwhile has its environment and scores in any case.
            environments = self._content("environments", packing.environment)
            scores = self._content("scores", packing.scores)
            groups = self._content("datasets", packing.groups, column="query_groups")
            facts = self._facts()
            names = [name for of_one in of_table.values() for name in of_one]
            for name, *fields in rows:
                row = dict(zip(names, fields, strict=True))
                try:
                    outcome = packing.outcome(row, environments, scores, groups, facts)
                except (ValueError, TypeError, msgspec.MsgspecError) as error:
                    raise packing.DamagedError(f"outcome {row['key']} cannot be read: {error}") from None
                yield name, outcome

    def _facts(self) -> Callable[[str], Facts]:
        """Return a function that gives the facts of a build by its id, or of an outcome by its key."""
        facts: dict[str, Facts] = defaultdict(dict)
        for of, name, value in self._connection.execute("SELECT of, name, value FROM facts"):
            facts[of][name] = value
        return lambda of: facts.get(of, {})

    def _content(self, table: str, read: Callable[[str, Any], T], column: str = "content") -> Callable[[str], T]:
        """Return a function that gives the content of a table's row by its id, read once."""
        content = dict(self._connection.execute(f"SELECT id, {column} FROM {table}").fetchall())

        @cache
        def of(key: str) -> T:
            if key not in content:
                raise packing.DamagedError(f"{key} is not in its table {table}")
            return read(key, content[key])

        return of


def _add_member(connection: sqlite3.Connection, experiment: str | None, trial: Trial) -> None:
    if experiment is not None:
        connection.execute("INSERT OR IGNORE INTO members VALUES (?, ?, 0)", (experiment, trial.key))


def _replace_facts(connection: sqlite3.Connection, facts: Mapping[str, Facts]) -> None:
    """Keep facts by what they are of, in place of those kept before."""
    connection.executemany("DELETE FROM facts WHERE of = ?", ((of,) for of in facts))
    rows = ((of, name, value) for of, by_name in facts.items() for name, value in by_name.items())
    connection.executemany("INSERT INTO facts VALUES (?, ?, ?)", rows)


def _insert_data(connection: sqlite3.Connection, data: Data, query_groups: bytes | None = None) -> None:
    """Add a dataset's row if it is missing, and its packed groups if the row has none."""
    row = (packing.content_id(data), *msgspec.structs.astuple(data), None, query_groups)
    connection.execute(
        f"INSERT INTO datasets VALUES ({_places(row)}) ON CONFLICT (id) DO UPDATE SET query_groups = "
        "excluded.query_groups WHERE query_groups IS NULL AND excluded.query_groups IS NOT NULL",
        row,
    )


def _replace(connection: sqlite3.Connection, table: str, row: Sequence[Any]) -> None:
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({_places(row)})", row)


def _places(row: Sequence[Any]) -> str:
    return ", ".join("?" * len(row))
