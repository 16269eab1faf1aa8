"""Mistakes that name what is meant: lists, what is listed twice, names that steer a terminal."""

import json

import numpy as np
import pytest
from support.lines import one_line

ESCAPE = "a\x1b[31mb.npy"


@pytest.fixture
def vectors(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32))
    return tmp_path


def test_a_plan_of_a_comparison_builds_nothing(cli, vectors):
    words = ("compare", "x.npy", "--engines", "hnswlib", "--orders", "given,random", "--seeds", "3", "--plan")
    plan = json.loads(cli(*words, "--json", check=0).stdout)
    assert plan["builds"] == 6
    assert [(line["engine"], line["ef_search"]) for line in plan["lines"]] == [("hnswlib", 10), ("hnswlib", 40)]
    assert "6 builds" in cli(*words, check=0).stdout
    assert [path.name for path in vectors.iterdir()] == ["x.npy"]
    assert "--preset" in one_line(cli("compare", "x.npy", "--preset", "qdrant", "--plan"))


@pytest.mark.parametrize("order", ["block-shuffle:block=[100,500]", "cluster:clusters=[4]"])
def test_a_list_in_place_of_one_value_of_an_order_is_refused(cli, vectors, order):
    name, _, pair = order.partition(":")
    said = one_line(cli("compare", "x.npy", "--orders", f"random,{order}"))
    assert name in said
    assert pair.partition("=")[0] in said
    assert "factors" in said


def test_a_list_in_the_table_of_an_order_is_refused(cli, tmp_path):
    toml = 'datasets = ["digits"]\norders = [{ name = "block-shuffle", block = [100, 500] }]\n'
    (tmp_path / "e.toml").write_text(f'{toml}[[index]]\nengine = "hnswlib"\n')
    said = one_line(cli("run", "e.toml"))
    assert "block = [100, 500]" in said
    assert "factors" in said


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('engine = "hnswlib"', 'engine = ["hnswlib", "faiss", "faiss"]'), ["faiss", "M = 16"]),
        (("[[index]]", '[[index]]\nengine = "hnswlib"\nM = 16\n[[index]]'), ["hnswlib", "M = 16"]),
        (('["random"]', '["random", "cluster", "cluster"]'), ["cluster"]),
        (('["digits"]', '["digits", "digits"]'), ["'digits'"]),
    ],
)
def test_a_name_that_is_listed_twice_is_named(cli, tmp_path, change, named):
    toml = 'datasets = ["digits"]\norders = ["random"]\n[[index]]\nengine = "hnswlib"\n'
    (tmp_path / "e.toml").write_text(toml.replace(*change))
    said = one_line(cli("run", "e.toml"))
    assert "twice" in said
    assert all(name in said for name in named)


def test_signs_that_steer_a_terminal_are_escaped_on_standard_error(cli, vectors):
    (vectors / "x.npy").rename(vectors / ESCAPE)
    done = cli("compare", ESCAPE, "--engines", "hnswlib", "--orders", "random", "--seeds", "1", check=0)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[31mb" in done.stderr
    assert "\x1b" not in one_line(cli("lid", f"no-{ESCAPE}"))
