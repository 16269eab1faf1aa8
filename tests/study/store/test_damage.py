"""Stores that were edited: one line that names the store and what is wrong, before anything is built."""

import json
import sqlite3

import msgspec
import numpy as np
import pytest
from support.examples import TRIAL, outcome
from support.lines import one_line

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


_GROUPS = "UPDATE datasets SET query_groups = ?"

# An edit of one thing, and what is said of it
EDITS = {
    "the order of a build": ('UPDATE builds SET "order" = ?', "given", "states another trial"),
    "the M of a build, to text": ("UPDATE builds SET M = ?", "sixteen", "states another trial"),
    "the k of an outcome": ("UPDATE outcomes SET k = ?", 9, "states another trial"),
    "the name of a dataset": ("UPDATE datasets SET dataset = ?", "other", "states another trial"),
    "the build of an outcome": ("UPDATE outcomes SET build_id = ?", "gone", "its build or dataset is not there"),
    "the dataset of a build": ("UPDATE builds SET dataset_id = ?", "gone", "its build or dataset is not there"),
    "hits cut": ("UPDATE outcomes SET hits = ?", b"\x00\x01\x02", "has hits of other queries than its 3"),
    "hits of fewer queries": ("UPDATE outcomes SET hits = ?", b"\x00\x01", "has hits of other queries than its 3"),
    "hits that are text": ("UPDATE outcomes SET hits = ?", "abcdef", "has hits of other queries than its 3"),
    "hits beyond k": ("UPDATE outcomes SET hits_tie = ?", b"\x00\x01" * 3, "has hits_tie beyond k = 10"),
    "seconds that are text": ("UPDATE outcomes SET search_seconds = ?", "soon", "has 'soon' for search_seconds"),
    "build seconds that are text": ("UPDATE builds SET build_seconds = ?", "soon", "has 'soon' for build_seconds"),
    "bytes that are text": ("UPDATE builds SET build_bytes = ?", "much", "has 'much' for build_bytes"),
    "the digest of ids": ("UPDATE outcomes SET ids_sha256 = ?", b"\xff", r"has b'\\xff' for ids_sha256"),
    "text that is no UTF-8": ("UPDATE datasets SET dataset = CAST(? AS TEXT)", b"\xff", "Could not decode to UTF-8"),
    "an environment cut": ("UPDATE environments SET content = ?", "{", "environment .* is not what was stored"),
    "an environment of another form": ("UPDATE environments SET content = ?", "[]", "environment .* is not what was"),
    "an environment changed": ("UPDATE environments SET content = ?", '{"cores": 3}', "environment .* is not what was"),
    "an environment that nests": ("UPDATE environments SET content = ?", "[" * 10**5, "environment .* is not what was"),
    "the id of an environment": ("UPDATE environments SET id = ?", "x", "is not in its table environments"),
    "scores cut": ("UPDATE scores SET content = substr(content, 1, ?)", 9, "scores .* are not what was stored"),
    "scores that are text": ("UPDATE scores SET content = ?", "x", "scores .* are not what was stored"),
    "the id of scores": ("UPDATE scores SET id = ?", "x", "is not in its table scores"),
    "groups of other queries": (_GROUPS, b"\0\0\0\0\1\0\0\0", "has query groups of other queries than its 3"),
    "groups cut": (_GROUPS, b"\0\0\0", "the query groups of dataset .* are not what was stored"),
    "groups beyond their number": (_GROUPS, b"\0\0\0\0" * 2 + b"\5\0\0\0", "the query groups of dataset .* are not"),
    "groups that are text": (_GROUPS, "abcdabcdabcd", "the query groups of dataset .* are not what was stored"),
    "scores of another outcome": ("UPDATE outcomes SET retrieval = ?", b"\xff", "is not in its table scores"),
}


@pytest.mark.parametrize("kind", EDITS)
def test_an_edited_outcome_is_named_with_its_store(path, kind):
    statement, value, message = EDITS[kind]
    edit(path, statement, value)
    store = Store.open(path)
    for use in (lambda: list(store.outcomes()), lambda: list(store.outcomes("e")), lambda: store.check("e")):
        with pytest.raises(BenchError, match=rf"store {path}.*{message}") as error:
            use()
        assert "\n" not in str(error.value)


def test_an_outcome_under_the_key_of_another_is_named(path):
    edit(path, "UPDATE outcomes SET key = 'x' WHERE retrieval = ''")
    with pytest.raises(BenchError, match="outcome x states another trial than was stored"):
        list(Store.open(path).outcomes())


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE failures SET trial = ?", "{"),
        ("UPDATE failures SET trial = ?", "{}"),
        ("UPDATE failures SET trial = ?", b"\xff"),
        ("UPDATE failures SET trial = replace(trial, '\"M\":16', ?)", '"M":8'),
        ("UPDATE failures SET trial = replace(trial, '\"M\":16', ?)", '"M":"16"'),
        ("UPDATE failures SET reason = ?", b"\xff"),
    ],
)
def test_an_edited_failure_is_named(path, statement, value):
    edit(path, statement, value)
    with pytest.raises(BenchError, match=rf"store {path} was edited or is damaged: failure \w+ states another"):
        Store.open(path).failures("e")


def test_a_failure_of_a_later_harness_with_a_field_more_is_named(path):
    later = msgspec.to_builtins(TRIAL)
    later["search"]["beam"] = 3
    key = msgspec.json.encode(later).decode()
    edit(path, "INSERT INTO failures VALUES ('0', ?, 'x')", key)
    edit(path, "INSERT INTO members VALUES ('e', '0', 0)")
    with pytest.raises(BenchError, match="failure 0 states another trial than was stored"):
        Store.open(path).failures()


@pytest.mark.parametrize("content", [b"", b"\xff", "x", msgspec.msgpack.encode({"rows": ["<i8", b"123"]})])
def test_an_edited_profile_is_named(path, content):
    edit(path, "UPDATE datasets SET profile = ?", content)
    with pytest.raises(BenchError, match="the profile of a dataset is not what was stored"):
        Store.open(path).profile(TRIAL.data)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ('ALTER TABLE builds DROP COLUMN "M"', "columns of its table builds differ in M"),
        ("ALTER TABLE builds ADD COLUMN beam INTEGER", "columns of its table builds differ in beam"),
        ("ALTER TABLE outcomes RENAME COLUMN hits TO found", "columns of its table outcomes differ in found, hits"),
        ("DROP TABLE members", "columns of its table members differ in experiment, key, ladder"),
        ("UPDATE members SET experiment = x'00ff'", "an experiment's name in its table members is no text"),
    ],
)
def test_edited_tables_are_named_when_the_store_is_opened(path, statement, message):
    edit(path, statement)
    for use in (Store.open, Store.create):
        with pytest.raises(BenchError, match=rf"store {path} was edited or is damaged: .*{message}"):
            use(path)


def test_what_a_table_of_statistics_adds_is_no_harm(path):
    edit(path, "ANALYZE")
    edit(path, "CREATE TABLE notes (x)")
    assert len(list(Store.open(path).outcomes("e"))) == 2


def test_the_rest_of_a_store_serves_other_experiments(path):
    store = Store.create(path)
    store.add(outcome([1, 2, 3], build_seed=5), "f")
    store.close()
    edit(path, "UPDATE outcomes SET hits = x'00' WHERE key IN (SELECT key FROM members WHERE experiment = 'e')")
    assert len(list(Store.open(path).outcomes("f"))) == 1


def test_an_edited_store_is_one_line_before_anything_is_built(cli, tmp_path):
    np.save(tmp_path / "my.npy", np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32))
    words = [
        "compare",
        "my.npy",
        "--engines",
        "hnswlib",
        "--orders",
        "random",
        "--ef-search",
        "10",
        "--store",
        "s.sqlite",
    ]
    cli(*words, "--seeds", "1", check=0)
    edit(tmp_path / "s.sqlite", "UPDATE environments SET content = ?", json.dumps({"cores": 1}))
    for more in (["--seeds", "1"], ["--seeds", "2"]):
        done = cli(*words, *more)
        assert "the store s.sqlite was edited or is damaged: environment" in one_line(done)
        assert "outcomes, " not in done.stderr  # no progress
    for command in ("table", "export"):
        assert "the store s.sqlite was edited or is damaged" in one_line(cli(command, "--store", "s.sqlite"))
