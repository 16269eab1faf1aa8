"""`bench doctor` as a user gives it: tables, exit codes, engines that crash or hang."""

import json

import pytest
from support.lines import one_line
from support.messages import names
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


def test_the_table_of_a_faithful_engine_fits_80_columns(cli):
    done = cli("doctor", "hnswlib", check=0, COLUMNS="80")
    assert names(done.stdout.splitlines()[0], "hnswlib", "l2", "keeps its promises")
    assert names(done.stdout, "threads = 1")
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


def test_an_engine_that_crashes_fails_its_part_and_the_rest_goes_on(cli, write):
    path = write("if params.threads == 2: os.kill(os.getpid(), signal.SIGSEGV)")
    done = cli("doctor", path, "--metric", "cosine", check=1)
    text = " ".join(done.stdout.split())
    assert names(text, "mine", "BREAKS", "repeats, 2 threads")
    assert names(text, "SIGSEGV")
    assert names(text, "1.000")  # what came after it


def test_an_engine_that_hangs_fails_its_part_at_the_time_limit(cli, write, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "wait", wait_until_hanging(tmp_path / "hanging"))
    path = write("if params.threads == 2: open('hanging', 'w').close(); time.sleep(1000)")
    done = cli("doctor", path, "--timeout", "20", check=1)
    assert names(done.stdout, "20 s")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nosuch"], ("'nosuch'",)),
        (["nosuch.py"], ("nosuch.py",)),
        (["hnswlib", "--metric", "hamming"], ("'hamming'",)),
        (["hnswlib", "--timeout", "0"], ("--timeout 0",)),
        (["missing.py"], ("missing", "pip install no-such-package")),
        (["narrow.py", "--metric", "ip"], ("narrow", "ip", "l2")),
    ],
)
def test_mistakes_are_named_in_one_line(cli, tmp_path, words, named):
    from_whole = "import msgspec\nfrom bench.indexes.hnswlib import ENGINE\nENGINE = msgspec.structs.replace(ENGINE, "
    (tmp_path / "missing.py").write_text(from_whole + "package='no-such-package')\n")
    (tmp_path / "narrow.py").write_text(from_whole + "metrics=('l2',))\n")
    assert names(one_line(cli("doctor", *words)), *named)
