"""Parts that all charts share: colours, shapes, scales, legends, and how they look on paper and on a screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE

# A colour means one thing on a page: blue and orange are verdicts, grey is the reference and what is not shown to
# differ from it, every other hue is an order, and all else has shapes and dashes in one plain tone. Orders are apart
# for most kinds of colour vision; each colour has a contrast of 3 on white as on black.
BLUE, ORANGE, REFERENCE = "#0072b2", "#d55e00", "#808080"
ORDERS = ("#00a577", "#b0489a", "#8a8c00", "#7d5fd3", "#477a2c", "#d071bd")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (12, 4))
VERDICTS = {
    BETTER: ("triangle-right", BLUE, "▲"),
    WORSE: ("triangle-left", ORANGE, "▼"),
    NO_DIFFERENCE: ("square", REFERENCE, "="),
    UNDECIDED: ("circle", REFERENCE, "?"),
}
ROW = 22  # pixels an order
# Pixels of a name next to a plot, and in legends of two columns, by the room available; paper has no container
_ROOM = "(containerSize()[0] || 560)"
LONGEST: Any = {"expr": f"clamp({_ROOM} / 3, 80, 240)"}
LONGEST_BELOW: Any = {"expr": f"clamp({_ROOM} / 2 - 55, 80, 240)"}  # in a legend below, which begins at the plot
LONGEST_ABOVE: Any = {"expr": f"clamp({_ROOM} / 3 - 30, 80, 240)"}  # next to names, which take a third
COLUMNS = 2  # of a legend: as many as a phone has room for


def names(grid: bool = True) -> Any:
    """An axis of names."""
    import altair as alt

    return alt.Axis(labelLimit=LONGEST, ticks=False, domain=False, grid=grid)


def verdicts(part: int, of: Mapping[str, tuple[str, str, str]] = VERDICTS) -> Any:
    """The scale of verdicts. part: which of their marks, 0 shapes, 1 colours."""
    import altair as alt

    return alt.Scale(domain=list(of), range=[marks[part] for marks in of.values()])


def colours(labels: Sequence[str]) -> Any:
    """Orders by colour, the reference first in grey."""
    import altair as alt

    others = [ORDERS[place % len(ORDERS)] for place in range(len(labels) - 1)]
    return alt.Color(
        "order:N", scale=alt.Scale(domain=list(labels), range=[REFERENCE, *others]), legend=_legend(len(labels))
    )


def shapes(labels: Sequence[str]) -> Any:
    """Return the shape of each order, to go with `colours`."""
    import altair as alt

    marks = [SHAPES[place % len(SHAPES)] for place in range(len(labels))]
    return alt.Shape("order:N", scale=alt.Scale(domain=list(labels), range=marks), legend=_legend(len(labels)))


def _legend(count: int) -> Any:
    import altair as alt

    return alt.Legend(title=None, orient="bottom", columns=COLUMNS, labelLimit=LONGEST_BELOW, symbolLimit=count)


def verdict_colours(of: Mapping[str, tuple[str, str, str]] = VERDICTS) -> Any:
    """Verdicts by colour."""
    import altair as alt

    return alt.Color("verdict:N", scale=verdicts(1, of), legend=alt.Legend(title=None, orient="top", columns=COLUMNS))


def listed(field: str, values: Sequence[str], marks: Sequence[Any], orient: Any = "top") -> dict[str, Any]:
    """Scale and legend of a field whose values, in this sequence, get these marks in turn."""
    import altair as alt

    of_value = [marks[place % len(marks)] for place in range(len(values))]
    legend = alt.Legend(title=None, orient=orient, columns=COLUMNS, labelLimit=LONGEST_ABOVE, symbolLimit=len(values))
    return {"scale": alt.Scale(domain=list(values), range=of_value), "legend": legend}


def tips(*names: str) -> list[Any]:
    """Return the tooltip fields of a mark."""
    import altair as alt

    forms = {"recall": ".4f", "low": ".4g", "high": ".4g", "difference": "+.2f", "ndcg": ".4f"}
    forms |= {
        "percent": ".1f",
        "queries": ".1f",
        "seconds": ".3g",
        "points": ".2f",
        "detectable": ".2f",
    }
    return [alt.Tooltip(name, format=forms[name]) if name in forms else alt.Tooltip(name) for name in names]


_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def config(ink: str = "#222", plain: str = "#555", faint: str = "#ddd", background: str = "white") -> dict[str, Any]:
    """How charts look. ink: of text; plain: of marks that are no order and no verdict; faint: of grid lines."""
    return {
        "font": _FONT,
        "background": background,
        "view": {"stroke": None},
        "mark": {"color": plain},
        "rule": {"color": plain},  # which is black otherwise, and not seen on black
        "axis": {"labelColor": ink, "titleColor": ink, "gridColor": faint, "domainColor": ink, "tickColor": ink}
        | {"titleFontWeight": "normal", "labelFontSize": 11, "titleFontSize": 12},
        # Fewer ticks than by default, whose first two labels touch. Labels stay flush with the ends: one beyond an end
        # changes the width, which changes the labels, without end if there is text next to the plot
        "axisXQuantitative": {"labelFlush": True, "tickCount": {"expr": "max(2, ceil(width / 60))"}},
        "legend": {"labelColor": ink, "titleColor": ink, "labelFontSize": 11}
        | {"symbolBaseFillColor": plain, "symbolBaseStrokeColor": plain},
        "title": {"color": ink, "fontSize": 13, "anchor": "start"},
        "text": {"color": ink},
    }


CONFIG = config()
DARK = config("#e8e8e8", "#bbb", "#444", "transparent")
LIGHT = config(background="transparent")
