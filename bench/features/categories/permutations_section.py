"""Permutations of categories in the results of an experiment: text, rows, table and chart."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from bench.analysis.findings import Findings
from bench.analysis.setting import split
from bench.features.categories.permutations import Permuted, of_findings
from bench.features.categories.permutations_text import of_permutations, permuted_text
from bench.present.charts import Chart
from bench.present.charts.marks import SHAPES, listed, names, tips
from bench.present.section import Section
from bench.present.text import Layout, heading
from bench.statistics.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd


def frame(findings: Findings) -> "pd.DataFrame":
    """Return the ranges of category permutations, in points: observed, by chance alone, and true."""
    import pandas as pd

    permuted = findings.once(of_findings)
    if not permuted:
        return pd.DataFrame()
    _, varying = split([row.setting for row in permuted])
    rows: list[dict[str, Any]] = []
    for place, row in enumerate(permuted):
        name = heading(row.setting, varying) or str(row.setting["dataset"])
        true = row.true_range
        for what, value, low, high in (
            ("range seen", row.range, math.nan, math.nan),
            ("range by luck alone", row.range_by_luck, math.nan, math.nan),
            ("true range", true.value, true.low, true.high),
        ):
            rows.append(
                {"setting": name, "range": what, "points": 100 * value, "low": 100 * low, "high": 100 * high}
                | {"place": place}
            )
    return pd.DataFrame(rows)


def draw(rows: Any, labels: Sequence[str]) -> Any:
    """Draw the ranges of category permutations next to those of chance."""
    import altair as alt

    ranges = ["range seen", "range by luck alone", "true range"]
    shape = alt.Shape("range:N", **listed("range", ranges, SHAPES))
    y = alt.Y("setting:N", title=None, axis=names(), sort=alt.EncodingSortField("place"))
    base = alt.Chart(rows).encode(y=y, yOffset=alt.YOffset("range:N", sort=ranges))
    return alt.layer(
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", title="points of recall"), x2="high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=alt.X("points:Q", title="points of recall"),
            shape=shape,
            tooltip=tips("setting", "range", "points", "low", "high"),
        ),
    ).properties(height=alt.Step(10))


CHART = Chart(
    "Permutations of categories against luck",
    "The difference between the best and the worst permutation: observed, by chance alone, and true (with its 95 %"
    " interval).",
    frame,
    draw,
    (),
)


def _answer(findings: Findings) -> list[str]:
    rows = findings.once(of_findings)
    return [of_permutations(rows, split([row.setting for row in rows])[1])] if rows else []


def _text(findings: Findings, layout: Layout) -> str:
    return permuted_text(findings.once(of_findings), layout)


def _rows(findings: Findings) -> Sequence[Permuted]:
    return findings.once(of_findings)


def _table(findings: Findings) -> list[dict[str, Any]]:
    return [_flat(row) for row in findings.once(of_findings)]


def _flat(row: Permuted) -> dict[str, Any]:
    """The permutations of one setting as one level of names."""
    flat: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(row).items():
        if isinstance(value, Mapping):
            flat |= value
        elif isinstance(value, Interval):
            flat |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        else:
            flat[name] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
    return flat


SECTION = Section(
    name="permutations",
    title="Permutations of categories",
    charts={"permutations": CHART},
    answer=_answer,
    text=_text,
    rows=_rows,
    table=_table,
)
