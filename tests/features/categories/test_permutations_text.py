"""The table of permutations of categories, and what is said below it."""

import json

import msgspec
import pytest
from support.messages import lines_naming, names

from bench.features.categories.permutations import Permuted
from bench.features.categories.permutations_text import of_permutations, permuted_text
from bench.present.text import Layout
from bench.statistics.intervals import Interval
from bench.statistics.spread import UNKNOWN

ENGINES = ["engine"]


def row(value=0.012, low=0.004, high=0.0256, p=0.01, engine="hnswlib", **fields):
    """A Permuted whose recalls truly span so much."""
    whole = Permuted(
        experiment="e",
        setting={"dataset": "clinc150-10-oos", "engine": engine},
        permutations=120,
        labels=10,
        possible=3_628_800,
        seeds=2,
        lowest=0.5898,
        median=0.6093,
        highest=0.6272,
        worst=list("abcdefghij"),
        best=list("jihgfedcba"),
        range=0.1234,
        range_by_luck=0.0921,
        sd=Interval(0.0031, 0.0011, 0.0052),
        true_range=Interval(value, low, high),
        f=12.34,
        df=(112.5, 101.3),
        p=p,
    )
    return msgspec.structs.replace(whole, **fields)


def test_the_few_figures_fit_80_columns_and_all_are_there_when_wide():
    wide_figures = Interval(0.1091, 0.1032, 0.2217)
    rows = [row(p=0.0001), row(engine="faiss", true_range=wide_figures)]
    narrow = permuted_text(rows, Layout())
    assert max(map(len, narrow.splitlines())) <= 80
    assert lines_naming(narrow, "120 of 3,628,800", 2, "12.34", "9.21", "1.20 [0.40, 2.56]", "< 0.001")
    wide = " ".join(permuted_text(rows, Layout(wide=True)).split())
    assert (
        "| 0.5898 | 0.6093 | 0.6272 | 12.34 | 9.21 | 0.31 [0.11, 0.52] | 1.20 [0.40, 2.56] | 12.34 | < 0.001 |" in wide
    )


def test_few_seeds_are_warned_of_and_five_are_not():
    assert "`build_seeds = 5`" in " ".join(permuted_text([row(seeds=3)], Layout()).split())
    assert "build_seeds" not in permuted_text([row(seeds=5)], Layout())


def test_the_true_range_is_named_if_permutations_differ():
    assert names(of_permutations([row()], []), 120, "1.20 [0.40, 2.56] points")
    rows = [row(engine="faiss"), row(value=0.02, low=0.01, high=0.03), row(value=0.05, low=0, high=0.06, p=0.2)]
    assert names(of_permutations(rows, ENGINES), "2 of 3 settings", 120, "2.00 [1.00, 3.00] points", "hnswlib")


def test_the_range_that_is_not_excluded_is_named_if_none_is_shown():
    said = of_permutations([row(p=0.2), row(p=0.06, high=0.03, engine="faiss")], ENGINES)
    assert names(said, "3.00 points", "faiss")
    assert "[" not in said


@pytest.mark.parametrize("wide", [False, True])
def test_one_seed_has_no_figures_beside_the_range(wide):
    nothing = {
        "range_by_luck": UNKNOWN.luck,
        "sd": UNKNOWN.sd,
        "true_range": UNKNOWN.sd,
        "f": UNKNOWN.f,
        "p": UNKNOWN.p,
    }
    one = row(seeds=1, df=UNKNOWN.df, **nothing)
    text = permuted_text([one], Layout(wide=wide))
    assert "12.34" in text
    assert "9.21" not in text
    assert "nan" not in text
    assert json.loads(msgspec.json.encode(one))["sd"] == {"value": None, "low": None, "high": None}
