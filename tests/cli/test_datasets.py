"""Datasets as a user names them: with options in place of what a file states, and texts to embed."""

import json

import numpy as np
import pytest
from support.messages import lines_naming

from bench.study.store import Store

ONE = ["--orders", "given,random", "--seeds", "1", "--engines", "hnswlib", "--M", "6", "--ef-construction", "30"]


@pytest.fixture
def stated(tmp_path):
    """Vectors and a TOML file that names them, and no queries, as `bench embed` writes it."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "my.npy", rng.standard_normal((400, 8)).astype(np.float32))
    np.save(tmp_path / "q.npy", rng.standard_normal((30, 8)).astype(np.float32))
    np.save(tmp_path / "l.npy", rng.integers(0, 3, 400))
    (tmp_path / "set.toml").write_text("title = 'x'\nmetric = 'cosine'\n[files]\nbase = 'my.npy'\n")
    return tmp_path


def test_options_take_the_place_of_what_a_toml_file_states(cli, stated):
    words = ["compare", "set.toml", "--queries", "q.npy", "--metric", "l2", "--labels", "l.npy"]
    done = cli(*words, *ONE, "--orders", "random,category", "--json", check=0)
    rows = json.loads(done.stdout)
    assert {(row["dataset"], row["n"], row["queries"], row["metric"]) for row in rows} == {("set", 400, 30, "l2")}
    assert "held out" not in done.stderr
    assert "set[100]" in cli(*words, "--limit", "100", *ONE, check=0).stdout
    plain = cli("compare", "my.npy", *words[2:], *ONE, "--orders", "random,category", "--json", check=0)
    assert [row["recall"] for row in json.loads(plain.stdout)] == [row["recall"] for row in rows]


def test_options_take_the_place_of_what_the_catalogue_states(cli, stated):
    digits = ["compare", "digits", "--limit", "200", "--metric", "cosine", *ONE, "--json"]
    [metric] = {row["metric"] for row in json.loads(cli(*digits, check=0).stdout)}
    assert metric == "cosine"
    described = json.loads(cli("lid", "digits", "--metric", "cosine", "--json", check=0).stdout)
    assert described["metric"] == "cosine"
    assert described["lid_mean"] != json.loads(cli("lid", "digits", "--json", check=0).stdout)["lid_mean"]


def test_lid_takes_labels_and_a_metric_for_all_rows_of_a_toml_file(cli, stated):
    done = cli("lid", "set.toml", "--labels", "l.npy", "--metric", "l2", "--by-label", "--json", check=0)
    rows = json.loads(done.stdout)
    assert [(row["label"], row["n"]) for row in rows][:2] == [("(all)", 400), ("0", rows[1]["n"])]
    assert done.stderr.count("held out") == 0


def test_an_order_of_a_toml_file_is_taken_back_by_compare(cli, stated):
    cli("order", "set.toml", "--order", "residual-descending:clusters=5", "--output", "ids.npy", check=0)
    assert sorted(np.load(stated / "ids.npy")) == list(range(400))
    done = cli("compare", "set.toml", *ONE, "--orders", "given,./ids.npy", "--json", check=0)
    assert {row["n"] for row in json.loads(done.stdout)} == {360}


def test_queries_that_are_rows_of_the_base_are_named_once_before_anything_is_built(cli, stated):
    words = [
        "compare",
        "my.npy",
        "--queries",
        "my.npy",
        "--orders",
        "given,random",
        "--engines",
        "hnswlib",
        "--seeds",
        "1",
    ]
    for preset in ([], ["--preset", "all"]):
        lines = cli(*words, *preset, check=0).stderr.splitlines()
        [place] = [i for i, line in enumerate(lines) if "400 of 400 queries" in line]
        assert lines[place].startswith("warning: my: ")
        assert not any("outcomes," in line or "1 of " in line for line in lines[:place])
    assert "warning" not in cli("compare", "my.npy", "--queries", "q.npy", *ONE, check=0).stderr


def test_groups_of_queries_are_kept_with_what_is_compared(cli, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "my.npy", rng.standard_normal((300, 8)).astype(np.float32))
    np.save(tmp_path / "q.npy", np.repeat(rng.standard_normal((10, 8)), 3, axis=0).astype(np.float32))
    (tmp_path / "g.txt").write_text("".join(f"user {number // 3}\n" for number in range(30)))
    words = ("compare", "my.npy", "--queries", "q.npy", "--orders", "random", "--engines", "hnswlib", "--seeds", "1")
    assert lines_naming(cli(*words, check=0).stderr, "warning: my", "30 of 30 queries", 10)
    done = cli(*words, "--query-groups", "g.txt", check=0)
    assert "30 of 30 queries" not in done.stderr
    stored = [outcome.query_groups for _, outcome in Store.open(tmp_path / "results/store.sqlite").outcomes()]
    assert [None if groups is None else groups.tolist() for groups in stored].count(sorted([*range(10)] * 3)) == 2
    assert len(stored) == 4
