"""A page of two sets of outcomes side by side: what changed, with intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.setting import split
from bench.features.changes import changes_text as present
from bench.features.changes.change import SAME, Changes
from bench.features.changes.side import Side
from bench.present.charts.comparison import forest
from bench.present.charts.marks import DARK, LIGHT, REFERENCE, VERDICTS
from bench.present.page.html import GENERATOR, HERE, columns, json_text, specification, template, vega
from bench.present.text import title as common_title
from bench.study.environment import differences

ABOUT = (
    "One row per order: the difference of its mean recall, with an interval that holds for all lines of the page at"
    " once. Grey band, ± 1 point: a negligible difference."
)


_MARKS = {**VERDICTS, SAME: ("diamond", REFERENCE, "=")}


def _chart(rows: Any, labels: Sequence[str]) -> Any:
    return forest(rows, _MARKS)


def changes_page(changes: Changes, before: Side, after: Side) -> str:
    """The page as HTML."""
    frame = present.frame(changes.lines)
    settings = frame[["dataset", "index", "search"]].drop_duplicates().to_dict("records")
    chart = specification(_chart, frame, sorted(set(frame["order"])), ABOUT)
    rows = pd.DataFrame(present.rows(changes))
    content = {
        "experiment": f"{before.name}-{after.name}",
        "reference": before.name,
        "settings": settings,
        "summary": columns(rows),
        "outcomes": {},
        "failures": [],
        "charts": {"changes": {"spec": chart, "rows": columns(frame), "by": ["dataset", "index", "search"]}},
        "themes": {"light": LIGHT, "dark": DARK},
    }
    html: str = template("changes.html", Path(__file__).parent).render(
        generator=GENERATOR,
        before=before,
        after=after,
        about=ABOUT,
        answer=present.answer(changes, before.name, after.name),
        common=common_title(split([line.fields for line in changes.lines])[0]),
        differences=_differences(before, after),
        content=json_text(content),
        vega=vega(),
        style=(HERE / "style.css").read_text(),
        script=(HERE / "script.js").read_text(),
    )
    return html


def _differences(before: Side, after: Side) -> list[str]:
    """In what the two were made otherwise, as far as both state it."""
    texts: dict[str, Any] = {}
    for then in before.environments:
        for now in after.environments:
            texts |= {change.text: None for change in differences(then, now)}
    return list(texts)
