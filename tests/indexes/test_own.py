"""Engines by a user: what a file may state, what identifies it, and what is wrong with it."""

import sys
from importlib import metadata

import pytest
from support.messages import refused

from bench import indexes
from bench.indexes import contract, own
from bench.indexes.engine import installed_version

PLAIN = '''"""Exact search, to try out."""
import numpy as np

class Searcher:
    def __init__(self, base):
        self.base = base

    def search(self, queries, k, ef_search):
        return ((queries[:, None] - self.base[None]) ** 2).sum(2).argsort(1)[:, :k]

def build(base, order, metric, params, seed):
    return Searcher(base)
'''


@pytest.fixture
def file(tmp_path):
    """Writes an engine's file."""

    def write(text, name="my_engine.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    """Engines and import paths as they were."""
    monkeypatch.setattr(indexes, "INDEXES", indexes.INDEXES)
    before = dict(indexes.INDEXES)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(own, "_FOLDERS", set())
    yield
    indexes.INDEXES.clear()
    indexes.INDEXES.update(before)


def test_a_file_with_a_build_is_an_engine_that_promises_what_ours_do(file):
    engine = own.from_file(file(PLAIN))
    assert engine.about == "Exact search, to try out."
    assert engine.params is indexes.engine.Params
    assert engine.promises == indexes.engine.Promises()
    failed = [verdict.check for verdict in contract.verdicts(engine) if not verdict.holds]
    assert "the order reaches the graph" in failed  # which exact search cannot hold, and is found out


def test_a_file_may_state_parameters_metrics_and_promises(file):
    stated = """
from bench.indexes.engine import Engine, Params, Promises
class Mine(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bits: int = 32
ENGINE = Engine(build=build, params=Mine, metrics=["l2"], promises=Promises(seeded=False))
"""
    engine = own.from_file(file(PLAIN + stated))
    assert (engine.params().bits, engine.metrics, engine.promises.seeded) == (32, ("l2",), False)


def test_an_engine_is_identified_by_its_code_and_by_modules_next_to_it(file):
    file("WIDTH = 1\n", "beside_it.py")
    first = own.from_file(file("from beside_it import WIDTH\n" + PLAIN)).file_digest
    assert own.from_file(file("# a comment\nfrom beside_it import WIDTH\n" + PLAIN)).file_digest == first
    assert (
        own.from_file(file("from beside_it import WIDTH\n" + PLAIN.replace("argsort(1)", "argsort(-1)"))).file_digest
        != first
    )
    file("from beside_it import WIDTH\n" + PLAIN)
    file("WIDTH = 2\n", "beside_it.py")
    assert own.from_file(file("from beside_it import WIDTH\n" + PLAIN)).file_digest != first


def test_a_file_beside_an_engine_takes_no_installed_modules_place(file):
    file("raise RuntimeError\n", "hnswlib.py")
    plain = own.from_file(file("import hnswlib\n" + PLAIN))
    file("raise RuntimeError('edited')\n", "hnswlib.py")
    assert own.from_file(file("import hnswlib\n" + PLAIN)).file_digest == plain.file_digest
    assert plain.libraries == ("hnswlib",)
    assert "hnswlib 0" in installed_version(plain)


HELPED = "from helper import WIDTH\ndef build(base, order, metric, params, seed): return WIDTH\n"


def widths(*engines):
    """What engines made of HELPED build."""
    return [engine.build(None, None, "l2", None, 1) for engine in engines]


def test_helpers_of_one_name_in_two_folders_are_two(tmp_path):
    engines = []
    for width in (1, 2):
        folder = tmp_path / str(width)
        folder.mkdir()
        (folder / "helper.py").write_text(f"WIDTH = {width}\n")
        (folder / f"engine_{width}.py").write_text(HELPED)
        engines.append(own.from_file(folder / f"engine_{width}.py"))
    assert widths(*engines) == [1, 2]
    assert engines[0].file_digest != engines[1].file_digest
    with refused(tmp_path / "1" / "helper.py", tmp_path / "2" / "helper.py"):
        own.check_apart(engines)
    own.check_apart([engines[0], engines[0]])
    assert widths(own.from_file(tmp_path / "1" / "engine_1.py")) == [1]


def test_a_helper_that_was_edited_is_loaded_again(file):
    file("WIDTH = 1\n", "helper.py")
    before = own.from_file(file(HELPED))
    file("WIDTH = 2  # longer\n", "helper.py")
    after = own.from_file(file(HELPED))
    assert widths(before, after) == [1, 2]
    assert before.file_digest != after.file_digest


def test_where_a_file_lies_does_not_identify_it(file, tmp_path):
    (tmp_path / "bench" / "indexes").mkdir(parents=True)
    for place in ("__init__.py", "indexes/__init__.py", "indexes/engine.py"):
        (tmp_path / "bench" / place).write_text("")
    text = "from bench.indexes.engine import Params\n" + PLAIN
    beside_a_checkout = own.from_file(file(text))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "my_engine.py").write_text(text)
    elsewhere = own.from_file(tmp_path / "elsewhere" / "my_engine.py")
    assert beside_a_checkout.file_digest == elsewhere.file_digest
    assert beside_a_checkout.helpers == ()
    (tmp_path / "link.py").symlink_to(tmp_path / "elsewhere" / "my_engine.py")
    assert own.from_file(tmp_path / "link.py").file_digest == elsewhere.file_digest


def test_print_of_a_file_that_is_loaded_goes_to_stderr(file, capsys):
    own.from_file(file("print('hello')\n" + PLAIN))
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "import nowhere_to_be_seen",
            ("line 1", "ModuleNotFoundError", "nowhere_to_be_seen"),
        ),
        ("x = (", ("line 1",)),
        ("x = 1", ("build(base, order, metric, params, seed)", "ENGINE")),
        ("def build(base): pass", ("build(base, order, metric, params, seed)",)),
        ("ENGINE = 3", ("ENGINE", "int", "bench.indexes.engine.Engine")),
        ("\n\nimport sys; sys.exit(1)", ("line 3", "SystemExit: 1")),
        (
            f"{PLAIN}\nfrom bench.indexes.engine import Engine\nENGINE = Engine(build=build, metrics=('l1',))",
            ("'l1'", "l2, cosine, ip"),
        ),
        (
            f"{PLAIN}\nfrom bench.indexes.engine import Engine\nENGINE = Engine(build=build, params=dict)",
            ("params", "bench.indexes.engine.Params"),
        ),
    ],
)
def test_a_file_without_an_engine_is_refused_by_its_path(file, text, named):
    with refused("my_engine.py", *named):
        own.from_file(file(text))


def test_an_engine_is_found_by_name_and_by_path_and_nothing_else(file, tmp_path):
    assert indexes.find("hnswlib") == "hnswlib"
    assert indexes.find(str(file(PLAIN))) == "my_engine"
    assert indexes.INDEXES["my_engine"].file == str(tmp_path / "my_engine.py")
    with refused("'my_engine'"):  # a file is named by its path
        indexes.find("my_engine")
    with refused("'annoy'", "hnswlib, faiss"):
        indexes.find("annoy")
    with refused(tmp_path / "other.py"):
        indexes.find(str(tmp_path / "other.py"))
    with refused(tmp_path / "faiss.py", "faiss"):
        indexes.find(str(file(PLAIN, "faiss.py")))


def test_a_package_brings_an_engine_by_an_entry_point(file, monkeypatch, tmp_path):
    file(PLAIN, "their_engine.py")
    monkeypatch.syspath_prepend(tmp_path)
    points = [metadata.EntryPoint(name, "their_engine", own.GROUP) for name in ("theirs", "others")]
    points[1] = metadata.EntryPoint("others", "nowhere_to_be_seen", own.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == own.GROUP else [])
    assert indexes.find("theirs") == "theirs"
    assert indexes.INDEXES["theirs"].build.__module__ == "their_engine"
    with refused(tmp_path / "theirs.py", "theirs"):
        indexes.find(str(file(PLAIN, "theirs.py")))
    with refused("others", "nowhere_to_be_seen"):
        indexes.find("others")
    with refused("'annoy'", "hnswlib, faiss", "theirs, others"):
        indexes.find("annoy")
