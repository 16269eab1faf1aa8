"""Modules that an engine imports and no version identifies: they are found, and identify outcomes."""

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from support.datasets import clustered
from support.experiments import SMALL
from support.messages import warned

from bench import indexes
from bench.indexes import imports, own
from bench.study.execution import first_build
from bench.study.run import run
from bench.study.spec.study import read
from bench.study.store import Store

CORE = """
import hnswlib
from bench.indexes.engine import Engine

class Searcher:
    def __init__(self, index):
        self.index = index

    def search(self, queries, k, ef_search):
        self.index.set_ef(ef_search)
        return self.index.knn_query(queries, k=k, num_threads=1)[0].astype("int64")

def build(base, order, metric, params, seed):
    LAZY
    index = hnswlib.Index("l2", base.shape[1])
    index.init_index(len(base), M=params.M, ef_construction=params.ef_construction, random_seed=seed)
    index.add_items(base[order], order, num_threads=1)
    return Searcher(index)

ENGINE = Engine(build=build, package="hnswlib", metrics=("l2",))
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Nothing is noted of an engine of this name, and nothing imported of its package."""
    monkeypatch.setattr(imports, "_FILES", {})
    monkeypatch.setattr(first_build, "_SEEN", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(own, "_FOLDERS", set())
    own.libraries.cache_clear()
    yield
    own.libraries.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "made_pack"]:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an engine's file that names a package elsewhere, which is on the path."""
    package = tmp_path / "elsewhere" / "made_pack"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "core.py").write_text(CORE.replace("LAZY", "pass"))
    (tmp_path / "made_engine.py").write_text("from made_pack.core import ENGINE\n")
    (tmp_path / "mine.toml").write_text(SMALL.replace('"hnswlib"', '"./made_engine.py"'))
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return tmp_path


def edit(folder, text, name="core.py"):
    path = folder / "elsewhere" / "made_pack" / name
    path.write_text(text)
    os.utime(path, ns=(1, len(text)))  # so that no compiled file of before passes for it


def noted():
    """The modules that were noted of the engine, by name."""
    return imports.noted(indexes.INDEXES["made_engine"].file)


def missing(folder):
    """How many outcomes of the experiment a store misses, which it then has."""
    study, store = read(str(folder / "mine.toml")), Store.create(folder / "s.sqlite")
    count = len(store.missing(study.trials))
    assert len(list(run(study, store))) == count
    store.close()
    return count


def test_outcomes_go_by_a_package_outside_the_folder_of_the_file(folder):
    assert missing(folder) == 2
    assert missing(folder) == 0
    text = CORE.replace("LAZY", "pass")
    edit(folder, "# a comment\n" + text)
    assert missing(folder) == 0
    edit(folder, text.replace("M=params.M", "M=2"))
    assert missing(folder) == 2


@pytest.mark.parametrize(
    "lazy", ["import made_pack.late", "from importlib import import_module as i; i('made_pack.late')"]
)
def test_a_module_that_only_a_build_imports_counts(folder, lazy):
    edit(folder, "WIDTH = 1\n", "late.py")
    edit(folder, CORE.replace("LAZY", lazy))
    assert missing(folder) == 2
    edit(folder, "WIDTH = 2\n", "late.py")
    assert missing(folder) == 2
    assert set(noted()) == {"made_pack", "made_pack.core", "made_pack.late"}


def test_a_module_that_this_process_has_imported_already_counts(folder):
    importlib.import_module("made_pack.core")
    assert missing(folder) == 2
    edit(folder, CORE.replace("LAZY", "pass").replace("M=params.M", "M=2"))
    assert missing(folder) == 2


def test_a_package_without_an_init_file_counts(folder):
    (folder / "elsewhere" / "made_pack" / "__init__.py").unlink()
    missing(folder)
    assert set(noted()) == {"made_pack.core"}


def test_a_compiled_module_counts_by_its_content(folder):
    there = Path(importlib.util.find_spec("hnswlib").origin)
    module = folder / "elsewhere" / there.name
    shutil.copy(there, module)
    assert missing(folder) == 2
    assert noted()["hnswlib"] == str(module)
    with module.open("ab") as stream:
        stream.write(b"\0")
    assert missing(folder) == 2


def test_an_adapter_of_ours_counts_where_an_engine_uses_it(folder):
    edit(folder, "from bench.indexes.hnswlib import ENGINE\n")
    missing(folder)
    assert "bench.indexes.hnswlib" in noted()
    assert "bench.indexes.faiss" not in noted()


def test_versions_of_what_the_package_imports_count(folder):
    edit(folder, CORE.replace("LAZY", "import scipy"))
    missing(folder)
    assert "scipy" in indexes.INDEXES["made_engine"].libraries


def installed(folder, editable):
    """A folder of installed packages that records a package of one file, `there.py`."""
    info = folder / "site-packages" / "made_dist-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "site-packages" / "there.py").write_text("WIDTH = 1\n")
    (info / "METADATA").write_text("Name: made-dist\nVersion: 1.0\n")
    (info / "RECORD").write_text("there.py,sha256=x,10\nmade_dist-1.0.dist-info/RECORD,,\n")
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {"editable": editable}}))
    return info.parent


@pytest.mark.parametrize("editable", [True, False])
def test_an_installed_package_counts_by_its_version_unless_it_runs_in_place(folder, monkeypatch, editable):
    monkeypatch.syspath_prepend(installed(folder, editable))
    edit(folder, CORE.replace("LAZY", "import there"))
    missing(folder)
    assert ("there" in noted()) == editable
    assert ("made-dist" in indexes.INDEXES["made_engine"].libraries) == (not editable)


def test_an_engine_that_ends_its_process_while_it_builds_is_named_and_counts_by_what_it_loads(folder):
    edit(folder, CORE.replace("LAZY", "import os; os._exit(3)"))
    with warned("made_engine.py", "--store"):
        study = read(str(folder / "mine.toml"))
    assert len(study.trials) == 2
    assert set(noted()) == {"made_pack", "made_pack.core"}


def test_engines_of_ours_need_no_first_build(monkeypatch):
    monkeypatch.setattr(first_build, "apart", None)
    index = read("default").indexes[0]
    first_build.note_imports([index], [clustered()])
    assert imports.noted(index.engine) == {}


def test_a_library_that_another_folder_shadows_is_seen(tmp_path, monkeypatch):
    assert not imports.runs_elsewhere("hnswlib")
    (tmp_path / "hnswlib.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert imports.runs_elsewhere("hnswlib")
    assert not imports.runs_elsewhere("nowhere-to-be-seen")


def test_a_worker_builds_with_the_code_that_outcomes_go_by(cli_with_workers, folder):
    words = ("run", folder / "mine.toml", "--jobs", "2", "--store", "s.sqlite")
    assert "2 missing" in cli_with_workers(*words, check=0).stderr
    edit(folder, CORE.replace("LAZY", "pass").replace("M=params.M", "M=2"))
    assert "2 missing" in cli_with_workers(*words, check=0).stderr


def test_a_gate_with_a_store_fails_when_a_package_elsewhere_is_made_worse(cli_with_workers, folder):
    cli_with_workers("run", "mine.toml", "--store", "s.sqlite", check=0)
    cli_with_workers(
        "baseline", "save", "mine", "--experiment", "mine.toml", "--builds", "5", "--reason", "first", check=0
    )
    edit(folder, CORE.replace("LAZY", "pass").replace("M=params.M", "M=2"))
    cli_with_workers("gate", "mine", "--store", "s.sqlite", check=1)
