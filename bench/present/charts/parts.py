"""Charts of what lies behind a comparison: queries, data, variance, costs."""

from collections.abc import Sequence
from typing import Any

from bench.present.charts.marks import DASHES, ROW, SHAPES, colours, listed, names, shapes, tips


def losses(rows: Any, labels: Sequence[str]) -> Any:
    """How recall spreads over queries."""
    import altair as alt

    return (
        alt.Chart(rows)
        .mark_line(interpolate="step-after", point=alt.OverlayMarkDef(size=24, filled=True))
        .encode(
            x=alt.X("recall:Q", title="recall of a query, mean over builds", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("queries:Q", title="% of queries at most"),
            color=colours(labels),
            shape=shapes(labels),
            tooltip=tips("order", "recall", "queries"),
        )
        .properties(height=260)
    )


def _tenths(rows: Any, labels: Sequence[str], title: str) -> Any:
    import altair as alt

    return (
        alt.Chart(rows)
        .mark_line(point=alt.OverlayMarkDef(size=50, filled=True))
        .encode(
            x=alt.X("tenth:O", title=title, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("recall:Q", scale=alt.Scale(zero=False)),
            color=colours(labels),
            shape=shapes(labels),
            tooltip=tips("order", "tenth", "recall"),
        )
        .properties(height=240)
    )


def by_dimension(rows: Any, labels: Sequence[str]) -> Any:
    """Recall by tenth of the queries' dimension."""
    return _tenths(rows, labels, "tenth of the queries, lowest LID first")


def by_distance(rows: Any, labels: Sequence[str]) -> Any:
    """Recall by tenth of the queries' distance to the data."""
    return _tenths(rows, labels, "tenth of the queries, nearest first")


def dimensions(rows: Any, labels: Sequence[str]) -> Any:
    """The distribution of local intrinsic dimension."""
    import altair as alt

    dash = alt.StrokeDash("of:N", **listed("of", ["rows", "queries"], DASHES))
    return (
        alt.Chart(rows)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("low:Q", title="local intrinsic dimension", scale=alt.Scale(zero=False)),
            y=alt.Y("percent:Q", title="% of them"),
            strokeDash=dash,
            tooltip=tips("of", "low", "high", "percent"),
        )
        .properties(height=220)
    )


def shares(rows: Any, labels: Sequence[str]) -> Any:
    """Where the variance of a query's recall comes from."""
    import altair as alt

    return (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            y=alt.Y("source:N", title=None, axis=names(), sort=alt.EncodingSortField("place")),
            x=alt.X("percent:Q", title="% of the variance"),
            tooltip=tips("source", "percent"),
        )
        .properties(height=alt.Step(ROW))
    )


def needed(rows: Any, labels: Sequence[str]) -> Any:
    """The smallest difference that builds show, and what would settle what is undecided."""
    import altair as alt

    y = alt.Y("order:N", title=None, axis=names(), sort=alt.EncodingSortField("place"))
    base = alt.Chart(rows)
    return alt.layer(
        base.transform_filter("isValid(datum.detectable)")
        .mark_tick(thickness=3, size=14)
        .encode(
            x=alt.X("detectable:Q", title="points of recall", scale=alt.Scale(zero=True)),
            y=y,
            tooltip=tips("order", "builds", "detectable", "verdict"),
        ),
        base.transform_calculate(text="containerSize()[0] < 480 ? '' : datum.verdict")
        .mark_text(align="left", dx=8, fontSize=11)
        .encode(x=alt.value("width"), y=y, text="text:N"),
    ).properties(height=alt.Step(ROW))


def seconds(rows: Any, labels: Sequence[str]) -> Any:
    """Time by part."""
    import altair as alt

    return (
        alt.Chart(rows)
        .transform_filter("isValid(datum.seconds)")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(
            y=alt.Y("order:N", title=None, axis=names()),
            x=alt.X("seconds:Q", title="seconds, mean over builds"),
            shape=alt.Shape("part:N", **listed("part", ["order", "build", "search"], SHAPES)),
            tooltip=tips("order", "part", "seconds"),
        )
        .properties(height=alt.Step(ROW))
    )
