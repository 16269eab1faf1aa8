"""A diagnosis in words."""

import pytest
from support.messages import names

from bench.features.doctor.diagnosis import Diagnosis, DoctorLine
from bench.features.doctor.doctor_text import NOTE, advice, diagnosis_values, text
from bench.features.doctor.kept_order import BY_ID, CANNOT_TELL, EARLIER, FAILED, INSIDE, LOST, REFUSED
from bench.present.text import Layout

LINES = [
    DoctorLine("order", "lost", "z +0.3 (builds 8)", broken=True),
    DoctorLine("ids", "right", "recall 1.000 by id"),
]


def diagnosis(lines, settings=(), keeps=True):
    return Diagnosis(engine="mine", version="1.0", metric="l2", lines=lines, settings=[*settings], keeps=keeps)


def test_a_broken_promise_is_named_first_in_capitals():
    said = text(diagnosis(LINES), Layout(width=80))
    assert names(said.splitlines()[0], "mine 1.0", "l2", "BREAKS", "order")
    assert "LOST" in said
    assert "right" in said
    assert "BREAKS" not in text(diagnosis(LINES[1:]), Layout(width=80))
    assert "| order" in text(diagnosis(LINES), Layout(wide=True))


def test_advice_names_the_settings():
    assert "chunk = 1 (all: lost)" in advice(diagnosis(LINES, ["chunk = 1 (all: lost)"]))
    assert "default settings" in advice(diagnosis(LINES[1:]))


@pytest.mark.parametrize("answer", [LOST, BY_ID])
def test_advice_rejects_figures_by_order_if_the_order_is_lost(answer):
    assert "say nothing" in advice(diagnosis([DoctorLine("order", answer, "", broken=True)], keeps=False))


@pytest.mark.parametrize("answer", [INSIDE, EARLIER, f"{BY_ID} inside a call"])
def test_advice_keeps_figures_by_order_if_the_order_is_kept_in_part(answer):
    said = advice(diagnosis([DoctorLine("order", answer, "", broken=True)], keeps=False))
    assert "say nothing" not in said
    assert answer in said


@pytest.mark.parametrize("answer", [CANNOT_TELL, FAILED, REFUSED])
def test_advice_leaves_figures_by_order_out_if_the_order_is_not_known(answer):
    said = advice(diagnosis([DoctorLine("order", answer, "")], keeps=False))
    assert "not known" in said
    assert "figures" not in said


def test_the_remedy_of_a_broken_promise_follows_the_table():
    broken = DoctorLine("unreachable rows are -1", "failed", "RuntimeError: too few", broken=True, remedy="return -1")
    said = text(diagnosis([broken, LINES[1]]), Layout(width=80))
    head, *rest = said.splitlines()
    assert names(head, "BREAKS", "unreachable rows are -1")
    assert [line for line in rest if names(line, "unreachable rows are -1", "return -1")]
    assert diagnosis_values(diagnosis([broken]))["verdicts"][0]["remedy"] == "return -1"


def test_lines_fit_80_columns_and_programs_get_all():
    layout = Layout(width=80)
    said = [text(diagnosis(LINES), layout), layout.note(NOTE)]
    assert max(len(line) for part in said for line in part.splitlines()) <= 80
    plain = diagnosis_values(diagnosis(LINES))
    assert not plain["keeps_promises"]
    assert plain["verdicts"][0]["answer"] == "lost"
