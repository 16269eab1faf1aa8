"""A store of the last schema, of 12 outcomes and a ladder, as the harness wrote it then."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from support.messages import refused

from bench.study.store import Store
from bench.study.trial import CODE, changed

BEFORE = Path(__file__).parent / "schema-5.sqlite"


@pytest.fixture
def path(tmp_path):
    return Path(shutil.copy(BEFORE, tmp_path / "store.sqlite"))


def made_by(trials, code):
    return [changed(trial, **dict.fromkeys(CODE, code)) for trial in trials]


def test_a_migrated_store_has_its_outcomes_under_new_keys(path):
    store = Store.open(path)
    outcomes = [outcome for _, outcome in store.outcomes("mine")]
    assert len(outcomes) == 12
    assert len({outcome.trial.key for outcome in outcomes}) == 12
    assert {outcome.trial.code for outcome in outcomes} == {("", "")}
    assert {len(outcome.hits) for outcome in outcomes} == {30}
    assert 0.5 < outcomes[0].recall <= 1
    assert len(list(store.ladder("mine"))) == 28
    assert store.unfinished() == {}


def test_a_migrated_outcome_counts_as_current_until_its_code_changes(path):
    store = Store.open(path)
    trials = [outcome.trial for _, outcome in store.outcomes("mine")]
    assert store.missing(made_by(trials, "today")) == []
    store.enlist("mine", made_by(trials, "today"))
    assert store.missing(made_by(trials, "today")) == []
    assert len(store.missing(made_by(trials, "tomorrow"))) == 12
    store.enlist("mine", made_by(trials, "tomorrow"))
    assert store.unfinished() == {"mine": 12}


def test_a_store_that_cannot_be_written_is_migrated_in_memory(path, monkeypatch):
    content = path.read_bytes()
    monkeypatch.setattr("bench.study.store.database.is_writable", lambda path: False)
    assert len(list(Store.open(path).outcomes("mine"))) == 12
    assert path.read_bytes() == content


@pytest.mark.parametrize("edit", ["UPDATE builds SET M = 99", "DELETE FROM builds"])
def test_a_store_that_was_edited_is_not_migrated(path, edit):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(edit)
    connection.close()
    content = path.read_bytes()
    with refused(path):
        Store.open(path)
    assert path.read_bytes() == content
