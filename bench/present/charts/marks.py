"""What charts have in common: colours, shapes, scales, legends, and how they look on paper and on a screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.changes import SAME
from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE

# Apart for most kinds of colour vision (Okabe and Ito 2008), and dark enough on white as on black
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b8589a", "#a87a00", "#3a8fc4", "#c4572e", "#5b7f1d")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")
REFERENCE = "#808080"
VERDICTS = {
    BETTER: ("triangle-right", "#0072b2", "▲"),
    WORSE: ("triangle-left", "#d55e00", "▼"),
    NO_DIFFERENCE: ("square", "#808080", "="),
    UNDECIDED: ("circle", "#808080", "?"),
}
CHANGES = {**VERDICTS, SAME: ("diamond", "#808080", "=")}
ROW = 22  # pixels an order
# Pixels of a name beside a plot, and in legends of two columns, by the room that there is; paper has no container
_ROOM = "(containerSize()[0] || 560)"
LONGEST: Any = {"expr": f"clamp({_ROOM} / 3, 80, 240)"}
LONGEST_BELOW: Any = {"expr": f"clamp({_ROOM} / 2 - 55, 80, 240)"}  # in a legend below, which begins at the plot
LONGEST_ABOVE: Any = {"expr": f"clamp({_ROOM} / 3 - 30, 80, 240)"}  # beside names, which take a third
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

    others = [COLOURS[place % len(COLOURS)] for place in range(len(labels) - 1)]
    return alt.Color(
        "order:N", scale=alt.Scale(domain=list(labels), range=[REFERENCE, *others]), legend=_legend(len(labels))
    )


def shapes(labels: Sequence[str]) -> Any:
    """Orders by shape, beside `colours`."""
    import altair as alt

    marks = [SHAPES[place % len(SHAPES)] for place in range(len(labels))]
    return alt.Shape("order:N", scale=alt.Scale(domain=list(labels), range=marks), legend=_legend(len(labels)))


def _legend(count: int) -> Any:
    import altair as alt

    return alt.Legend(title=None, orient="bottom", columns=COLUMNS, labelLimit=LONGEST_BELOW, symbolLimit=count)


def listed(field: str, values: Sequence[str], marks: Sequence[str]) -> dict[str, Any]:
    """Scale and legend of a field whose values, in this sequence, get these marks in turn."""
    import altair as alt

    of_value = [marks[place % len(marks)] for place in range(len(values))]
    legend = alt.Legend(title=None, orient="top", columns=COLUMNS, labelLimit=LONGEST_ABOVE, symbolLimit=len(values))
    return {"scale": alt.Scale(domain=list(values), range=of_value), "legend": legend}


def tips(*names: str) -> list[Any]:
    """What a pointer at a mark shows."""
    import altair as alt

    forms = {"recall": ".4f", "low": ".4g", "high": ".4g", "difference": "+.2f", "ndcg": ".4f"}
    forms |= {
        "percent": ".1f",
        "queries": ".1f",
        "seconds": ".3g",
        "megabytes": ".3g",
        "points": ".2f",
        "detectable": ".2f",
    }
    return [alt.Tooltip(name, format=forms[name]) if name in forms else alt.Tooltip(name) for name in names]


_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def config(ink: str = "#222", faint: str = "#ddd", background: str = "white") -> dict[str, Any]:
    """How charts look. ink: of text; faint: of grid lines."""
    return {
        "font": _FONT,
        "background": background,
        "view": {"stroke": None},
        "axis": {"labelColor": ink, "titleColor": ink, "gridColor": faint, "domainColor": ink, "tickColor": ink}
        | {"titleFontWeight": "normal", "labelFontSize": 11, "titleFontSize": 12},
        # Fewer ticks than by default, whose first two labels touch. Labels stay flush with the ends: one beyond an end
        # changes the width, which changes the labels, for ever where text stands beside the plot
        "axisXQuantitative": {"labelFlush": True, "tickCount": {"expr": "max(2, ceil(width / 60))"}},
        "legend": {"labelColor": ink, "titleColor": ink, "labelFontSize": 11},
        "title": {"color": ink, "fontSize": 13, "anchor": "start"},
        "text": {"color": ink},
    }


CONFIG = config()
DARK = config("#e8e8e8", "#444", "transparent")
LIGHT = config(background="transparent")
