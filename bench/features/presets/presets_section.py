"""Recall at systems' defaults in the results of an experiment: answer and chart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.analysis.findings import Findings
from bench.features.presets.presets_text import of_presets
from bench.features.presets.under_preset import UnderPreset, by_preset
from bench.indexes.presets import ALL, chosen
from bench.present.charts import Chart
from bench.present.charts.marks import ROW, colours, names, shapes, tips
from bench.present.section import Section
from bench.study.spec.preset_studies import searches

if TYPE_CHECKING:
    import pandas as pd


def of_findings(findings: Findings) -> list[UnderPreset]:
    """Return recall at each system's defaults; nothing if orders are compared with a reference."""
    ks = {outcome.trial.search.k for _, outcome in findings.compared}
    if findings.reference or len(ks) != 1:
        return []
    known = chosen(ALL)
    return by_preset(findings.compared, searches(known, ks.pop()), known)


def frame(findings: Findings) -> "pd.DataFrame":
    """Recall under each system's defaults, by engine and order."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"dataset": row.setting.name, "system": f"{row.system}, {row.setting.of.index.engine}", "order": order}
            | {"recall": recall.value, "low": recall.low, "high": recall.high}
            for row in findings.once(of_findings)
            for order, recall in row.recalls.items()
        ]
    )


def draw(rows: Any, labels: Sequence[str]) -> Any:
    """Recall under systems' defaults."""
    import altair as alt

    y = alt.Y("system:N", title=None, axis=names(), sort=None)
    x = alt.X("recall:Q", title="recall", scale=alt.Scale(zero=False, padding=12))
    base = alt.Chart(rows)
    return alt.layer(
        base.transform_filter("isValid(datum.low)")
        .mark_rule()
        .encode(x=alt.X("low:Q", title="recall"), x2="high:Q", y=y, color=colours(labels)),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x,
            y=y,
            color=colours(labels),
            shape=shapes(labels),
            tooltip=tips("system", "order", "recall", "low", "high"),
        ),
    ).properties(height=alt.Step(ROW))


CHART = Chart(
    "Recall at systems' defaults",
    "Mean recall by order with 95 % intervals, at the parameters that each system has by default, in the engines of"
    " this harness.",
    frame,
    draw,
    ("dataset",),
)


def _answer(findings: Findings) -> list[str]:
    rows = findings.once(of_findings)
    return of_presets(rows) if rows else []


SECTION = Section(name="presets", title=CHART.title, charts={"presets": CHART}, answer=_answer)
