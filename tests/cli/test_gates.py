"""`bench baseline save` and `bench gate` as a user gives them."""

import json
import os
import shutil
import subprocess

import pytest
from support.commands import in_process
from support.experiments import SMALL as EXPERIMENT
from support.lines import one_line
from support.messages import lines_naming, names


@pytest.fixture(scope="module")
def with_baseline(tmp_path_factory):
    """A folder with an experiment and its baseline."""
    folder = tmp_path_factory.mktemp("saved")
    (folder / "mine.toml").write_text(EXPERIMENT)
    words = ["baseline", "save", "mine", "--experiment", "mine.toml", "--builds", "5", "--reason", "first"]
    done = in_process(words, folder, {})
    first, _, falls = done.stdout.partition("\n")
    assert first == "results/baselines/mine.json: 10 outcomes"
    assert names(falls, "points")
    return folder


@pytest.fixture
def saved(with_baseline, tmp_path):
    """The same in the folder of a test."""
    shutil.copytree(with_baseline, tmp_path, dirs_exist_ok=True)
    return tmp_path


def changed(folder, old, new):
    path = folder / "results" / "baselines" / "mine.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_gate_on_the_machine_of_the_baseline_is_bit_exact(cli, saved):
    done = cli("gate", "mine", check=0, GITHUB_STEP_SUMMARY=str(saved / "summary.md"))
    assert lines_naming(done.stdout, "gate mine", "2 bit-exact")
    summary = (saved / "summary.md").read_text()
    assert summary == cli("gate", "mine", "--wide", check=0).stdout
    assert summary.startswith(done.stdout.rstrip()[:100])
    assert "| bit-exact | hnswlib" in summary
    assert not (saved / "results" / "store.sqlite").exists()
    report = json.loads(cli("gate", "results/baselines/mine.json", "--json", check=0).stdout)
    assert report["passed"]
    assert [line["verdict"] for line in report["lines"]] == ["bit-exact"] * 2


# A sitecustomize plants the fault in the command's own process: M is halved.
HALVED = """
import hnswlib
whole = hnswlib.Index.init_index
class Index(hnswlib.Index):
    def init_index(self, *, M, **rest): super().init_index(M=M // 2, **rest)
hnswlib.Index = Index
"""


# Every engine's last tenth of the rows goes in first: recall may stay, the order does not.
MOVED = """
import hnswlib, numpy
class Index(hnswlib.Index):
    def add_items(self, data, ids=None, *rest, **more):
        ids = numpy.arange(len(data)) if ids is None else ids
        rows = numpy.roll(numpy.arange(len(data)), len(data) // 10)
        super().add_items(data[rows], ids[rows], *rest, **more)
hnswlib.Index = Index
"""


def test_gate_fails_when_an_engine_breaks_a_promise(script, saved):
    (saved / "sitecustomize.py").write_text(MOVED)
    done = script("gate", "mine", "--budget", "5s", check=1, PYTHONPATH=str(saved))
    assert names(done.stdout.splitlines()[0], "gate mine", "FAILED", "hnswlib", "promise")
    text = " ".join(done.stdout.split())
    assert names(text, "hnswlib, l2", "the last rows come last", "bench doctor hnswlib")


def test_strict_is_part_of_the_report(cli, saved):
    assert json.loads(cli("gate", "mine", "--strict", "--json", check=0).stdout)["strict"]


def test_a_failed_gate_exits_with_1(script, saved):
    (saved / "sitecustomize.py").write_text(HALVED)
    done = script("gate", "mine", check=1, PYTHONPATH=str(saved))
    assert names(done.stdout.splitlines()[0], "gate mine", "FAILED", "ids", "2 lines")


def test_a_failed_gate_exits_with_1_though_nobody_reads_why(bench_script, saved):
    (saved / "sitecustomize.py").write_text(HALVED)
    reader, output = os.pipe()
    os.close(reader)
    environment = os.environ | {"PYTHONPATH": str(saved)}
    done = subprocess.run([bench_script, "gate", "mine"], cwd=saved, env=environment, stdout=output, check=False)
    os.close(output)
    assert done.returncode == 1


def test_a_gate_that_has_decided_builds_all_again_though_its_store_has_them(cli, saved):
    for _ in range(2):
        assert lines_naming(cli("gate", "mine", "--store", "g.sqlite", check=0).stderr, "2 outcomes")


def test_saving_again_replaces_a_baseline_and_names_the_last(cli, saved):
    words = ["baseline", "save", "mine", "--experiment", "mine.toml", "--builds", "6", "--reason", "second"]
    done = cli(*words, check=0)
    assert names(done.stdout, "12 outcomes", "(first)")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"schema": 2', '"schema": 7', ("schema 7", 2)),
        ('"reason": "first"', '"reason": "other"', ("sha256",)),
        ('"sha256"', '"sha"', ("sha256",)),
        ("\n}\n", "\n", ("JSON",)),
    ],
)
def test_a_bad_baseline_is_named_and_not_overwritten(cli, saved, old, new, named):
    path = changed(saved, old, new)
    before = path.read_bytes()
    assert names(one_line(cli("gate", "mine")), "mine.json", *named)
    words = ["baseline", "save", "mine", "--experiment", "mine.toml", "--builds", "5", "--reason", "x"]
    assert names(one_line(cli(*words)), "mine.json", *named)
    assert path.read_bytes() == before


def test_changed_settings_and_data_are_refused(cli, saved):
    (saved / "mine.toml").write_text(EXPERIMENT.replace("M = 6", "M = 8"))
    assert names(one_line(cli("gate", "mine")), "mine.toml", "'mine'", "M was 6, is 8")
    (saved / "mine.toml").write_text(EXPERIMENT.replace("queries = 50", "queries = 60"))
    assert names(one_line(cli("gate", "mine")), "'mine'", "queries")
    (saved / "mine.toml").unlink()
    assert names(one_line(cli("gate", "mine")), "mine.toml")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["gate", "nosuch"], ("results/baselines/nosuch.json", "none")),
        (["gate", "a/b"], ("'a/b'",)),
        (["gate", "x", "--budget", "10"], ("--budget 10", "90s, 10m or 2h")),
        (["gate", "x", "--margin", "0"], ("--margin 0.0",)),
        (["baseline", "save", "x", "--reason", " "], ("--reason",)),
        (["baseline", "save", "x", "--reason", "y", "--builds", "2"], ("--builds 2", 5)),
        (["baseline", "save", "x"], ("'--reason'",)),
        (["baseline", "save", "x", "--reason", "y", "--experiment", "nosuch"], ("'nosuch'",)),
    ],
)
def test_mistakes_are_named_in_one_line(cli, tmp_path, words, named):
    assert names(one_line(cli(*words)), *named)
    assert list(tmp_path.iterdir()) == []
