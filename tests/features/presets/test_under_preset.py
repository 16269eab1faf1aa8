import math

import numpy as np
import pytest
from msgspec.structs import replace
from support import examples
from support.messages import lines_naming

from bench.features.presets.presets_text import preset_row, preset_text
from bench.features.presets.under_preset import by_preset
from bench.indexes.presets import Preset
from bench.present.text import Layout
from bench.statistics import intervals
from bench.study.spec.preset_studies import Search

PRESETS = {
    "a": Preset(system="A", source="s", version="1"),
    "b": Preset(system="B", source="s", version="1", doubtful="hearsay"),
    "c": Preset(system="C", source="s", version="1"),
}
SEARCHES = {"a": Search(16, 128, 10), "b": Search(16, 128, 40), "c": Search(16, 128, 40)}


def outcome(hits, **fields):
    return "e", examples.outcome(hits, **fields)


@pytest.fixture
def rows():
    outcomes = []
    for seed, gained in ((1, 0), (2, 1)):
        outcomes += [
            outcome([4 + gained, 6], build_seed=seed, order_seed=seed),
            outcome([2, 3 + gained], build_seed=seed, order_seed=seed, order="given"),
            outcome([3, 4 + gained], build_seed=seed, order_seed=seed, order="reverse"),
            outcome([9, 9], build_seed=seed, order_seed=seed, ef_search=40),
            outcome([9, 9], build_seed=seed, order_seed=seed, ef_search=40, order="given"),
        ]
    return by_preset(outcomes, SEARCHES, PRESETS)


def test_every_system_has_the_recall_of_its_parameters(rows):
    assert [row.name for row in rows] == ["b", "c", "a"]  # best first
    *_, a = rows
    # Builds of hits (4, 6) and (5, 6) of 10; of (2, 3) and (2, 4); of (3, 4) and (3, 5)
    assert {order: estimate.value for order, estimate in a.recalls.items()} == pytest.approx(
        {"random": 0.525, "reverse": 0.375, "given": 0.275}
    )
    assert a.builds == 2
    assert a.spread.value == pytest.approx(0.25)
    assert rows[0].recalls == rows[1].recalls
    assert rows[0].spread.value == 0


def test_a_terminal_gets_the_rows_in_which_orders_differ_most(rows):
    *_, a = rows
    many = [replace(rows[0], system=f"like {n}", doubtful="") for n in range(39)] + [a]
    whole, short = (preset_text("x", many, Layout(brief=brief)) for brief in (False, True))
    assert [text.count("like ") for text in (whole, short)] == [39, 9]
    assert "10 of 40" in short
    assert "\nA " in short
    whole_answer, short_answer = (text.partition("What now")[2].partition("\n\n")[0] for text in (whole, short))
    assert short_answer == whole_answer


def test_the_interval_of_the_spread_holds_for_all_pairs_at_once(rows):
    spread = rows[-1].spread
    # Three orders are three pairs
    assert spread == intervals.simultaneous(intervals.simultaneous(spread, 1), 3)
    assert intervals.reach(spread, 3) > intervals.reach(spread, 1)


def test_a_table_has_the_parameters_of_presets_and_notes_on_doubtful_ones(rows):
    text = preset_text("compare-x-all", rows, Layout(wide=True))
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    assert lines[0][:8] == ["engine", "parameters of", "M", "ef_construction", "ef_search", "builds", "random", "given"]
    assert lines[2][:6] == ["hnswlib", "B *", "16", "128", "40", "2"]
    assert lines[2][8:12] == ["-", "0.9000", "-", "0.9000"]  # no order is best where all are alike
    assert lines[4][8:12] == ["random", "0.5250", "given", "0.2750"]
    assert lines[4][12].startswith("+25.00 [")
    assert "\n* B: hearsay." in text


def test_ties_that_decide_are_noted():
    hits, tied = np.array([4, 6]), np.array([5, 6])
    named, plain = outcome([4, 6])
    [row] = by_preset([(named, replace(plain, hits_tie=tied))], {"a": SEARCHES["a"]}, PRESETS)
    assert row.ties == pytest.approx((tied - hits).mean() / 10)
    assert lines_naming(preset_text("x", [row], Layout()), "TIES DECIDE", "5.0 points")


def test_one_order_has_no_spread():
    [row] = by_preset([outcome([4, 6])], {"a": SEARCHES["a"]}, PRESETS)
    assert row.spread is None
    assert preset_row(row)["spread"] is None
    assert math.isnan(row.recalls["random"].low)
    assert "[" not in preset_text("x", [row], Layout(wide=True)).splitlines()[4]
