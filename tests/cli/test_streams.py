"""Standard streams that are closed, full, or read no more: exit codes and messages stay true, results stay whole."""

import os
import sqlite3
import subprocess

import numpy as np
import pytest
from support.commands import in_process
from support.lines import one_line

from bench.present import listings

COMPARE = "compare my.npy --orders given,random --seeds 2 --M 6 --ef-construction 30 --engines hnswlib"
FULL, CLOSED = "cannot write to standard output: No space left on device", "standard output is closed"
# Files that standard output cannot be written to, None where it is closed, and what is said of them
NO_OUTPUT = {"/dev/full": FULL, None: CLOSED}
# The same of standard error
NO_MESSAGES = [None, "/dev/full"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory, bench_script):
    """A folder with vectors and a store of what was compared on them."""
    folder = tmp_path_factory.mktemp("filled")
    np.save(folder / "my.npy", np.random.default_rng(0).standard_normal((400, 8)).astype(np.float32))
    subprocess.run([bench_script, *COMPARE.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def shell(bench_script, filled):
    """Runs a line of the shell, `bench` in it, in the folder `filled`."""

    def call(line, folder=filled):
        path = os.pathsep.join([os.path.dirname(bench_script), os.environ["PATH"]])
        return subprocess.run(
            line, shell=True, capture_output=True, text=True, cwd=folder, env=os.environ | {"PATH": path}, timeout=300
        )

    return call


@pytest.fixture
def call(filled):
    """Calls `bench` in the folder `filled`, in this process; `stdout` and `stderr` as `in_process` has them."""
    return lambda words, **streams: in_process(words.split(), filled, {}, **streams)


@pytest.mark.parametrize("output", NO_OUTPUT)
@pytest.mark.parametrize(
    "words", ["--help", "--version", "run --help", "list orders", "list orders --json", "table", "export"]
)
def test_a_result_that_cannot_be_written_is_a_mistake_of_one_line(call, words, output):
    assert NO_OUTPUT[output] in one_line(call(words, stdout=output))


@pytest.mark.parametrize(
    ("redirection", "named"),
    [(">/dev/full", FULL), (">&-", CLOSED), ("<&- >&-", CLOSED), ("1</dev/null", CLOSED)],
)
def test_a_process_without_a_place_for_its_result_names_the_stream(shell, redirection, named):
    assert named in one_line(shell(f"bench list orders {redirection}"))


@pytest.mark.parametrize("messages", NO_MESSAGES)
@pytest.mark.parametrize("words", ["list orders", "export", COMPARE])
def test_messages_that_cannot_be_written_are_no_reason_to_fail(call, words, messages):
    heard = call(words)
    unheard = call(words, stderr=messages)
    assert (unheard.returncode, unheard.stdout, unheard.stderr) == (0, heard.stdout, "")


@pytest.mark.parametrize("messages", NO_MESSAGES)
def test_a_mistake_that_cannot_be_said_is_no_part_of_the_result(call, messages):
    done = call("run nowhere", stderr=messages)
    assert (done.returncode, done.stdout) == (2, "")
    done = call("list orders", stdout="/dev/full", stderr=messages)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("messages", NO_MESSAGES)
def test_a_bug_is_no_failed_check_though_it_cannot_be_said(call, monkeypatch, messages):
    monkeypatch.setitem(listings.KINDS, "orders", None)
    assert call("list orders", stderr=messages).returncode == 70


@pytest.mark.parametrize("output", NO_OUTPUT)
def test_nothing_is_built_for_a_result_that_cannot_be_written(call, filled, output):
    before = sorted(filled.rglob("*"))
    (filled / "my.toml").write_text(
        "datasets = [{ name = 'digits', queries = 50 }]\norders = ['random']\nef_search = 10\nbuild_seeds = 5\n"
        "[[index]]\nengine = 'hnswlib'\n"
    )
    lines = [
        f"{COMPARE} --store new.sqlite",
        "run my.toml --store new.sqlite",
        "run my.toml --plan --store new.sqlite",
        "baseline save ./new.json --experiment my.toml --builds 5 --reason x",
        "lid my.npy --output new.npy",
        "order my.npy --order reverse --output new.npy",
    ]
    said = [one_line(call(line, stdout=output)) for line in lines]
    (filled / "my.toml").unlink()
    assert all(NO_OUTPUT[output] in line for line in said)
    assert sorted(filled.rglob("*")) == before


# An engine that prints, by Python and from C
ENGINE = """
import ctypes
from bench.indexes import INDEXES

def build(base, order, metric, params, seed):
    for number in range(2000):
        print("a line of the engine, number", number, flush=True)
    ctypes.CDLL(None).puts(b"and one from C")
    return INDEXES["hnswlib"].build(base, order, metric, params, seed)
"""


@pytest.mark.parametrize("redirection", ["2>/dev/full", "<&- 2>&-", "2>&1"])
def test_output_of_workers_harms_no_outcome_and_no_store(shell, filled, tmp_path, redirection):
    (tmp_path / "prints.py").write_text(ENGINE)
    line = f"bench compare {filled}/my.npy --orders given,random --seeds 2 --engines ./prints.py --ef-search 10"
    done = shell(f"{line} --jobs 2 --no-report --json {redirection}", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("a line of the engine" in done.stdout) == (redirection == "2>&1")
    connection = sqlite3.connect(tmp_path / "results" / "store.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    own = "SELECT count(*) FROM outcomes JOIN members USING (key) WHERE ladder = 0"
    assert connection.execute(own).fetchone() == (4,)
    assert connection.execute("SELECT count(*) FROM failures").fetchone() == (0,)


def test_a_result_in_a_file_needs_no_standard_output(call, filled):
    assert call("export --output out.csv", stdout=None, stderr=None).returncode == 0
    assert (filled / "out.csv").read_text() == call("export").stdout


@pytest.mark.parametrize("words", ["export", "list orders --json", "--help", COMPARE])
def test_a_reader_that_leaves_early_is_no_error(call, words):
    reader, output = os.pipe()
    os.close(reader)
    done = call(words, stdout=os.dup(output))
    assert (done.returncode, "bench:" in done.stderr, "Error" in done.stderr) == (0, False, False)
    assert call(words, stdout=os.dup(output), stderr=output).returncode == 0


@pytest.mark.parametrize("words", ["export", COMPARE])
def test_a_process_whose_reader_leaves_early_exits_with_0(bench_script, filled, words):
    reader, output = os.pipe()
    os.close(reader)
    done = subprocess.run([bench_script, *words.split()], stdout=output, stderr=output, cwd=filled)
    assert done.returncode == 0
    os.close(output)
