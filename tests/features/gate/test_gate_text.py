import msgspec
import pytest
from support.gates import line, report
from support.messages import names

from bench.analysis.verdict import FELL, UNDECIDED
from bench.features.gate.gate import SmallestFalls
from bench.features.gate.gate_text import gate_values, smallest_text, text
from bench.present.text import Layout


def test_orders_of_one_label_are_distinct_in_a_report_and_in_its_json():
    params = ['{"permutation":["1","2"]}', '{"permutation":[1,2]}']
    whole = report(*(line(order="category", order_params=one) for one in params), line(order="random"))
    names = [row["order"] for row in gate_values(whole)["lines"]]
    assert len(set(names)) == 3
    assert [name.partition(" #")[0] for name in names] == ["category permutation=1+2"] * 2 + ["random"]
    assert all(f"| {name} " in text(whole, Layout(wide=True)) for name in names)


def test_undecided_lines_that_seem_to_have_fallen_are_counted():
    two = report(line(-0.02, -0.001, UNDECIDED), line(-0.01, 0.01, UNDECIDED))
    said = " ".join(text(two, Layout()).split())
    assert names(said, "2 undecided", "2.00 points", "1 of them")
    assert "1 of them" not in " ".join(text(report(line(-0.01, 0.01, UNDECIDED)), Layout()).split())


UNDECIDED_LINES = [line(-0.01, 0.01, UNDECIDED), line(-0.01, 0.01, UNDECIDED, order="given")]
FALL = line(-0.03, -0.02, FELL, order="reverse")
PROMISE = ["hnswlib, l2: builds repeat: 20 of 200 answers differ"]


@pytest.mark.parametrize(
    ("lines", "changed", "why"),
    [
        ([], {"contract": PROMISE}, ["hnswlib", "promise"]),
        ([], {"contract": [*PROMISE, "faiss, l2: ids"]}, ["hnswlib and faiss", "promise"]),
        ([], {"scoring": ["a known answer"]}, ["wrong"]),
        ([FALL], {}, ["fell", "1 line"]),
        ([FALL], {"contract": PROMISE}, ["promise", "fell"]),
        ([], {"strict": True}, ["undecided", "--strict"]),
    ],
)
def test_the_headline_names_the_reasons_of_a_failed_gate(lines, changed, why):
    whole = report(*lines, *UNDECIDED_LINES, passed=False, **changed)
    headline, counts = text(whole, Layout(width=200)).split("\n\n")[:2]
    assert headline.startswith("gate b: FAILED")
    assert all(word in headline for word in why)
    assert ("undecided" in headline) == ("strict" in changed)
    assert "2 undecided" in counts


def test_the_headline_of_a_gate_that_passed_counts_its_lines():
    assert text(report(line()), Layout(width=200)).splitlines()[0].endswith("1 holds")


def test_the_falls_that_a_baseline_of_more_builds_would_find_are_shown():
    case = line().case
    falls = SmallestFalls({case: 0.68}, {"hnswlib": 0.02}, {10: 0.21, 20: 0.09})
    said = smallest_text(falls)
    assert names(said, "68.00 points", "10 builds", "21.00", "20 builds", "9.00")


def test_lines_that_no_gate_can_decide_need_a_baseline_of_more_builds():
    open_line = msgspec.structs.replace(line(-0.02, 0.01, UNDECIDED), settles=False)
    said = " ".join(text(report(open_line), Layout()).split())
    assert names(said, "1 undecided", "1 of them", "`bench baseline save --builds`")
