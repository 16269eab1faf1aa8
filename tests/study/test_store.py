import sqlite3
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
from support.examples import TRIAL

from bench.errors import BenchError
from bench.study.store import SCHEMA, Outcome, Store


def outcome(**changed):
    trial = msgspec.structs.replace(TRIAL, **changed)
    return Outcome(trial, np.array([10, 7, 0]), np.array([10, 8, 0]), "aa", 1.5, 0.25, {"commit": "c", "cores": 2})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "store.sqlite"


def test_an_outcome_comes_back_as_it_was(path):
    Store.create(path).add(outcome())
    [(experiment, back)] = Store.open(path).outcomes()
    assert experiment == ""
    assert back.trial == TRIAL
    assert back.hits.tolist() == [10, 7, 0]
    assert back.hits_tie.tolist() == [10, 8, 0]
    assert (back.ids_sha256, back.build_seconds, back.search_seconds) == ("aa", 1.5, 0.25)
    assert back.environment == {"commit": "c", "cores": 2}
    assert back.recall == pytest.approx(17 / 30)
    assert back.recall_tie == pytest.approx(18 / 30)


def scored():
    found = {"nDCG@10": np.array([0.5, np.nan, 1.0], np.float32), "RR@10": np.array([1, np.nan, 0.5], np.float32)}
    return msgspec.structs.replace(
        outcome(judgements="j"), retrieval=found, retrieval_exact={"nDCG@10": np.array([1, np.nan, 1], np.float32)}
    )


def test_retrieval_scores_come_back_as_they_were_and_are_kept_once(path):
    store = Store.create(path)
    for seed in (1, 2):
        trial = msgspec.structs.replace(scored().trial, build_seed=seed)
        store.add(msgspec.structs.replace(scored(), trial=trial))
    store.add(outcome())
    *two, plain = sorted((back for _, back in Store.open(path).outcomes()), key=lambda o: not o.trial.judgements)
    assert (plain.retrieval, plain.retrieval_exact) == ({}, {})
    for back in two:
        assert list(back.retrieval) == ["nDCG@10", "RR@10"]
        for found, kept in ((back.retrieval, scored().retrieval), (back.retrieval_exact, scored().retrieval_exact)):
            assert all(np.array_equal(found[name], kept[name], equal_nan=True) for name in kept)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM scores").fetchone() == (2,)


def test_judgements_make_another_trial_and_none_the_same_key_as_ever():
    assert scored().trial.key != TRIAL.key
    assert TRIAL.key == "35ca81f496e44e108db8b16c6c2828307985f9e6afe88f3e92455d40d756373b"


def version_1(path):
    """A store as it was before there were judgements, with one outcome."""
    Store.create(path).add(outcome())
    connection = sqlite3.connect(path)
    for name in ("judgements", "engine_binary", "retrieval", "retrieval_exact"):
        connection.execute(f"ALTER TABLE outcomes DROP COLUMN {name}")
    connection.execute("DROP TABLE scores")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_a_store_from_before_there_were_judgements_is_taken_over(path):
    version_1(path)
    store = Store.open(path)
    assert store.missing([TRIAL, scored().trial]) == [scored().trial]
    store.add(scored())
    plain, judged = sorted((back for _, back in Store.open(path).outcomes()), key=lambda o: o.trial.judgements)
    assert (plain.trial, plain.hits.tolist(), plain.retrieval) == (TRIAL, [10, 7, 0], {})
    assert judged.trial == scored().trial
    assert judged.retrieval["RR@10"][2] == 0.5


def test_an_outcome_is_on_disk_when_add_returns(path):
    store = Store.create(path)
    store.add(outcome())
    assert len(list(Store.open(path).outcomes())) == 1  # another connection, the first still open


def test_missing_are_those_without_an_outcome_in_their_order(path):
    store = Store.create(path)
    trials = [msgspec.structs.replace(TRIAL, build_seed=seed) for seed in (3, 1, 2)]
    store.add(outcome(build_seed=1))
    assert [trial.build_seed for trial in store.missing(trials)] == [3, 2]


def test_an_experiment_keeps_what_it_ever_asked(path):
    store = Store.create(path)
    one, two, three = (outcome(build_seed=seed) for seed in (1, 2, 3))
    for each in (one, two, three):
        store.add(each)
    store.enlist("e", [one.trial])
    store.enlist("f", [two.trial])
    store.enlist("e", [one.trial, two.trial])
    assert [o.trial.build_seed for _, o in store.outcomes("f")] == [2]
    rows = sorted((name, o.trial.build_seed) for name, o in store.outcomes())
    assert rows == [("", 3), ("e", 1), ("e", 2), ("f", 2)]
    assert store.experiments() == ["e", "f"]


def test_an_unknown_experiment_is_told_with_the_known_ones(path):
    store = Store.create(path)
    store.add(outcome())
    store.enlist("e", [TRIAL])
    with pytest.raises(BenchError, match="unknown experiment 'x'; known: e"):
        store.outcomes("x")


def test_a_store_that_is_not_there_is_told_and_not_made(path):
    with pytest.raises(BenchError, match="no store at"):
        Store.open(path)
    assert not path.parent.exists()


def test_a_store_of_another_version_is_refused_and_left_alone(path):
    Store.create(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    connection.close()
    before = path.read_bytes()
    for use in (Store.create, Store.open):
        with pytest.raises(BenchError, match=rf"store of version {SCHEMA + 1}, and this bench reads version {SCHEMA}"):
            use(path)
    assert path.read_bytes() == before


def test_a_database_of_someone_else_is_refused_and_left_alone(path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(BenchError, match="not a store of this harness"):
        Store.create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be looked at" * 20, b"SQLite format 3\0x"]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(BenchError, match="cannot use the store"):
        Store.create(path)
    assert path.read_bytes() == content


def test_a_store_cut_in_half_is_told(path):
    store = Store.create(path)
    for seed in range(200):
        store.add(outcome(build_seed=seed))
    store.close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BenchError, match="store"):
        list(Store.open(path).outcomes())


def test_an_unwritable_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match=r"cannot write the results folder .*--store"):
        Store.create(tmp_path / "file" / "store.sqlite")
    with pytest.raises(BenchError, match="cannot use the store"):
        Store.create(tmp_path)


def test_several_may_make_one_store_at_once(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        for number in range(50):
            path = tmp_path / f"{number}.sqlite"
            made = [pool.submit(lambda path=path: Store.create(path).close()) for _ in range(4)]
            for one in made:
                one.result()
            assert Store.open(path).experiments() == []


def test_what_an_experiment_asked_and_never_got_is_counted(path):
    store = Store.create(path)
    trials = [outcome(build_seed=seed).trial for seed in (1, 2, 3)]
    store.enlist("e", trials)
    assert store.unfinished() == {"e": 3}
    store.add(outcome(build_seed=1))
    assert store.unfinished() == {"e": 2}
    store.enlist("e", trials[:2])  # asked for less since
    assert store.unfinished() == {"e": 1}
    store.add(outcome(build_seed=2))
    assert store.unfinished() == {}
    assert len(list(store.outcomes("e"))) == 2
