"""Charts of orders compared: one setting, along ef_search, over datasets, engines and sweeps."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.present.charts.marks import (
    BLUE,
    COLUMNS,
    ORANGE,
    REFERENCE,
    ROW,
    SHAPES,
    VERDICTS,
    colours,
    listed,
    names,
    shapes,
    tips,
    verdict_colours,
    verdicts,
)


def difference(rows: Any, labels: Sequence[str]) -> Any:
    """A forest plot of differences to the reference."""
    return forest(rows, VERDICTS)


def forest(rows: Any, marks: Mapping[str, tuple[str, str, str]]) -> Any:
    """Return a forest plot of differences. marks: shape, colour and character of each verdict."""
    import altair as alt

    y = alt.Y("order:N", sort=alt.EncodingSortField("place", order="ascending"), title=None, axis=names())
    base = alt.Chart(rows)
    margin = base.transform_aggregate(margin="max(margin)").transform_calculate(start="-datum.margin")
    shape = alt.Shape(
        "verdict:N", scale=verdicts(0, marks), legend=alt.Legend(title=None, orient="top", columns=COLUMNS)
    )
    colour = verdict_colours(marks)
    # In words next to the plot, except on a phone
    low, high = (f"format(datum.{end}, '+.2f')" for end in ("low", "high"))
    text = f"format(datum.difference, '+.2f') + (isValid(datum.low) ? ' [' + {low} + ', ' + {high} + ']' : '')"
    text = f"containerSize()[0] < 480 ? '' : {text}"
    x = alt.X("difference:Q", title="points of recall", scale=alt.Scale(padding=12))
    layers = [
        margin.mark_rect(opacity=0.16, color=REFERENCE).encode(
            x=alt.X("start:Q", title="points of recall"), x2="margin:Q"
        ),
        base.mark_rule(color=REFERENCE).encode(x=alt.datum(0)),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=colour),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x=x, y=y, shape=shape, color=colour, tooltip=tips("order", "difference", "low", "high", "verdict")
        ),
        base.transform_calculate(text=text)
        .mark_text(align="left", dx=8, fontSize=11)
        .encode(x=alt.value("width"), y=y, text="text:N"),
    ]
    if "noise" in rows:
        noise = base.transform_aggregate(noise="max(noise)").transform_calculate(ends="[-datum.noise, datum.noise]")
        ends = noise.transform_flatten(["ends"]).transform_filter("isValid(datum.ends)")
        layers.insert(1, ends.mark_rule(strokeDash=[4, 4], color=REFERENCE).encode(x="ends:Q"))
    return alt.layer(*layers).properties(height=alt.Step(ROW))


def _curves(rows: Any, labels: Sequence[str], misses: bool) -> Any:
    import altair as alt

    value = "1 - datum.recall" if misses else "datum.recall"
    lowest, highest = ("1 - datum.high", "1 - datum.low") if misses else ("datum.low", "datum.high")
    scale = alt.Scale(type="log") if misses else alt.Scale(zero=False)
    title = "misses (1 - recall)" if misses else "recall"
    least = "max({}, 1e-5)" if misses else "{}"
    base = alt.Chart(rows).transform_calculate(
        y=least.format(value), lowest=least.format(lowest), highest=least.format(highest)
    )
    x = alt.X("ef_search:Q", scale=alt.Scale(type="log", nice=False, padding=12), axis=alt.Axis(tickCount=6))
    y = alt.Y("y:Q", scale=scale, title=title)
    colour, shape = colours(labels), shapes(labels)
    read = alt.selection_point(name="level", on="pointermove", nearest=True, fields=["recall"], empty=False)
    readings = base.transform_filter("datum.kind == 'reading'")
    measured = base.transform_filter("datum.kind == 'measured'")
    return alt.layer(
        base.transform_filter("datum.kind == 'line'").mark_line().encode(x=x, y=y, color=colour),
        base.transform_filter("datum.kind == 'ladder'")
        .mark_point(filled=True, size=16, opacity=1)
        .encode(x=x, y=y, color=colour, tooltip=tips("order", "ef_search", "recall")),
        measured.transform_filter("isValid(datum.low)")
        .mark_rule()
        .encode(x=x, y=alt.Y("lowest:Q", title=title), y2="highest:Q", color=colour),
        measured.mark_point(filled=True, size=60, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape, tooltip=tips("order", "ef_search", "recall", "low", "high")
        ),
        readings.mark_point(opacity=0, size=1).encode(x=x, y=y).add_params(read),
        readings.transform_filter(read).mark_rule(color=REFERENCE).encode(y=y),
        readings.transform_filter(read)
        .transform_calculate(reads="datum.order + ' ' + format(datum.ef_search, '.0f')")
        .mark_text(align="left", angle=300, dx=6, fontSize=11)
        .encode(x=x, y=y, text="reads:N"),
    ).properties(height=300)


def curves(rows: Any, labels: Sequence[str]) -> Any:
    """Recall against ef_search."""
    return _curves(rows, labels, misses=False)


def misses(rows: Any, labels: Sequence[str]) -> Any:
    """Misses against ef_search, on logarithmic axes: near recall 1 points hide everything."""
    return _curves(rows, labels, misses=True)


def heat(rows: Any, labels: Sequence[str]) -> Any:
    """Datasets by orders: differences to the reference."""
    return _heat(rows, "dataset")


def engine_map(rows: Any, labels: Sequence[str]) -> Any:
    """Engines by orders: differences to the reference."""
    return _heat(rows, "index")


def _heat(rows: Any, down: str) -> Any:
    """Draw differences to the reference, with a row per value of a field and a column per order."""
    import altair as alt

    marks = " : ".join(f"datum.verdict == '{verdict}' ? ' {mark}'" for verdict, (_, _, mark) in VERDICTS.items())
    base = (
        alt.Chart(rows)
        .transform_calculate(text=f"format(datum.difference, '+.1f') + ({marks} : '')")
        .transform_joinaggregate(most="max(absolute)")
        .transform_calculate(shade="datum.most > 0 ? datum.difference / datum.most : 0")
        .encode(
            x=alt.X("order:N", title=None, axis=alt.Axis(labelAngle=-90, labelLimit=140, orient="top")),
            y=alt.Y(f"{down}:N", title=None, axis=names(grid=False), sort=None),
        )
    )
    white = alt.condition("abs(datum.shade) > 0.6", alt.value("white"), alt.value("#222"))
    # Both ways alike, so that a small gain is as pale as a small loss
    scale = alt.Scale(domain=[-1, 0, 1], range=[ORANGE, "#f2f2f2", BLUE], interpolate="lab")
    cell = f"(width / {max(rows['order'].nunique(), 1)})"
    return alt.layer(
        base.mark_rect(stroke="white").encode(
            color=alt.Color("shade:Q", scale=scale, legend=None),
            tooltip=tips(down, "order", "difference", "low", "high", "verdict"),
        ),
        base.mark_text(fontSize={"expr": f"{cell} < 28 ? 0 : clamp({cell} / 5, 8, 11)"}).encode(
            text="text:N", color=white
        ),
    ).properties(height=alt.Step(ROW + 4))


def engines(rows: Any, labels: Sequence[str]) -> Any:
    """Differences to the reference, engines side by side."""
    import altair as alt

    indexes = list(dict.fromkeys(rows["index"]))
    y = alt.Y("order:N", title=None, axis=names(), sort=None)
    # Sorted by a field: else Vega-Lite writes the names into an expression, and some names are not valid there
    offset = alt.YOffset("index:N", sort=alt.EncodingSortField("place", op="min", order="ascending"))
    colour, shape = verdict_colours(), listed("index", indexes, SHAPES, "bottom")
    base = alt.Chart(rows).encode(y=y, yOffset=offset)
    return alt.layer(
        alt.Chart(rows).mark_rule(color=REFERENCE).encode(x=alt.datum(0)),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", title="points of recall"), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=alt.X("difference:Q", title="points of recall"),
            color=colour,
            shape=alt.Shape("index:N", **shape),
            tooltip=tips("index", "order", "difference", "low", "high", "verdict"),
        ),
    ).properties(height=alt.Step(14))


def sweep(rows: Any, labels: Sequence[str]) -> Any:
    """Recall against a parameter of a generator, as intrinsic dimension."""
    import altair as alt

    named = " or ".join(dict.fromkeys(rows["parameter"]))
    kind: Any = "log" if (rows["value"] > 0).all() else "linear"
    x = alt.X("value:Q", title=named, scale=alt.Scale(type=kind, nice=False, padding=12))
    colour = colours(labels)
    base = alt.Chart(rows)
    return alt.layer(
        base.mark_line().encode(x=x, y=alt.Y("recall:Q", scale=alt.Scale(zero=False)), color=colour),
        base.transform_filter("isValid(datum.low)")
        .mark_rule()
        .encode(x=x, y=alt.Y("low:Q", title="recall"), y2="high:Q", color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x,
            y=alt.Y("recall:Q", scale=alt.Scale(zero=False)),
            color=colour,
            shape=shapes(labels),
            tooltip=tips("sweep", "parameter", "value", "order", "recall", "low", "high"),
        ),
    ).properties(height=280)
