"""Rankings of models in the results of an experiment: a chart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.analysis.findings import Findings
from bench.analysis.setting import split
from bench.errors import BenchError
from bench.features.rankings.ranking import rankings
from bench.features.rankings.rankings_text import engine_name
from bench.present.charts import Chart
from bench.present.charts.marks import DASHES, SHAPES, listed, tips
from bench.present.frames import panels
from bench.present.section import Section
from bench.present.text import heading
from bench.study.trial import Search

if TYPE_CHECKING:
    import pandas as pd


def frame(findings: Findings) -> "pd.DataFrame":
    """The rank of every model under exact search and each engine and order; empty where fewer than two models have
    all of them."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    try:
        listed = rankings(findings.compared) if findings.retrieval else []
    except BenchError:  # which says what is missing, and is no reason to do without the other charts
        return pd.DataFrame(rows)
    searches = {setting.of.search: panel.search for setting, panel in panels(findings).items()}
    _, varying = split([of_setting.setting for of_setting in listed]) if listed else ({}, [])
    for of_setting in listed:
        engines = {engine_name(column) for column in of_setting.columns}
        ranks = [("exact", of_setting.exact_ranks, of_setting.exact)]
        ranks += [
            (
                column.order if len(engines) == 1 else f"{engine_name(column)}, {column.order}",
                column.ranks,
                column.means,
            )
            for column in of_setting.columns
        ]
        fields = of_setting.setting
        of = heading(fields, [name for name in varying if name not in ("k", "ef_search")])
        chosen = {"search": searches[Search(k=fields["k"], ef_search=fields["ef_search"])], "ranking": of}
        for place, (column, of_column, means) in enumerate(ranks):
            for model, rank, mean in zip(of_setting.models, of_column, means, strict=True):
                rows.append(chosen | {"column": column, "place": place, "model": model, "rank": rank, "ndcg": mean})
    return pd.DataFrame(rows)


def draw(rows: Any, labels: Sequence[str]) -> Any:
    """A bump chart: the rank of every model by engine and order."""
    import altair as alt

    x = alt.X(
        "column:N", sort=alt.EncodingSortField("place"), title=None, axis=alt.Axis(labelAngle=-90, labelLimit=160)
    )
    y = alt.Y("rank:Q", scale=alt.Scale(reverse=True, zero=False, nice=False, padding=14), axis=alt.Axis(tickMinStep=1))
    models = list(dict.fromkeys(rows["model"]))
    # By names of its own: legends of one domain are one, in which shapes are dashed, or none
    dash = alt.StrokeDash("line:N", scale=listed("line", [f"{of} " for of in models], DASHES)["scale"], legend=None)
    base = alt.Chart(rows)
    return alt.layer(
        base.transform_calculate(line="datum.model + ' '").mark_line().encode(x=x, y=y, strokeDash=dash),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=x,
            y=y,
            shape=alt.Shape("model:N", **listed("model", models, SHAPES)),
            tooltip=tips("model", "column", "rank", "ndcg"),
        ),
    ).properties(height=320)


CHART = Chart(
    "Rankings of models",
    "The rank of each model by nDCG@10 under exact search, and under each engine and order; a line that crosses"
    " another is a change of places, which need not be more than noise.",
    frame,
    draw,
    ("search", "ranking"),
)


SECTION = Section(name="rankings", title=CHART.title, charts={"rankings": CHART})
