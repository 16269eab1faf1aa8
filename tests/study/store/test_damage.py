"""Stores that were edited: one line that names the store and what is wrong, before anything is built."""

import sqlite3

import numpy as np
import pytest
from support.examples import TRIAL, outcome
from support.messages import refused

from bench.errors import BenchError
from bench.study.outcome import Failure
from bench.study.store import Store
from bench.study.trial import changed

SCORES = {"nDCG@10": np.array([0.5, np.nan, 1.0], np.float32)}


@pytest.fixture
def path(tmp_path):
    """A store of two outcomes of experiment e, one with scores, a failure and a profile."""
    path = tmp_path / "store.sqlite"
    store = Store.create(path)
    store.add(outcome([10, 7, 0]), "e")
    store.add(outcome([10, 7, 0], judgements="j", retrieval=SCORES, retrieval_exact=SCORES), "e")
    store.fail(Failure(trial=changed(TRIAL, build_seed=9), reason="search: no luck"), "e")
    store.describe(TRIAL.data, {"rows": np.array([3, 5])})
    store.close()
    return path


def edit(path, statement, *values):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


# An edit of one thing, and what is named
EDITS = {
    "the order of a build": ('UPDATE builds SET "order" = ?', "given", "another trial"),
    "the k of an outcome": ("UPDATE outcomes SET k = ?", 9, "another trial"),
    "the name of a dataset": ("UPDATE datasets SET dataset = ?", "other", "another trial"),
    "the build of an outcome": ("UPDATE outcomes SET build_id = ?", "gone", "build"),
    "hits cut": ("UPDATE outcomes SET hits = ?", b"\x00\x01\x02", "outcome"),
    "hits of fewer queries": ("UPDATE outcomes SET hits = ?", b"\x00\x01", "hits"),
    "an environment cut": ("UPDATE environments SET content = ?", "{", "outcome"),
    "the id of an environment": ("UPDATE environments SET id = ?", "x", "environments"),
    "the id of scores": ("UPDATE scores SET id = ?", "x", "scores"),
}


@pytest.mark.parametrize("kind", EDITS)
def test_an_edited_outcome_is_named_with_its_store(path, kind):
    statement, value, named = EDITS[kind]
    edit(path, statement, value)
    store = Store.open(path)
    for use in (lambda: list(store.outcomes()), lambda: list(store.outcomes("e"))):
        with pytest.raises(BenchError) as error:
            use()
        assert str(path) in str(error.value)
        assert named in str(error.value)
        assert "\n" not in str(error.value)


def test_an_outcome_under_the_key_of_another_is_named(path):
    edit(path, "UPDATE outcomes SET key = 'x' WHERE retrieval = ''")
    with refused(path, "outcome x"):
        list(Store.open(path).outcomes())


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ('ALTER TABLE builds DROP COLUMN "M"', ("builds", "M")),
        ("ALTER TABLE builds ADD COLUMN beam INTEGER", ("builds", "beam")),
        ("ALTER TABLE outcomes RENAME COLUMN hits TO found", ("outcomes", "found, hits")),
        ("DROP TABLE members", ("members", "experiment, key, ladder")),
    ],
)
def test_edited_tables_are_named_when_the_store_is_opened(path, statement, named):
    edit(path, statement)
    for use in (Store.open, Store.create):
        with refused(path, *named):
            use(path)


def test_a_table_of_statistics_does_no_harm(path):
    edit(path, "ANALYZE")
    edit(path, "CREATE TABLE notes (x)")
    assert len(list(Store.open(path).outcomes("e"))) == 2


def test_the_rest_of_a_store_serves_other_experiments(path):
    store = Store.create(path)
    store.add(outcome([1, 2, 3], build_seed=5), "f")
    store.close()
    edit(path, "UPDATE outcomes SET hits = x'00' WHERE key IN (SELECT key FROM members WHERE experiment = 'e')")
    assert len(list(Store.open(path).outcomes("f"))) == 1
