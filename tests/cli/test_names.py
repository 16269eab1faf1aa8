"""Files whose names are not UTF-8, as old archives and other systems bring: every command takes them."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.experiments import SMALL
from support.lines import one_line
from support.messages import lines_naming, names

CAFE = "caf\udce9"  # as Python has the bytes 63 61 66 E9
TEXT = "caf\\xe9"  # as results have them
FEW = ["--seeds", "2", "--M", "6", "--ef-construction", "30", "--engines", "hnswlib", "--ef-search", "10"]
STORE = ["--store", f"{CAFE}.sqlite"]
EXPERIMENT = SMALL.replace("build_seeds = 1", "build_seeds = 2")


@pytest.fixture
def folder(tmp_path):
    """Vectors, queries, labels, an order and an engine under such names."""
    rng = np.random.default_rng(0)
    try:
        np.save(tmp_path / f"{CAFE}.npy", rng.standard_normal((400, 8)).astype(np.float32))
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    np.save(tmp_path / f"{CAFE}-q.npy", rng.standard_normal((30, 8)).astype(np.float32))
    np.save(tmp_path / "my.npy", np.load(tmp_path / f"{CAFE}.npy"))
    (tmp_path / f"{CAFE}.txt").write_text("".join(f"{'ab'[row % 2]}\n" for row in range(400)))
    (tmp_path / f"{CAFE}-rows.txt").write_text("".join(f"{row}\n" for row in range(400)))
    (tmp_path / f"{CAFE}.py").write_text("from bench.indexes import INDEXES\nbuild = INDEXES['hnswlib'].build\n")
    (tmp_path / f"{CAFE}.toml").write_text("title = 'x'\nmetric = 'l2'\n[files]\nbase = 'my.npy'\n")
    (tmp_path / f"{CAFE}-x.toml").write_text(EXPERIMENT)
    return tmp_path


@pytest.mark.parametrize("suffix", [".npy", ".toml"])
def test_vectors_are_compared_and_exported_under_a_name_that_can_be_written(cli, folder, suffix):
    words = ["compare", f"{CAFE}{suffix}", "--orders", "given,random", *FEW, *STORE]
    done = cli(*words, check=0)
    assert f"compare-{TEXT}:" in done.stdout
    assert f"missing in {CAFE}.sqlite" in done.stderr
    assert "0 missing" in cli(*words, check=0).stderr
    assert cli("table", f"compare-{TEXT}", *STORE, check=0).stdout == done.stdout
    assert {row["dataset"] for row in json.loads(cli("table", "--json", *STORE, check=0).stdout)} == {TEXT}
    cli("export", "--output", f"{CAFE}.csv", *STORE, check=0)
    with (folder / f"{CAFE}.csv").open(newline="") as file:
        assert {row["experiment"] for row in csv.DictReader(file)} == {f"compare-{TEXT}"}
    cli("export", "--format", "parquet", "--output", f"{CAFE}.parquet", *STORE, check=0)
    with (folder / f"{CAFE}.parquet").open("rb") as file:
        assert set(pq.read_table(file)["dataset"].to_pylist()) == {TEXT}


def test_queries_labels_orders_and_engines_may_be_such_files(cli, folder):
    files = ["--queries", f"{CAFE}-q.npy", "--labels", f"{CAFE}.txt"]
    orders = ["--orders", f"random,category,./{CAFE}-rows.txt"]
    done = cli("compare", "my.npy", *files, *orders, *FEW[:-4], "--engines", f"./{CAFE}.py", "--json", *STORE, check=0)
    rows = json.loads(done.stdout)
    assert {row["engine"] for row in rows} == {TEXT}
    assert {row["order"] for row in rows} == {"random", "category", f"{TEXT}-rows.txt"}


def test_experiments_baselines_and_gates_may_be_such_files(cli, folder):
    assert f"{TEXT}-x: " in cli("run", f"{CAFE}-x.toml", *STORE, check=0).stdout
    words = ["--experiment", f"{CAFE}-x.toml", "--builds", "5", "--reason", CAFE]
    assert f"{CAFE}.json: 10 outcomes" in cli("baseline", "save", f"{CAFE}.json", *words, check=0).stdout
    assert json.loads(cli("gate", f"{CAFE}.json", "--json", check=0).stdout)["passed"]
    done = cli("gate", f"{CAFE}.json", check=0, GITHUB_STEP_SUMMARY=f"{CAFE}.md")
    assert lines_naming(done.stdout, f"gate {TEXT}")
    assert (folder / f"{CAFE}.md").is_file()


def test_dimensions_and_orders_are_written_to_such_files(cli, folder):
    described = json.loads(
        cli("lid", f"{CAFE}.npy", "--k", "20", "--output", f"{CAFE}-lid.npy", "--json", check=0).stdout
    )
    assert described["dataset"] == TEXT
    assert np.load(folder / f"{CAFE}-lid.npy").shape == (400,)
    for suffix in (".npy", ".txt", ".parquet"):
        cli("order", f"{CAFE}.npy", "--order", "reverse", "--output", f"{CAFE}-ids{suffix}", check=0)
    words = ["compare", "my.npy", "--orders", f"given,./{CAFE}-ids.parquet", *FEW, "--json"]
    assert {row["order"] for row in json.loads(cli(*words, check=0).stdout)} == {"given", f"{TEXT}-ids.parquet"}


def test_texts_whose_name_no_toml_file_can_hold_are_refused_before_they_are_embedded(cli, folder):
    (folder / f"{CAFE}.jsonl").write_text('{"text": "a"}\n' * 30)
    before = sorted(folder.rglob("*"))
    words = ("embed", f"{CAFE}.jsonl", "--model", "lsa@2")
    assert names(one_line(cli(*words)), f"{CAFE}.jsonl", "UTF-8")
    assert names(one_line(cli(*words, "--name", CAFE)), "--name 'caf\\udce9'")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "words",
    [
        ["run", CAFE],
        ["run", f"{CAFE}-none.toml"],
        ["compare", f"{CAFE}-none.npy"],
        ["compare", "my.npy", "--engines", CAFE],
        ["lid", CAFE],
        ["fetch", CAFE],
        ["gate", f"{CAFE}.json"],
        ["embed", CAFE, "--model", "lsa@2"],
        ["table", "--store", CAFE],
        ["list", CAFE],
        [CAFE],
    ],
)
def test_a_mistake_in_such_a_name_is_one_line(cli, folder, words):
    assert "caf" in one_line(cli(*words))
