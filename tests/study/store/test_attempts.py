"""A gate takes builds of its own interrupted attempt from a store, and nothing else."""

import json
import sqlite3
from contextlib import closing, contextmanager

import pytest
from support.experiments import SMALL

from bench.study import run as runs
from bench.study.execution.workers import Workers
from bench.study.fill import Interrupted, measuring
from bench.study.run import run
from bench.study.spec.study import read, with_builds
from bench.study.store import Store
from bench.study.store.packing import content_id

PURPOSE = {"command": "gate", "baseline": "digest", "margin": 0.5}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """An experiment of four outcomes, which are measured in this process."""
    monkeypatch.setattr(runs, "in_workers", lambda jobs, workers, log: runs._here(jobs, log))
    (tmp_path / "mine.toml").write_text(SMALL)
    return with_builds(read(str(tmp_path / "mine.toml")), 2)


def interrupted_after(number):
    """Progress of which Ctrl-C is pressed when so many outcomes have come."""

    @contextmanager
    def progress(total):
        finished = 0

        def step():
            nonlocal finished
            finished += 1
            if finished > number:
                raise KeyboardInterrupt

        yield lambda line: None, step

    return progress


def attempt(study, path, purpose=PURPOSE, stop=99):
    """How many outcomes an attempt measures, of the four that it asks for; it may be stopped after some."""
    lines = []
    try:
        with measuring(study, path, Workers(1), interrupted_after(stop), lines.append, purpose) as measure:
            outcomes = measure(study.trials)
            assert [outcome.trial for outcome in outcomes] == study.trials
    except Interrupted:
        pass
    return int(lines[0].split()[1])


def test_an_interrupted_attempt_goes_on_and_a_finished_one_begins_again(study, tmp_path):
    path = tmp_path / "s.sqlite"
    assert attempt(study, path, stop=2) == 4
    assert attempt(study, path) == 2
    assert attempt(study, path) == 4


def test_another_attempt_takes_nothing_of_an_interrupted_one(study, tmp_path):
    path = tmp_path / "s.sqlite"
    assert attempt(study, path, stop=2) == 4
    for other in ({"command": "baseline save"}, {"baseline": "another"}, {"margin": 1.0}):
        assert attempt(study, path, PURPOSE | other, stop=0) == 4
    assert attempt(study, path) == 3  # since the others measured one of its two again


def test_outcomes_of_an_earlier_command_are_not_taken(study, tmp_path):
    store = Store.create(tmp_path / "s.sqlite")
    assert len(list(run(study, store))) == 4
    store.close()
    assert attempt(study, tmp_path / "s.sqlite") == 4


def test_outcomes_that_another_command_measured_again_are_not_taken(study, tmp_path):
    path = tmp_path / "s.sqlite"
    assert attempt(study, path, stop=2) == 4
    store = Store.create(path)
    list(run(study, store, again=True))
    store.close()
    assert attempt(study, path) == 4


def test_a_store_of_before_attempts_were_recorded_serves(study, tmp_path):
    store = Store.create(tmp_path / "s.sqlite")
    store.close()
    assert attempt(study, tmp_path / "s.sqlite", stop=1) == 4
    assert len(list(Store.open(tmp_path / "s.sqlite").outcomes())) == 2


def test_outcomes_of_another_build_of_an_engine_are_not_taken(study, tmp_path):
    path = tmp_path / "s.sqlite"
    assert attempt(study, path, stop=2) == 4
    with closing(sqlite3.connect(path)) as connection, connection:
        [content] = connection.execute("SELECT content FROM environments").fetchone()
        there = json.loads(content)
        there["binaries"]["hnswlib"] = "another"
        connection.execute("UPDATE environments SET id = ?, content = ?", (content_id(there), json.dumps(there)))
        connection.execute("UPDATE builds SET environment = ?", (content_id(there),))
    assert attempt(study, path) == 4
