"""Engines that raise, die and hang cost their own trials only; workers end with their parent."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.indexes import INDEXES
from bench.study.experiment import Experiment
from bench.study.outcome import Failure
from bench.study.run import run
from bench.study.store import Store
from bench.study.study import Study

# Engines like hnswlib that misbehave at build seed 2, registered in every process that starts with this on its path
SITE = """
import os, signal, time
import msgspec
from bench.indexes import INDEXES

whole = INDEXES["hnswlib"].build

def raises(base, order, metric, params, seed):
    if seed == 2 and not os.path.exists("mended"):
        raise RuntimeError("no graph today\\nand a second line")
    return whole(base, order, metric, params, seed)

def dies(base, order, metric, params, seed):
    if seed == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return whole(base, order, metric, params, seed)

def hangs(base, order, metric, params, seed):
    if seed == 2:
        time.sleep(1000)
    return whole(base, order, metric, params, seed)

for build in (raises, dies, hangs):
    INDEXES[build.__name__] = msgspec.structs.replace(INDEXES["hnswlib"], build=build)
"""

TOML = """
datasets = [{ name = "digits", queries = 50 }]
orders = ["random", "given"]
ef_search = [10, 20]
build_seeds = 3
[[index]]
engine = "hnswlib"
"""


@pytest.fixture
def misbehaving(tmp_path):
    """A folder with an experiment of each engine that misbehaves, beside hnswlib."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    for engine in ("raises", "dies", "hangs"):
        (tmp_path / f"{engine}.toml").write_text(f'{TOML}[[index]]\nengine = "{engine}"\n')
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("engine", "words", "reason"),
    [
        ("raises", [], "build: RuntimeError: no graph today"),
        ("dies", [], "worker killed by SIGSEGV"),
        ("hangs", ["--timeout", "3"], "time limit of 3 s reached"),
    ],
)
def test_what_goes_wrong_costs_its_own_trials_only(cli, misbehaving, engine, words, reason, jobs):
    where = {"PYTHONPATH": str(misbehaving)}
    done = cli("run", f"{engine}.toml", "--jobs", jobs, "--json", *words, check=4, **where)
    rows = json.loads(done.stdout)
    failed = [row for row in rows if "reason" in row]
    assert {row["reason"] for row in failed} == {reason}
    expected = [(order, ef) for order in ("given", "random") for ef in (10, 20)]
    assert sorted((row["order"], row["ef_search"]) for row in failed) == expected
    assert {(row["engine"], row["build_seed"]) for row in failed} == {(engine, 2)}
    builds = {(row["engine"], row["order"], row["ef_search"]): row["builds"] for row in rows if "reason" not in row}
    assert {count for (name, _, _), count in builds.items() if name == "hnswlib"} == {3}
    assert {count for (name, _, _), count in builds.items() if name == engine} == {2}
    table = cli("table", engine, check=0, **where).stdout
    assert "4 of 24 trials FAILED" in table
    assert reason in table


def test_what_failed_is_tried_again_by_the_next_run(cli, misbehaving):
    where = {"PYTHONPATH": str(misbehaving)}
    cli("run", "raises.toml", check=4, **where)
    (misbehaving / "mended").touch()
    again = cli("run", "raises.toml", check=0, **where)
    assert "24 outcomes in all, 4 missing" in again.stderr
    assert "FAILED" not in again.stdout


def test_where_everything_fails_the_table_says_why(cli, misbehaving):
    where = {"PYTHONPATH": str(misbehaving)}
    toml = TOML.replace('"hnswlib"', '"raises"').replace("build_seeds = 3", "build_seeds = 2")
    (misbehaving / "all.toml").write_text(toml)
    (misbehaving / "sitecustomize.py").write_text(SITE.replace("seed == 2 and", "True and"))
    done = cli("run", "all.toml", check=4, **where)
    assert "8 of 8 trials FAILED" in done.stdout
    assert "no graph today" in cli("table", "all", check=0, **where).stdout


def test_a_gate_does_not_judge_what_failed(cli, misbehaving):
    (misbehaving / "mended").touch()
    words = ["--experiment", "raises.toml", "--builds", "5", "--reason", "x"]
    cli("baseline", "save", "mine", *words, check=0, PYTHONPATH=str(misbehaving))
    (misbehaving / "mended").unlink()
    done = cli("gate", "mine", check=4, PYTHONPATH=str(misbehaving))
    assert "no graph today" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("sign", "jobs"), [(signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGINT, 2)])
def test_workers_end_with_their_parent(bench_script, misbehaving, sign, jobs):
    process = subprocess.Popen(
        [bench_script, "run", "hangs.toml", "--jobs", str(jobs)],
        cwd=misbehaving,
        env=os.environ | {"PYTHONPATH": str(misbehaving)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(workers := children(process.pid)) < jobs and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2)  # builds have begun
    workers = children(process.pid)
    assert len(workers) >= jobs
    process.send_signal(sign)
    process.wait(timeout=30)
    deadline = time.monotonic() + 5
    while (alive := [pid for pid in workers if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive == []


def children(pid):
    """The processes that a process has started and that still run."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [map(int, line.split()) for line in listed.splitlines()]
    return [child for child, parent in pairs if parent == pid]


def is_alive(pid):
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(listed.strip()) and "Z" not in listed


def test_where_the_kernel_does_not_see_to_it_a_thread_ends_a_process_without_its_parent(tmp_path):
    program = (
        "import os, sys, threading, time\n"
        "from bench.study import workers\n"
        "parent = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    threading.Thread(target=workers._watch, args=(parent,), daemon=True).start()\n"
        "    open('child', 'w').write(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "time.sleep(1)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=30)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


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
    import pickle

    from bench.geometry import Geometry
    from bench.study.build import Job, data_files
    from bench.study.run import _order

    experiment = Experiment(datasets=["x"], orders=["random"], index=[{"engine": "hnswlib"}], build_seeds=1)
    study = Study("x", experiment, [small])
    geometry = Geometry(small)
    from bench import cache

    order = _order(small, geometry, study.trials[0])
    job = Job(
        trials=study.trials,
        data=data_files(small, geometry, 10),
        order=cache.on_disk(order.arrays["order"]),
        order_seconds=order.seconds,
        side_by_side=1,
    )
    assert len(pickle.dumps(job)) < 5000
    assert np.array_equal(job.data.base.open(), small.base)
    assert Path(job.order.path).is_file()
