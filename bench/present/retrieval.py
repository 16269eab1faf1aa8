"""Retrieval quality as text tables."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import split
from bench.data.dataset import OWN_LEFT_OUT
from bench.present.text import Layout, by_setting, points, title, with_interval
from bench.present.what_now import of_retrieval


def retrieval_text(rows: Sequence[Retrieval], layout: Layout) -> str:
    """Retrieval quality as tables, one an experiment: a row is an order, best first in its setting."""
    return "\n\n".join(
        _experiment_text(experiment, list(of_experiment), layout)
        for experiment, of_experiment in groupby(rows, key=lambda row: row.setting.experiment)
    )


def _experiment_text(experiment: str, rows: Sequence[Retrieval], layout: Layout) -> str:
    settings = [row.setting.fields for row in rows]
    common, varying = split(settings)
    measures = list(dict.fromkeys(measure for row in rows for measure in row.scores))
    if not layout.wide:
        measures = measures[:1]
    lines = []
    for row in rows:
        line: list[str] = [row.order]
        for measure in measures:
            score = row.scores.get(measure)
            mean = score and (with_interval(score.mean) if layout.wide else f"{score.mean.value:.4f}")
            line += [mean or "", points(score.difference) if score else ""]
        first = next(iter(row.scores.values()))
        lines.append([*line, f"{first.exact.value:.4f}"])
    header = ["order", *(name for measure in measures for name in (measure, "vs exact, points"))]
    judged = ", ".join(sorted({str(row.judged) for row in rows}))
    note = (
        f"Over the {judged} judged queries, with the 95 % interval over builds and queries; vs exact: difference to"
        " exact search, paired on queries"
    )
    if any(OWN_LEFT_OUT in row.setting.of.data.judgements for row in rows):
        note += "; the document that is the query itself is left out, as BEIR does"
    note += "; the mean of RR@10 is MRR@10." if layout.wide else "; --wide shows other measures."
    parts = [layout.note(f"{experiment}, retrieval: {title(common)}")]
    if layout.shortens(len(rows)):
        parts.append(layout.note(f"--all shows all {len(rows)} rows."))
    else:
        parts.append(by_setting(layout, settings, varying, [*header, f"exact {measures[0]}"], lines, 1))
        parts.append(layout.note(note))
    return "\n\n".join([*parts, layout.what_now([of_retrieval(rows, varying)])])


def score_columns(row: Retrieval) -> dict[str, Any]:
    """Return the fields that a Retrieval adds to its Summary, as one level of names, for JSON."""
    named: dict[str, Any] = {"judged": row.judged}
    for measure, score in row.scores.items():
        for part, estimate in (("", score.mean), ("_exact", score.exact), ("_difference", score.difference)):
            named |= {
                f"{measure}{part}": estimate.value,
                f"{measure}{part}_low": estimate.low,
                f"{measure}{part}_high": estimate.high,
            }
    return named
