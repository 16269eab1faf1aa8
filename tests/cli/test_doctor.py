"""`bench doctor` as a user gives it: tables, exit codes, engines that crash or hang."""

import json

import pytest
from support.lines import one_line
from support.processes import wait_until_hanging

from bench.study.execution import processes

ENGINE = """
import os, signal, time
import msgspec
from bench.indexes.hnswlib import ENGINE as WHOLE

def build(base, order, metric, params, seed):
    {fault}
    return WHOLE.build(base, order, metric, params, seed)

ENGINE = msgspec.structs.replace(WHOLE, build=build)
"""


@pytest.fixture
def write(tmp_path):
    """Writes an engine with a fault."""

    def call(fault="pass", name="mine.py"):
        (tmp_path / name).write_text(ENGINE.format(fault=fault))
        return f"./{name}"

    return call


def test_a_faithful_engine_is_told_in_a_table_that_fits_80_columns(cli):
    done = cli("doctor", "hnswlib", check=0, COLUMNS="80")
    assert done.stdout.startswith("hnswlib ")
    assert "keeps its promises" in done.stdout
    assert "threads = 1 (on 2, no two builds are alike)" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "hnswlib, l2: places" in done.stderr


def test_one_that_breaks_a_promise_exits_with_1(cli, write):
    done = cli("doctor", write("order = order[::-1].copy(); order.sort()"), "--json", check=1)
    [found] = json.loads(done.stdout)
    assert not found["keeps_promises"]
    assert not found["order_can_be_kept"]
    verdicts = {verdict["question"]: verdict for verdict in found["verdicts"]}
    assert verdicts["order"]["answer"] == "goes by id"
    assert verdicts["order"]["broken"]
    assert verdicts["ids"]["answer"] == "right"


def test_one_that_crashes_is_survived_and_told(cli, write):
    path = write("if params.threads == 2: os.kill(os.getpid(), signal.SIGSEGV)")
    done = cli("doctor", path, "--metric", "cosine", check=1)
    text = " ".join(done.stdout.split())
    assert "mine" in text
    assert "BREAKS what it promises: repeats, 2 threads" in text
    assert "killed by SIGSEGV" in text
    assert "recall 1.000 by id" in text  # what came after it


def test_one_that_hangs_is_survived_and_told(cli, write, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "wait", wait_until_hanging(tmp_path / "hanging"))
    path = write("if params.threads == 2: open('hanging', 'w').close(); time.sleep(1000)")
    done = cli("doctor", path, "--timeout", "20", check=1)
    assert "time limit of 20 s reached" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nosuch"], "unknown engine 'nosuch'"),
        (["nosuch.py"], "nosuch.py does not exist"),
        (["hnswlib", "--metric", "hamming"], "unknown metric 'hamming'"),
        (["hnswlib", "--timeout", "0"], "--timeout 0: give a positive number"),
        (["missing.py"], "needs the package no-such-package: pip install no-such-package"),
        (["narrow.py", "--metric", "ip"], "has no metric ip; it has l2"),
    ],
)
def test_mistakes_are_named_in_one_line(cli, tmp_path, words, named):
    from_whole = "import msgspec\nfrom bench.indexes.hnswlib import ENGINE\nENGINE = msgspec.structs.replace(ENGINE, "
    (tmp_path / "missing.py").write_text(from_whole + "package='no-such-package')\n")
    (tmp_path / "narrow.py").write_text(from_whole + "metrics=('l2',))\n")
    assert named in one_line(cli("doctor", *words))
