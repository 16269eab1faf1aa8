import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.examples import TRIAL, example_of, outcome
from support.messages import refused

from bench.study.outcome import Failure
from bench.study.store import Store
from bench.study.store.database import SCHEMA
from bench.study.trial import changed

HITS, HITS_TIE = [10, 7, 0], [10, 8, 0]


def one(environment=None, **fields):
    made = outcome(HITS, HITS_TIE, ids_sha256="aa", seconds=1.5, **fields)
    here = {"commit": "c", "cores": 2} if environment is None else environment
    return msgspec.structs.replace(made, build=msgspec.structs.replace(made.build, environment=here))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "store.sqlite"


def test_an_outcome_comes_back_as_it_was(path):
    Store.create(path).add(one())
    [(experiment, back)] = Store.open(path).outcomes()
    assert experiment == ""
    assert back.trial == TRIAL
    assert (back.hits.tolist(), back.hits_tie.tolist()) == (HITS, HITS_TIE)
    assert (back.ids_sha256, back.build, back.search_seconds) == ("aa", one().build, one().search_seconds)
    assert back.build.facts == {"peak_bytes": 1_500_000}
    assert back.recall == pytest.approx(17 / 30)
    assert back.recall_tie == pytest.approx(18 / 30)


def test_searches_of_a_build_share_its_row_and_a_build_of_another_environment_has_its_own(path):
    store = Store.create(path)
    for ef in (10, 20, 40):
        store.add(one(ef_search=ef))
    builds = "SELECT count(*) FROM builds"
    assert sqlite3.connect(path).execute(builds).fetchone() == (1,)
    later = one({"commit": "d", "cores": 2}, ef_search=10)
    store.add(msgspec.structs.replace(later, build=msgspec.structs.replace(later.build, id="c", build_seconds=0.1)))
    by_ef = {
        o.trial.search.ef_search: (o.build.environment["commit"], o.build.build_seconds) for _, o in store.outcomes()
    }
    assert by_ef == {10: ("d", 0.1), 20: ("c", 1.5), 40: ("c", 1.5)}
    for ef in (20, 40):
        again = one(ef_search=ef)
        store.add(msgspec.structs.replace(again, build=msgspec.structs.replace(again.build, id="c")))
    store.forget("e", but=[])
    assert sqlite3.connect(path).execute(builds).fetchone() == (1,)


def test_groups_of_queries_come_back_whichever_of_outcome_and_profile_came_first(path):
    groups = np.array([1, 0, 1])
    grouped = [msgspec.structs.replace(one(build_seed=seed), query_groups=groups) for seed in (1, 2)]
    store = Store.create(path)
    store.describe(TRIAL.data, {"rows": np.array([3, 5])})
    for each in grouped:
        store.add(each)
    store.add(one(fingerprint="other"))
    by_data = {o.trial.data.fingerprint: o.query_groups for _, o in Store.open(path).outcomes()}
    assert by_data["other"] is None
    assert by_data["f"].tolist() == [1, 0, 1]
    assert by_data["f"].dtype == np.int64
    assert store.profile(TRIAL.data)["rows"].tolist() == [3, 5]


def scored(**fields):
    scores = {"nDCG@10": np.array([0.5, np.nan, 1.0], np.float32), "RR@10": np.array([1, np.nan, 0.5], np.float32)}
    exact = {"nDCG@10": np.array([1, np.nan, 1], np.float32)}
    return one(judgements="j", retrieval=scores, retrieval_exact=exact, **fields)


def test_retrieval_scores_come_back_as_they_were_and_are_stored_once(path):
    store = Store.create(path)
    for seed in (1, 2):
        store.add(scored(build_seed=seed))
    store.add(one())
    *two, plain = sorted((back for _, back in Store.open(path).outcomes()), key=lambda o: not o.trial.data.judgements)
    assert (plain.retrieval, plain.retrieval_exact) == ({}, {})
    for back in two:
        assert list(back.retrieval) == ["nDCG@10", "RR@10"]
        for ours, theirs in ((back.retrieval, scored().retrieval), (back.retrieval_exact, scored().retrieval_exact)):
            assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in theirs)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM scores").fetchone() == (2,)


def test_the_profile_of_a_dataset_comes_back_without_the_data(path):
    store = Store.create(path)
    assert store.profile(TRIAL.data) is None
    store.describe(TRIAL.data, {"rows": np.array([3, 5]), "row_lid": np.array([1.5, np.nan], np.float32)})
    store.add(one())  # does not undo it
    back = Store.open(path).profile(TRIAL.data)
    assert back["rows"].tolist() == [3, 5]
    assert np.array_equal(back["row_lid"], np.array([1.5, np.nan], np.float32), equal_nan=True)


def test_a_failure_is_kept_until_there_is_an_outcome(path):
    store = Store.create(path)
    store.enlist("e", [TRIAL, changed(TRIAL, build_seed=2)])
    store.fail(Failure(trial=TRIAL, reason="search: no luck"))
    store.fail(Failure(trial=changed(TRIAL, build_seed=9), reason="nobody asks for it"))
    assert store.failures("e") == [("e", Failure(trial=TRIAL, reason="search: no luck"))]
    assert store.missing([TRIAL]) == [TRIAL]
    assert store.unfinished() == {"e": 1}  # the other one
    store.add(one())
    assert store.failures("e") == store.failures() == []


def test_an_outcome_is_on_disk_when_add_returns(path):
    store = Store.create(path)
    store.add(one())
    assert len(list(Store.open(path).outcomes())) == 1  # another connection, the first still open


def test_missing_are_those_without_an_outcome_in_their_order(path):
    store = Store.create(path)
    trials = [changed(TRIAL, build_seed=seed) for seed in (3, 1, 2)]
    store.add(one(build_seed=1))
    assert [trial.seeds.build_seed for trial in store.missing(trials)] == [3, 2]


def test_an_experiment_keeps_what_it_ever_asked(path):
    store = Store.create(path)
    first, second, third = (one(build_seed=seed) for seed in (1, 2, 3))
    for each in (first, second, third):
        store.add(each)
    store.enlist("e", [first.trial])
    store.enlist("f", [second.trial])
    store.enlist("e", [first.trial, second.trial])
    assert [o.trial.seeds.build_seed for _, o in store.outcomes("f")] == [2]
    rows = sorted((name, o.trial.seeds.build_seed) for name, o in store.outcomes())
    assert rows == [("", 3), ("e", 1), ("e", 2), ("f", 2)]
    assert store.experiments() == ["e", "f"]


def test_an_unknown_experiment_is_named_with_the_known_ones(path):
    store = Store.create(path)
    store.add(one())
    store.enlist("e", [TRIAL])
    with refused(path, "'x'", "e"):
        store.outcomes("x")


def test_a_store_that_is_not_there_is_named_and_not_made(path):
    with refused(path):
        Store.open(path)
    assert not path.parent.exists()


def test_a_store_of_another_schema_is_refused_and_left_alone(path):
    Store.create(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    connection.close()
    before = path.read_bytes()
    for use in (Store.create, Store.open):
        with refused(path, SCHEMA + 1, SCHEMA, "--store"):
            use(path)
    assert path.read_bytes() == before


def test_a_database_of_someone_else_is_refused_and_left_alone(path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with refused(path, SCHEMA, "--store"):
        Store.create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be looked at" * 20, b"SQLite format 3\0x"]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with refused(path, "--store"):
        Store.create(path)
    assert path.read_bytes() == content


def test_a_store_cut_in_half_is_named(path):
    store = Store.create(path)
    for seed in range(200):
        store.add(one(build_seed=seed))
    store.close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with refused(path, "--store"):
        list(Store.open(path).outcomes())


def test_a_path_that_is_no_file_is_refused_and_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    for use in (Store.create, Store.open):
        for name in ("folder", "link"):
            with refused(tmp_path / name, "folder", "--store"):
                use(tmp_path / name)
        for path in (tmp_path / "pipe", Path("/dev/null"), Path("/dev/full")):
            with refused(path, "--store"):
                use(path)
        with refused(tmp_path / "loop", "--store"):
            use(tmp_path / "loop")
    with refused("x" * 300, "--store"):
        Store.create(tmp_path / ("x" * 300))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_to_a_store_is_that_store(tmp_path):
    (tmp_path / "link").symlink_to("store.sqlite")
    Store.create(tmp_path / "link").add(one())
    assert len(list(Store.open(tmp_path / "store.sqlite").outcomes())) == 1


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with refused(tmp_path / "file", "--store"):
        Store.create(tmp_path / "file" / "store.sqlite")
    with refused(tmp_path, "--store"):
        Store.create(tmp_path)


def test_several_may_make_one_store_at_once(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        for number in range(50):
            path = tmp_path / f"{number}.sqlite"
            made = [pool.submit(lambda path=path: Store.create(path).close()) for _ in range(4)]
            for future in made:
                future.result()
            assert Store.open(path).experiments() == []


def test_outcomes_that_an_experiment_never_got_are_counted(path):
    store = Store.create(path)
    trials = [one(build_seed=seed).trial for seed in (1, 2, 3)]
    store.enlist("e", trials)
    assert store.unfinished() == {"e": 3}
    store.add(one(build_seed=1))
    assert store.unfinished() == {"e": 2}
    store.forget("e", but=trials[:2])
    assert store.unfinished() == {"e": 1}
    store.add(one(build_seed=2))
    assert store.unfinished() == {}
    assert len(list(store.outcomes("e"))) == 2


def test_the_ladder_is_an_experiments_and_apart_from_its_own_outcomes(path):
    store = Store.create(path)
    own, rung = one(ef_search=10), one(ef_search=20)
    store.enlist("e", [own.trial], ladder=[rung.trial])
    store.enlist("f", [rung.trial])
    assert store.unfinished() == {"e": 2, "f": 1}
    store.add(own, "e")
    store.add(rung, "e")
    assert [(name, o.trial.search.ef_search) for name, o in store.outcomes()] == [("e", 10), ("f", 20)]
    assert [(name, o.trial.search.ef_search) for name, o in store.ladder()] == [("e", 20)]
    assert [o.trial for _, o in store.ladder("e")] == [rung.trial]
    assert store.missing([own.trial, rung.trial]) == []


def test_outcomes_of_an_experiment_itself_are_no_longer_of_its_ladder(path):
    store = Store.create(path)
    rung = one(ef_search=20)
    store.enlist("e", [], ladder=[rung.trial])
    store.add(rung, "e")
    store.enlist("e", [rung.trial])
    assert len(list(store.outcomes("e"))) == 1
    store.enlist("e", [], ladder=[rung.trial])  # it has it, and tables show what it ever asked for
    assert len(list(store.outcomes("e"))) == 1
    assert list(store.ladder("e")) == []


def test_missing_outcomes_of_an_experiment_can_be_of_its_ladder(path):
    store = Store.create(path)
    rung = one(ef_search=20)
    store.enlist("e", [rung.trial])
    store.enlist("e", [], ladder=[rung.trial])
    store.add(rung, "e")
    assert list(store.outcomes("e")) == []
    assert len(list(store.ladder("e"))) == 1


def test_failures_of_the_ladder_are_the_experiments_and_forgotten_like_others(path):
    store = Store.create(path)
    rung = one(ef_search=20).trial
    store.enlist("e", [], ladder=[rung])
    store.fail(Failure(trial=rung, reason="search: no luck"), "e")
    assert store.failures("e") == [("e", Failure(trial=rung, reason="search: no luck"))]
    assert store.unfinished() == {}
    store.forget("e", but=[])
    assert store.failures("e") == []


def test_an_outcome_that_other_code_made_is_missing_until_it_is_replaced(path):
    store = Store.create(path)
    before, now = (changed(TRIAL, code=code) for code in ("before", "now"))
    store.enlist("e", [before])
    store.add(example_of(before, [10, 7, 0]), "e")
    assert store.missing([before]) == []
    assert store.missing([now]) == [now]
    store.enlist("e", [now])
    assert store.unfinished() == {"e": 1}
    store.enlist("e", [before])
    assert store.unfinished() == {}
    store.enlist("e", [now])
    assert store.unfinished() == {"e": 1}
    store.add(example_of(now, [10, 7, 1]), "e")
    assert store.unfinished() == {}
    [(_, outcome)] = store.outcomes("e")
    assert (outcome.trial, outcome.hits.tolist()) == (now, [10, 7, 1])


def test_facts_of_builds_and_outcomes_come_back(path):
    store = Store.create(path)
    kept = msgspec.structs.replace(outcome([10, 7, 0]), facts={"distance_computations": 12.5, "counted": "by replay"})
    store.add(kept)
    [(_, back)] = store.outcomes()
    assert back.facts == kept.facts
    assert back.build.facts == kept.build.facts
