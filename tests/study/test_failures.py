"""Engines that raise, die and hang cost their own trials only; workers end with their parent."""

import json
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing.connection import wait
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from support.messages import lines_naming, refused
from support.processes import children, gone

from bench.geometry import Geometry
from bench.indexes import INDEXES
from bench.study.execution import workers
from bench.study.execution.build import Job, check_code, data_files
from bench.study.outcome import Failure
from bench.study.run import run
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store
from bench.study.trial import changed

# An engine like hnswlib that misbehaves, as a file: in a build, before or after it
ENGINE = """
import os, signal, subprocess, time
from bench.indexes import INDEXES

left_behind = []

class Panic(BaseException):
    pass

class Stuck:
    def __init__(self, searcher):
        self.searcher = searcher
    def search(self, queries, k, ef_search):
        if ef_search == 20:
            hang()
        return self.searcher.search(queries, k, ef_search)

def hang():
    open("hanging", "w").close()
    time.sleep(1000)

def build(base, order, metric, params, seed):
    {before}
    searcher = INDEXES["hnswlib"].build(base, order, metric, params, seed)
    {after}
    return searcher
"""
# By the engine's name: what it does before a build, and after it
FAULTS = {
    "raises": ("if seed == 2 and not os.path.exists('repaired'): raise RuntimeError('no graph today\\nand more')", ""),
    "dies": ("if seed == 2: os.kill(os.getpid(), signal.SIGSEGV)", ""),
    "hangs": ("if seed == 2: hang()", ""),
    "exits": ("if seed == 2: os._exit(0)", ""),
    "panics": ("if seed == 2: raise Panic('at the disco')", ""),
    "leaves": ("if left_behind: os._exit(3)", "if seed == 2: left_behind.append(seed)"),
    "sticks": ("", "searcher = Stuck(searcher)"),
    "prints": ("print('indexing'); os.write(1, b'indexing')", ""),
    "begins": (
        "if seed == 2: open('begun', 'w').write(str(subprocess.Popen(['sleep', '1000']).pid)); hang()",
        "",
    ),
    "always": ("raise RuntimeError('no graph today')", ""),
}
TOML = """
datasets = [{ name = "digits", queries = 50 }]
orders = ["random"]
reference = ""
ef_search = [10, 20]
build_seeds = 2
[[index]]
engine = "hnswlib"
M = 6
ef_construction = 20
"""


@pytest.fixture
def misbehaving(tmp_path):
    """Writes an engine that misbehaves, and an experiment on it and hnswlib; gives the experiment's name."""

    def write(name, toml=TOML):
        before, after = FAULTS[name]
        (tmp_path / f"{name}.py").write_text(ENGINE.format(before=before, after=after))
        (tmp_path / f"{name}.toml").write_text(
            f'{toml}[[index]]\nengine = "./{name}.py"\nM = 6\nef_construction = 20\n'
        )
        return f"{name}.toml"

    return write


@pytest.fixture
def patient(monkeypatch, tmp_path):
    """Lets time pass for workers only when one hangs and so many outcomes are stored, however busy the machine is."""

    def outcomes():
        with closing(sqlite3.connect(tmp_path / "results" / "store.sqlite")) as connection:
            return connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]

    def call(until):
        def monotonic():
            return 1000.0 if (tmp_path / "hanging").exists() and outcomes() >= until else 0.0

        monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=monotonic))
        monkeypatch.setattr(workers, "wait", lambda of, seconds: wait(of, 0.1))

    return call


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("engine", "words", "reason"),
    [
        ("raises", [], "build: RuntimeError: no graph today"),
        ("dies", [], "worker killed by SIGSEGV"),
        ("hangs", ["--timeout", "3"], "time limit of 3 s reached"),
    ],
)
def test_a_failure_costs_its_own_trials_only(cli_with_workers, misbehaving, patient, engine, words, reason, jobs):
    patient(until=6)
    done = cli_with_workers("run", misbehaving(engine), "--jobs", jobs, "--json", *words, check=4)
    rows = json.loads(done.stdout)
    failed = [row for row in rows if "reason" in row]
    assert {row["reason"] for row in failed} == {reason}
    assert sorted((row["order"], row["ef_search"]) for row in failed) == [("random", 10), ("random", 20)]
    assert {(row["engine"], row["build_seed"]) for row in failed} == {(engine, 2)}
    builds = {(row["engine"], row["order"], row["ef_search"]): row["builds"] for row in rows if "reason" not in row}
    assert builds == {
        (name, "random", ef): 2 if name == "hnswlib" else 1 for name in ("hnswlib", engine) for ef in (10, 20)
    }
    table = cli_with_workers("table", engine, check=0).stdout
    assert "2 of 8 trials FAILED" in table
    assert reason in table


def test_failed_trials_are_tried_again_by_the_next_run(cli_with_workers, misbehaving, tmp_path):
    cli_with_workers("run", misbehaving("raises"), check=4)
    (tmp_path / "repaired").touch()
    again = cli_with_workers("run", "raises.toml", check=0)
    assert lines_naming(again.stderr, "8 outcomes", "2 missing")
    assert "FAILED" not in again.stdout


def test_processes_of_an_engine_end_with_the_build_that_reaches_the_time_limit(
    cli_with_workers, misbehaving, patient, tmp_path
):
    patient(until=6)
    cli_with_workers("run", misbehaving("begins"), "--timeout", "3", check=4)
    assert gone(tmp_path / "nothing", (tmp_path / "begun").read_text())


def test_a_table_of_failures_alone_names_the_reason(cli, misbehaving):
    done = cli("run", misbehaving("always", TOML.partition("[[index]]")[0]), check=4)
    assert "4 of 4 trials FAILED" in done.stdout
    assert "no graph today" in cli("table", "always", check=0).stdout


def test_a_gate_does_not_judge_what_failed(cli, misbehaving, tmp_path):
    (tmp_path / "repaired").touch()
    words = ["--experiment", misbehaving("raises"), "--builds", "5", "--reason", "x"]
    cli("baseline", "save", "mine", *words, check=0)
    (tmp_path / "repaired").unlink()
    done = cli("gate", "mine", check=4)
    assert "no graph today" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("sign", "jobs"), [(signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGINT, 2)])
def test_workers_end_with_their_parent(bench_script, misbehaving, tmp_path, sign, jobs):
    process = subprocess.Popen(
        [bench_script, "run", misbehaving("hangs"), "--jobs", str(jobs)],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "hanging").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = children(process.pid)
    assert len(workers) >= jobs
    process.send_signal(sign)
    process.wait(timeout=30)
    assert gone(tmp_path / "nothing", *workers)


def test_where_the_kernel_does_not_see_to_it_a_thread_ends_a_process_without_its_parent(tmp_path):
    program = (
        "import os, sys, threading, time\n"
        "from bench.study.execution import processes\n"
        "parent = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    threading.Thread(target=processes._watch, args=(parent,), daemon=True).start()\n"
        "    open('child', 'w').write(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "while not os.path.exists('child') or not os.path.getsize('child'):\n"
        "    time.sleep(0.05)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=30)
    assert gone(tmp_path / "nothing", (tmp_path / "child").read_text())


class Answers:
    """A searcher that gives what it was made with."""

    def __init__(self, ids):
        self._ids = ids

    def search(self, queries, k, ef_search):
        if isinstance(self._ids, Exception):
            raise self._ids
        return self._ids


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (np.zeros((40, 9), int), r"search: ValueError: ids of shape (40, 9)"),
        (np.zeros((40, 10)), r"search: ValueError: ids of shape (40, 10) and type float64"),
        (np.full((40, 10), 400), r"search: ValueError: ids from 400 to 400"),
        (np.full((40, 10), -2), r"search: ValueError: ids from -2 to -2"),
        (KeyError("x" * 1000), r"search: KeyError: 'xxx"),
    ],
)
def test_answers_that_cannot_be_are_failures(small, tmp_path, monkeypatch, ids, reason):
    def build(*_):
        return Answers(ids)

    monkeypatch.setitem(INDEXES, "odd", msgspec.structs.replace(INDEXES["hnswlib"], build=build))
    experiment = Experiment(datasets=["x"], orders=["random"], index=[{"engine": "odd"}], ef_search=10, build_seeds=1)
    store = Store.create(tmp_path / "s.sqlite")
    [failure] = run(Study("x", experiment, [small]), store)
    assert isinstance(failure, Failure)
    assert failure.reason.startswith(reason)
    assert len(failure.reason) <= 300
    assert store.failures("x") == [("x", failure)]


@pytest.mark.parametrize("limit", ["0", "-1", "x"])
def test_a_time_limit_is_a_positive_number(cli, limit):
    done = cli("run", "default", "--timeout", limit, check=2)
    assert "--timeout" in done.stderr.splitlines()[-1]


def test_jobs_carry_no_arrays(small):
    """What travels to a worker is small, however large the data."""
    experiment = Experiment(datasets=["x"], orders=["random"], index=[{"engine": "hnswlib"}], build_seeds=1)
    study = Study("x", experiment, [small])
    job = Job(trials=study.trials, data=data_files(small, Geometry(small), 10), engine="hnswlib", side_by_side=1)
    assert len(pickle.dumps(job)) < 5000
    assert np.array_equal(job.data.base.open(), small.base)
    assert np.array_equal(job.data.labels.open(), small.labels)


@pytest.mark.parametrize(
    ("engine", "reason"), [("exits", "worker exited with code 0"), ("panics", "build: Panic: at the disco")]
)
def test_ends_that_look_like_peace_are_failures(cli_with_workers, misbehaving, engine, reason):
    rows = json.loads(cli_with_workers("run", misbehaving(engine), "--json", check=4).stdout)
    assert [row["reason"] for row in rows if "reason" in row] == [reason] * 2
    assert {row["builds"] for row in rows if row["engine"] == "hnswlib"} == {2}


def test_searches_that_finished_stay_where_a_later_one_hangs(cli_with_workers, misbehaving, patient):
    patient(until=3)
    toml = TOML.replace("build_seeds = 2", "build_seeds = 1")
    done = cli_with_workers("run", misbehaving("sticks", toml), "--timeout", "3", "--json", check=4)
    by_engine = {(row["engine"], row["ef_search"], "reason" in row) for row in json.loads(done.stdout)}
    assert ("sticks", 10, False) in by_engine
    assert ("sticks", 20, True) in by_engine


def test_leftovers_of_a_build_are_not_blamed_on_the_next(cli_with_workers, misbehaving):
    toml = TOML.replace("build_seeds = 2", "build_seeds = 3")
    rows = json.loads(cli_with_workers("run", misbehaving("leaves", toml), "--json", check=0).stdout)
    assert {row["builds"] for row in rows if row["engine"] == "leaves"} == {3}


def test_output_of_an_engine_is_no_result(cli_with_workers, misbehaving):
    assert json.loads(cli_with_workers("run", misbehaving("prints"), "--json", check=0).stdout)


def test_code_that_changes_while_a_command_runs_ends_it(small):
    experiment = Experiment(datasets=["x"], orders=["random"], index=[{"engine": "hnswlib"}], build_seeds=1)
    trials = [changed(trial, code="older") for trial in Study("x", experiment, [small]).trials]
    job = Job(trials=trials, data=data_files(small, Geometry(small), 10), engine="hnswlib", side_by_side=1)
    with refused("engine", "again"):
        check_code(job)


def test_failures_of_every_study_of_one_name_are_counted(cli, misbehaving, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "my.npy", rng.standard_normal((300, 8)).astype(np.float32))
    misbehaving("always")
    words = ["--preset", "all", "--orders", "random", "--seeds", "1", "--engines", "./always.py,hnswlib", "--json"]
    rows = json.loads(cli("compare", "my.npy", *words, check=4).stdout)
    assert sum("reason" in row for row in rows) == 14


REFUSALS = {
    "metric": ({"metrics": ("ip",)}, "ip"),
    "dimensions": ({"refuses": lambda params, d: f"takes {params.M}" if d > 4 else ""}, "takes 16"),
    "ef_search": ({"most_ef_search": 20}, "20"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_an_engine_that_refuses_data_fails_its_own_trials_alone(small, tmp_path, monkeypatch, kind):
    changed, named = REFUSALS[kind]
    monkeypatch.setitem(INDEXES, "narrow", msgspec.structs.replace(INDEXES["faiss"], **changed))
    experiment = Experiment(
        datasets=["small"],
        orders=["random", "given"],
        index=[{"engine": ["narrow", "hnswlib"]}],
        ef_search=[10, 40],
        build_seeds=1,
    )
    study, lines = Study("e", experiment, [small]), []
    store = Store.create(tmp_path / "s.sqlite")
    results = list(run(study, store, log=lines.append, trials=study.with_ladder))
    failed = [result for result in results if isinstance(result, Failure)]
    assert len(results) == len(study.with_ladder)
    assert {failure.trial.index.engine for failure in failed} == {"narrow"}
    assert all(named in failure.reason for failure in failed)
    efs = {failure.trial.search.ef_search for failure in failed}
    assert efs == {40} if kind == "ef_search" else {10, 40} < efs
    assert len([line for line in lines if "narrow" in line]) == 1
    assert len(store.failures("e")) == len(failed)


def test_an_engine_that_refuses_a_parameter_only_in_its_build_costs_its_own_trials(cli, tmp_path):
    pytest.importorskip("usearch", reason="needs the extra usearch")
    (tmp_path / "e.toml").write_text(
        'datasets = ["digits"]\norders = ["random"]\nbuild_seeds = 1\n'
        '[[index]]\nengine = "usearch"\ndtype = ["f32", "i8"]\n'
    )
    done = cli("run", "e.toml", "--limit", "200", "--json", check=4)
    rows = json.loads(done.stdout)
    assert {row["engine_params"] for row in rows if "reason" in row} == {'{"dtype":"i8","jitter":8}'}
    assert [row["engine_params"] for row in rows if "recall" in row] == ['{"dtype":"f32","jitter":8}'] * 2
