"""Stores that cannot be written, in folders that cannot: what they have is given, and what they miss is not built."""

import shutil
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from support.commands import in_process
from support.experiments import SMALL as EXPERIMENT
from support.lines import one_line
from support.messages import names
from support.permissions import as_owner

SMALL = ["--engines", "hnswlib", "--orders", "given,random", "--ef-search", "10", "--seeds", "2"]
COMPARE = ["compare", "my.npy", *SMALL, "--store", "ro/s.sqlite"]


@pytest.fixture
def call(cli):
    """Calls `bench` as one whom permissions bind."""

    def call(*words):
        with as_owner():
            return cli(*words)

    return call


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A folder with vectors, and a store of what was compared on them in a folder of its own."""
    folder = tmp_path_factory.mktemp("compared")
    np.save(folder / "my.npy", np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32))
    done = in_process([*COMPARE, "--no-report"], folder, {})
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def filled(compared, tmp_path):
    """A copy of it that a test may change."""
    shutil.copytree(compared, tmp_path, dirs_exist_ok=True)
    yield tmp_path
    (tmp_path / "ro").chmod(0o755)


def close(folder, file_too=True):
    """Take away the right to write a folder, and the store in it."""
    for file in folder.iterdir():
        file.chmod(0o444 if file_too else 0o644)
    folder.chmod(0o555)
    with as_owner(), pytest.raises(PermissionError):
        (folder / "probe").touch()


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("file_too", [True, False])
def test_a_read_only_store_gives_its_outcomes(call, filled, file_too):
    words = [COMPARE, *([command, "--store", "ro/s.sqlite"] for command in ("table", "export"))]
    expected = [call(*each).stdout for each in words]
    before = content(filled / "ro")
    close(filled / "ro", file_too)
    for each, text in zip(words, expected, strict=True):
        done = call(*each)
        assert (done.returncode, done.stdout) == (0, text), done.stderr
    assert names(one_line(call("rankings", "--store", "ro/s.sqlite")), "nDCG@10")
    assert content(filled / "ro") == before


def test_an_experiment_of_another_name_that_asks_for_the_same_is_served_too(call, filled):
    (filled / "one.toml").write_text(EXPERIMENT)
    (filled / "two.toml").write_text(EXPERIMENT)
    words = ["--json", "--store", "ro/s.sqlite"]
    expected = call("run", "one.toml", *words)
    assert expected.returncode == 0
    close(filled / "ro")
    done = call("run", "two.toml", *words)
    assert "0 missing" in done.stderr
    assert done.stdout == expected.stdout.replace('"one"', '"two"')


@pytest.mark.parametrize("file_too", [True, False])
def test_missing_outcomes_of_a_read_only_store_are_an_error_before_any_build(call, filled, file_too):
    before = content(filled / "ro")
    close(filled / "ro", file_too)
    done = call(*COMPARE, "--seeds", "3")
    assert names(one_line(done), "ro/s.sqlite", "read-only")
    assert "/2 outcomes" not in done.stderr
    assert content(filled / "ro") == before


def test_a_gate_on_a_store_that_cannot_be_written_builds_nothing_that_would_be_lost(call, filled):
    (filled / "mine.toml").write_text(EXPERIMENT)
    words = ["--experiment", "mine.toml", "--builds", "5", "--reason", "x", "--store", "ro/s.sqlite"]
    assert call("baseline", "save", "mine", *words).returncode == 0
    close(filled / "ro")
    for command in (["gate", "mine", "--store", "ro/s.sqlite"], ["baseline", "save", "other", *words]):
        assert names(one_line(call(*command)), "ro/s.sqlite")


def test_a_store_that_another_tool_left_in_write_ahead_mode_is_read(call, filled):
    expected = call("table", "--store", "ro/s.sqlite").stdout
    connection = sqlite3.connect(filled / "ro" / "s.sqlite")
    assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    connection.close()
    close(filled / "ro")
    for words in (["table", "--store", "ro/s.sqlite"], COMPARE):
        done = call(*words)
        assert (done.returncode, done.stdout) == (0, expected), done.stderr


# Begins to change every outcome, writes part of it, and dies
CUT_SHORT = """
import os, signal, sqlite3
connection = sqlite3.connect("ro/s.sqlite")
connection.execute("PRAGMA cache_size = 1")
connection.execute("UPDATE outcomes SET hits = zeroblob(100000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_last_write_that_was_cut_short_is_undone_or_named(call, filled):
    expected = call("table", "--store", "ro/s.sqlite").stdout
    done = subprocess.run([sys.executable, "-c", CUT_SHORT], cwd=filled)
    assert done.returncode == -signal.SIGKILL
    assert (filled / "ro" / "s.sqlite-journal").stat().st_size
    close(filled / "ro")
    for words in (["table", "--store", "ro/s.sqlite"], COMPARE):
        line = one_line(call(*words))
        assert names(line, "ro/s.sqlite")
        assert "s.sqlite-journal" in line
    (filled / "ro").chmod(0o755)
    for file in (filled / "ro").iterdir():
        file.chmod(0o644)
    assert call("table", "--store", "ro/s.sqlite").stdout == expected


def test_a_new_store_in_a_folder_that_cannot_be_written_is_refused(call, filled):
    close(filled / "ro")
    done = call(*COMPARE[:-1], "ro/new.sqlite")
    assert names(one_line(done), "ro/new.sqlite")
    done = call(*COMPARE[:-1], "ro/deeper/new.sqlite")
    assert names(one_line(done), "ro/deeper")
