"""A user's engine and order, from the command line and from TOML, as the guide shows them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.messages import names

from bench.indexes import contract, own

GUIDE = Path(__file__).parents[2] / "bench" / "README.md"


def template():
    """The engine that the guide shows."""
    [code] = re.findall(r"```python\n(\"\"\"FAISS's HNSW, as a template.*?)```", GUIDE.read_text(), re.DOTALL)
    return code


@pytest.fixture
def folder(tmp_path):
    """Vectors, the template as `my_engine.py`, and an order of the rows."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", rng.standard_normal((300, 8)).astype(np.float32))
    np.save(tmp_path / "mine.npy", rng.permutation(300))
    (tmp_path / "my_engine.py").write_text(template())
    return tmp_path


def recalls(done, engine):
    return [
        (row["order"], row["ef_search"], row["recall"]) for row in json.loads(done.stdout) if row["engine"] == engine
    ]


def test_the_template_is_30_lines_and_holds_the_contract(folder):
    assert len(template().splitlines()) <= 30
    engine = own.from_file(folder / "my_engine.py")
    assert [verdict for verdict in contract.verdicts(engine) if not verdict.holds] == []


def test_the_template_gives_what_our_adapter_of_the_same_library_gives(cli, folder):
    words = (
        "compare",
        "rows.npy",
        "--orders",
        "random,./mine.npy",
        "--seeds",
        "2",
        "--engines",
        "faiss,./my_engine.py",
    )
    done = cli(*words, "--json", check=0)
    assert recalls(done, "my_engine") == recalls(done, "faiss") != []
    assert {row["order"] for row in json.loads(done.stdout)} == {"random", "mine.npy"}
    assert "0 missing" in cli(*words, "--jobs", "2", check=0).stderr


def test_an_engine_that_changes_is_measured_again_and_a_comment_is_not(cli, folder):
    words = ("compare", "rows.npy", "--orders", "random", "--seeds", "1", "--engines", "./my_engine.py")
    cli(*words, check=0)
    file = folder / "my_engine.py"
    file.write_text("# a comment\n" + file.read_text())
    assert "0 missing" in cli(*words, check=0).stderr
    file.write_text(file.read_text().replace("headroom: float = 0.2", "headroom: float = 0.3"))
    assert "2 missing" in cli(*words, check=0).stderr


def test_toml_names_files_from_its_own_folder(cli, folder):
    (folder / "deep").mkdir()
    for name in ("rows.npy", "mine.npy", "my_engine.py"):
        (folder / name).rename(folder / "deep" / name)
    (folder / "deep" / "set.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'rows.npy'\n")
    (folder / "deep" / "my.toml").write_text(
        "datasets = ['set.toml']\norders = ['random', { file = 'mine.npy' }]\nef_search = 10\nbuild_seeds = 1\n"
        "[[index]]\nengine = './my_engine.py'\nheadroom = 0.1\n[[index]]\nengine = 'my_engine.py'\n"
    )
    rows = json.loads(cli("run", "deep/my.toml", "--json", check=0).stdout)
    assert len(rows) == 4
    assert {row["engine"] for row in rows} == {"my_engine"}
    assert {row["engine_params"] for row in rows} == {'{"headroom":0.1}', '{"headroom":0.2}'}
    assert {row["order"] for row in rows} == {"random", "mine.npy"}


def test_a_store_is_read_where_the_engine_is_gone(cli, folder):
    cli("compare", "rows.npy", "--orders", "random", "--seeds", "2", "--engines", "./my_engine.py,hnswlib", check=0)
    (folder / "my_engine.py").unlink()
    done = cli("table", check=0)
    assert "my_engine" in done.stdout
    assert "environments" not in done.stderr


def test_a_baseline_of_an_own_engine_is_bit_exact_until_the_file_changes(cli, folder):
    (folder / "set.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'rows.npy'\n")
    (folder / "my.toml").write_text(
        "datasets = ['set.toml']\norders = ['random']\nef_search = 10\nbuild_seeds = 5\n"
        "[[index]]\nengine = 'hnswlib'\n[[index]]\nengine = './my_engine.py'\n"
    )
    cli("baseline", "save", "b.json", "--experiment", "my.toml", "--builds", "5", "--reason", "test", check=0)
    assert "2 bit-exact" in cli("gate", "b.json", check=0).stdout
    file = folder / "my_engine.py"
    file.write_text(file.read_text().replace("= params.ef_construction,", "= params.ef_construction // 8,"))
    verdict = " ".join(cli("gate", "b.json").stdout.split())
    assert names(verdict, "file of engine my_engine", "hnswlib", "1 bit-exact")
    assert "not bit-exact" not in verdict


def test_an_order_to_load_by_covers_all_rows_and_comes_back(cli, folder):
    for output in ("ids.npy", "ids.txt"):
        done = cli("order", "rows.npy", "--order", "residual-descending:clusters=5", "--output", output, check=0)
        assert names(done.stdout, output, 300, "residual-descending:clusters=5")
    ids = np.load(folder / "ids.npy")
    assert np.array_equal(np.sort(ids), np.arange(300))
    assert np.array_equal(np.loadtxt(folder / "ids.txt", dtype=int), ids)
    other = cli("order", "rows.npy", "--order", "random", "--output", "b.npy", "--seed", "2", check=0)
    assert "random" in other.stdout
    assert not np.array_equal(np.load(folder / "b.npy"), ids)
    done = cli("compare", "rows.npy", "--orders", "given,./ids.npy", "--seeds", "1", "--json", check=0)
    assert {row["order"] for row in json.loads(done.stdout)} == {"given", "ids.npy"}


def test_an_order_by_labels_takes_them(cli, folder):
    (folder / "labels.txt").write_text("\n".join(["a", "b", "c"] * 100) + "\n")
    words = ("order", "rows.npy", "--order", "category:permutation=c+a+b", "--output", "ids.npy")
    cli(*words, "--labels", "labels.txt", check=0)
    assert (np.load(folder / "ids.npy") % 3).tolist() == [2] * 100 + [0] * 100 + [1] * 100
    assert "needs labels" in cli(*words, check=2).stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--engines", "./nowhere.py"), "nowhere.py does not exist"),
        (("--engines", "./faiss.py"), "faiss is the name of another engine"),
        (("--engines", "./my_engine.py,deep/my_engine.py"), "two engines have the same file name"),
        (("--orders", "random,./nowhere.npy"), "nowhere.npy does not exist"),
        (("--orders", "random,./rows.npy"), "rows.npy has shape (300, 8) and type float32"),
        (("--orders", "random,file"), "name a file of row numbers"),
    ],
)
def test_a_file_without_engine_or_order_is_one_line(cli, folder, words, named):
    (folder / "deep").mkdir()
    (folder / "deep" / "my_engine.py").write_text(template())
    done = cli("compare", "rows.npy", *words, check=2)
    assert named in done.stderr.splitlines()[-1]
    assert not (folder / "results").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--order", "nope", "--output", "ids.npy"), "unknown order 'nope'"),
        (("--order", "category:permutations=6", "--output", "ids.npy"), "stands for several orders"),
        (("--order", "random", "--output", "ids.csv"), "unknown suffix '.csv'; known: .npy, .txt, .parquet"),
        (("--order", "random", "--output", "nowhere/ids.npy"), "its folder does not exist"),
        (("--order", "lid-ascending:k=300", "--output", "ids.npy"), "give k from 2 to 299"),
    ],
)
def test_an_order_that_cannot_be_written_is_one_line(cli, folder, words, named):
    done = cli("order", "rows.npy", *words, check=2)
    assert named in done.stderr.splitlines()[-1]
    assert not list(folder.glob("ids*"))
