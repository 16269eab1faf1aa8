"""The diagnosis of `bench doctor` as text and as plain values."""

from typing import Any

import msgspec

from bench.features.doctor.diagnosis import Diagnosis
from bench.features.doctor.kept_order import BY_ID, CANNOT_TELL, FAILED, LOST, REFUSED
from bench.indexes.places import FELT
from bench.present.text import Layout


def text(diagnosis: Diagnosis, layout: Layout) -> str:
    """A line that says whether an engine keeps what it promises, a verdict a row, and what to set."""
    broken = diagnosis.broken
    verdict = (
        f"BREAKS what it promises: {', '.join(line.question for line in broken)}" if broken else "keeps its promises"
    )
    rows = [
        [line.question, line.answer.upper() if line.broken else line.answer, line.evidence] for line in diagnosis.lines
    ]
    remedies = [f"- {line.question}: {line.remedy}." for line in broken if line.remedy]
    return "\n\n".join(
        [
            layout.note(f"{diagnosis.engine} {diagnosis.version}, {diagnosis.metric}: {verdict}"),
            layout.table(["question", "answer", "evidence"], rows, 3),
            *([layout.note("\n".join(remedies))] if remedies else []),
            layout.note(advice(diagnosis)),
        ]
    )


def advice(diagnosis: Diagnosis) -> str:
    """Return the settings that keep the order, or a warning on figures by order if nothing keeps it."""
    if diagnosis.keeps:
        if diagnosis.settings:
            return f"To keep the order: {', '.join(diagnosis.settings)}."
        return "The default settings keep the order."
    answer = diagnosis.lines[0].answer
    if answer in (LOST, BY_ID):
        return "No setting was found that keeps the order: figures by order say nothing of this engine."
    if answer in (CANNOT_TELL, FAILED, REFUSED):
        return "It is not known whether any setting keeps the order."
    return (
        f"No setting was found that keeps the order ({answer}): figures by order hold for the order in which this"
        " engine inserts rows, not for yours."
    )


NOTE = (
    "Data are made for it. z: rank sums of how often rows are returned, by their place in an order drawn at random, of"
    " its last tenth, and by place inside calls of 100 rows. Where the order is lost they are standard normal: beyond"
    f" {FELT:g}, which chance gives to fewer than one engine in 10,000, place is felt."
)


def diagnosis_values(diagnosis: Diagnosis) -> dict[str, Any]:
    """A Diagnosis as plain values, for JSON."""
    return {
        "engine": diagnosis.engine,
        "version": diagnosis.version,
        "metric": diagnosis.metric,
        "keeps_promises": not diagnosis.broken,
        "to_set": diagnosis.settings,
        "order_can_be_kept": diagnosis.keeps,
        "verdicts": [msgspec.structs.asdict(line) for line in diagnosis.lines],
    }
