"""A diagnosis in words."""

from bench.analysis.doctor import Diagnosis, Line
from bench.present.doctor import NOTE, advice, flat, text
from bench.present.text import Layout

LINES = [Line("order", "lost", "z +0.3 (builds 8)", broken=True), Line("ids", "right", "recall 1.000 by id")]


def diagnosis(lines, settings=(), keeps=True):
    return Diagnosis(engine="mine", version="1.0", metric="l2", lines=lines, settings=[*settings], keeps=keeps)


def test_what_is_broken_is_said_first_and_stands_out():
    said = text(diagnosis(LINES), Layout(width=80))
    assert said.startswith("mine 1.0, l2: BREAKS what it promises: order\n")
    assert "LOST" in said
    assert "right" in said
    assert text(diagnosis(LINES[1:]), Layout(width=80)).startswith("mine 1.0, l2: keeps its promises\n")
    assert "| order" in text(diagnosis(LINES), Layout(wide=True))


def test_what_to_set_is_said_last():
    assert advice(diagnosis(LINES, ["chunk = 1 (all: lost)"])) == "So that the order is kept: chunk = 1 (all: lost)."
    assert "the defaults do" in advice(diagnosis(LINES))
    assert "nothing was found" in advice(diagnosis(LINES, keeps=False))


def test_lines_fit_80_columns_and_programs_get_all():
    layout = Layout(width=80)
    said = [text(diagnosis(LINES), layout), layout.note(NOTE)]
    assert max(len(line) for part in said for line in part.splitlines()) <= 80
    plain = flat(diagnosis(LINES))
    assert not plain["keeps_promises"]
    assert plain["verdicts"][0]["answer"] == "lost"
