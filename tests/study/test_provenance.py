"""What makes an outcome stale: the code that took part, and no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.experiments import SMALL
from support.messages import lines_naming

import bench
from bench import cache
from bench.study.provenance import provenance

PROGRAM = """
import json
from bench.study.provenance import order_code, provenance
triples = [(e, o, j) for e in ("hnswlib", "faiss") for o in ("random", "lid-ascending", "lid-descending", "cluster")
           for j in (False, True)]
print(json.dumps({f"{e} {o} {j}": provenance(e, j).code + order_code(o) for e, o, j in triples}))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package to edit."""
    shutil.copytree(
        Path(bench.__file__).parent, tmp_path / "bench", ignore=shutil.ignore_patterns("__pycache__", "*.toml")
    )
    for toml in Path(bench.__file__).parent.rglob("*.toml"):
        shutil.copy(toml, tmp_path / "bench" / toml.relative_to(Path(bench.__file__).parent))
    shutil.copytree(
        cache.CATALOGUE_IN_CHECKOUT, tmp_path / "bench" / "datasets", ignore=shutil.ignore_patterns("cache")
    )
    return tmp_path


@pytest.fixture(scope="module")
def before():
    """The codes of the package as it is."""
    return codes(Path(bench.__file__).parents[1])


def codes(package):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=package,
        env={"PYTHONPATH": str(package), "PATH": ""},
        text=True,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def edit(package, file, old, new):
    path = package / "bench" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def stale(package, before):
    after = codes(package)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("file", "old", "new", "concerned"),
    [
        ("indexes/hnswlib.py", '"""hnswlib: ', '"""HNSWLIB: ', None),
        ("indexes/hnswlib.py", "_INSERT_BLOCK = 1024", "# a comment\n_INSERT_BLOCK = 1024", None),
        ("indexes/hnswlib.py", "_INSERT_BLOCK = 1024", "_INSERT_BLOCK = 2048", "hnswlib"),
        (
            "indexes/faiss.py",
            "self.index.hnsw.efSearch = ef_search",
            "self.index.hnsw.efSearch = ef_search + 1",
            "faiss",
        ),
        (
            "orders/positional.py",
            "return rng.permutation(dataset.n)",
            "return rng.permutation(dataset.n)[::-1]",
            " random",
        ),
        ("orders/geometric.py", "return by_value(-_lid(", "return by_value(-2 * _lid(", "lid-descending"),
        ("orders/geometric.py", "nan=0.0", "nan=1.0", " lid-"),
        ("orders/groups.py", "sequence = rng.permutation(int(group.max()) + 1)", "sequence = np.arange(99)", "cluster"),
        ("geometry/dimension.py", "zeros < k - 1", "zeros < k - 2", " lid-"),
        ("geometry/knn.py", "_SPARE = 16", "_SPARE = 32", ""),
        ("geometry/knn.py", "niter=10", "niter=11", ""),
        ("geometry/__init__.py", "NEIGHBORS = 100", "NEIGHBORS = 99", ""),
        ("geometry/__init__.py", "knn.search(self.query_points", "knn.search(self.query_points[:]", ""),
        ("geometry/describe.py", "PROFILE_ROWS = 2000", "PROFILE_ROWS = 1000", None),
        ("geometry/verify.py", "sample: int = 100", "sample: int = 50", None),
        ("measure/recall.py", "axis=1)\n    return counts", "axis=1) + 0\n    return counts", ""),
        ("measure/retrieval.py", '"nDCG@10": 10', '"nDCG@10": 20', "True"),
        ("study/execution/build.py", "returned.min() < -1", "returned.min() < -2", ""),
        ("study/run.py", "again: bool = False", "again: bool = True", None),
        ("study/store/database.py", "SCHEMA = 6", "SCHEMA = 7", None),
        ("indexes/contract.py", "_NARROW = 10", "_NARROW = 11", None),
        ("orders/order.py", "return clusters or", "return clusters and", ""),
        ("orders/order.py", "default_rng([order_seed,", "default_rng([7 + order_seed,", ""),
        ("indexes/faiss.py", "    chunk: Chunk = 1", "    chunk: Chunk = 2", "faiss"),
    ],
)
def test_an_edit_makes_stale_what_it_can_change_and_nothing_else(package, before, file, old, new, concerned):
    edit(package, file, old, new)
    expected = set() if concerned is None else {name for name in before if concerned in f" {name}"}
    assert stale(package, before) == expected


def test_a_new_adapter_makes_nothing_stale(package, before):
    shutil.copy(package / "bench/indexes/hnswlib.py", package / "bench/indexes/another.py")
    edit(package, "indexes/__init__.py", "    chroma,\n", "    another,\n    chroma,\n")
    edit(package, "indexes/__init__.py", '"faiss": faiss.ENGINE', '"another": another.ENGINE, "faiss": faiss.ENGINE')
    assert stale(package, before) == set()


def test_libraries_are_those_that_took_part():
    assert "ir-measures" in provenance("hnswlib", True).libraries
    assert "ir-measures" not in provenance("hnswlib", False).libraries
    assert "numpy" in provenance("hnswlib", False).libraries


EXPERIMENT = f'{SMALL}[[index]]\nengine = "faiss"\n'


def test_a_run_builds_only_what_an_edit_can_change(package):
    (package / "mine.toml").write_text(EXPERIMENT)
    run = [sys.executable, "-c", "from bench.cli import main; main()", "run", "mine.toml", "--no-report"]

    def missing():
        environment = os.environ | {"PYTHONPATH": str(package)}
        done = subprocess.run(run, cwd=package, env=environment, text=True, capture_output=True, check=True)
        return next(line for line in done.stderr.splitlines() if line.startswith("mine: "))

    assert lines_naming(missing(), "4 outcomes", "4 missing")
    edit(package, "indexes/faiss.py", '"""FAISS', '"""The FAISS')
    (package / "bench/indexes/another.py").write_text('"""Another adapter."""\n')
    assert lines_naming(missing(), "4 outcomes", "0 missing")
    edit(package, "indexes/faiss.py", "_INSERT_BLOCK = 1024", "_INSERT_BLOCK = 512")
    assert lines_naming(missing(), "4 outcomes", "2 missing")
    assert lines_naming(missing(), "4 outcomes", "0 missing")
