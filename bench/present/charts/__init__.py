"""Every chart, defined once for page, notebook, SVG and PNG.

A chart is drawn of a frame, see `frames`, whose rows are of the setting that is chosen by `dataset`, `index` and
`search`, as far as the chart uses them. Colour never stands alone: shapes, words or places say the same.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.analysis.findings import Findings
from bench.analysis.setting import natural
from bench.errors import BenchError, unknown
from bench.outputs import Kind, head
from bench.present import frames
from bench.present.charts import comparison, parts
from bench.present.charts.marks import CONFIG

if TYPE_CHECKING:
    import pandas as pd


WIDTH, DPI = 340, 300  # points of a plot, so that with its names it fits a page's width; dots an inch


class Chart(NamedTuple):
    """A chart: its title, its rows and how to draw them.

    title: its heading. about: what its marks are, in words; a chart's text alternative too.
    frame: its rows of all settings; empty if there is nothing to draw.
    draw: it, of these rows; labels of orders, the reference first, give colours and shapes.
    by: which of dataset, index, search and k choose its rows.
    """

    title: str
    about: str
    frame: Callable[[Findings], "pd.DataFrame"]
    draw: Callable[[Any, Sequence[str]], Any]
    by: tuple[str, ...]


Charts = Mapping[str, Chart]


def orders(findings: Findings) -> list[str]:
    """Labels of all orders, the reference first."""
    return sorted(
        {row.order for row in findings.summaries}, key=lambda label: (label != findings.reference, natural([label]))
    )


def names(findings: Findings, charts: Charts) -> list[str]:
    """The charts that there is something to draw in."""
    return [name for name, chart in charts.items() if len(chart.frame(findings))]


def every(findings: Findings, charts: Charts, name: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """A chart for every choice that there are rows of: (choice, chart)."""
    of, frame = _found(findings, charts, name)
    keys = [key for key in of.by if key in frame]
    for values in dict.fromkeys(zip(*(frame[key] for key in keys), strict=True)) if keys else [()]:
        choice = dict(zip(keys, values, strict=True))
        yield choice, _drawn(findings, of, frame, choice)


def chart(findings: Findings, charts: Charts, name: str, **choice: Any) -> Any:
    """Return one of these charts for paper or a notebook.

    choice: values of the fields that choose its rows, usually `dataset`, `index` and `search`; by default the first.
    Raises BenchError if the name or the choice is unknown, or if there is nothing to draw.
    """
    of, frame = _found(findings, charts, name)
    if wrong := sorted(choice.keys() - {*of.by, "dataset", "index", "search"}):
        raise unknown("choice", wrong[0], dict.fromkeys([*of.by, "dataset", "index", "search"]))
    return _drawn(findings, of, frame, choice)


def _drawn(findings: Findings, of: Chart, frame: "pd.DataFrame", choice: Mapping[str, Any]) -> Any:
    rows, chosen = frame, [named(of.title, findings.reference)]
    for key in of.by:
        if key in rows:
            values = list(dict.fromkeys(rows[key]))
            wanted = str(choice.get(key, values[0]))
            value = next((one for one in values if str(one) == wanted), None)
            if value is None:
                raise unknown(key, wanted, [str(one) for one in values])
            rows = rows[rows[key] == value]
            chosen.append(f"{_WORDS[key]} {value}" if key in _WORDS else str(value))
    drawn = of.draw(rows, orders(findings))
    return drawn.properties(title=", ".join(chosen), width=WIDTH).configure(**CONFIG)


def named(text: str, reference: str) -> str:
    """Return a title or caption with the name of the reference, if there is one."""
    return text.replace("the reference", reference) if reference else text


def _found(findings: Findings, charts: Charts, name: str) -> "tuple[Chart, pd.DataFrame]":
    if name not in charts:
        raise unknown("chart", name, charts)
    frame = charts[name].frame(findings)
    if not len(frame):
        has = ", ".join(names(findings, charts)) or "none"
        raise BenchError(f"chart {name!r}: these results have nothing to draw in it; they have: {has}")
    return charts[name], frame


def file_part(value: object) -> str:
    """A value as a part of a file's name."""
    return re.sub(r"[^\w.=-]+", "-", str(value)).strip("-.")[:60] or "x"


def files(drawn: Any) -> dict[str, bytes]:
    """A chart as `svg` and `png`, the latter of DPI dots an inch."""
    import vl_convert

    spec = drawn.to_dict()
    try:
        svg = vl_convert.vegalite_to_svg(spec)
    except ValueError:  # Vega cuts a long name within a sign of two halves, as emoji are, which cannot be drawn
        text = json.dumps(spec, ensure_ascii=False)
        signs = sorted(set(_TWO_HALVES.findall(text)))
        spec = json.loads(text.translate({ord(sign): _SHAPES + place % 96 for place, sign in enumerate(signs)}))
        svg = vl_convert.vegalite_to_svg(spec)
    return {"svg": svg.encode(), "png": vl_convert.vegalite_to_png(spec, ppi=DPI)}


_PER_METER = round(DPI / 0.0254).to_bytes(4, "big")
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n.*pHYs" + re.escape(2 * _PER_METER), re.DOTALL)

KINDS = {
    "svg": Kind("chart of this harness", lambda path: b'class="marks"' in head(path, 300)),
    "png": Kind("chart of this harness", lambda path: _PNG.match(head(path, 100)) is not None),
}

_TWO_HALVES = re.compile(r"[\U00010000-\U0010ffff]")
_SHAPES = ord("\N{BLACK SQUARE}")  # the first of 96 geometric shapes, so that other names stay others


_WORDS = {"search": "ef_search", "k": "k"}


_MOST_ENGINES = 6  # whose colours and shapes a reader can distinguish


def _differences(column: str, least: int = 2, most: float = math.inf) -> Callable[[Findings], "pd.DataFrame"]:
    """Differences where a chart of them has so many values of the column, at most; else an empty frame."""

    def rows(findings: Findings) -> "pd.DataFrame":
        full = frames.differences(findings)
        beside = [name for name in ("dataset", "index", "search") if name != column]
        if not len(full) or not least <= full.groupby(beside)[column].nunique().max() <= most:
            return full.iloc[:0]
        return full.assign(absolute=full["difference"].abs())

    return rows


def _difficulty(of: str) -> Callable[[Findings], "pd.DataFrame"]:
    return lambda findings: frames.by_difficulty(findings, of)


def _lines(findings: Findings) -> "pd.DataFrame":
    rows = frames.curves(findings)
    return rows if len(rows) and rows["ef_search"].nunique() > 1 else rows.iloc[:0]


_CURVE = (
    "by order: large marks have 95 % intervals if there are several builds, small ones are further searches of the"
    " reference. Lines are straight in the logarithms of misses and ef_search. Move the pointer: the rule reads off"
    " these lines the ef_search at which each order has the same recall."
)
_HEAT = "blue where it is above and orange where it is below; ▲ better, ▼ worse, = no difference shown, ? undecided."
_OF_SETTING = ("dataset", "index", "search")

CHARTS = {
    "difference": Chart(
        "Difference to the reference",
        "One row per order: the difference of its mean recall to the reference, with the 95 % interval for all orders"
        " at once, none from a single build. Grey band: differences too small to be worth it (--worth, ± 1 point unless"
        " stated). Dashed lines: how far two builds of the reference differ by their seed alone, in 95 % of pairs, as"
        " estimated from these few builds.",
        frames.differences,
        comparison.difference,
        _OF_SETTING,
    ),
    "curves": Chart(
        "Recall against ef_search", f"Recall {_CURVE}", _lines, comparison.curves, ("dataset", "index", "k")
    ),
    "misses": Chart(
        "Misses against ef_search",
        f"Misses (1 - recall), on log axes, none as 0.00001, {_CURVE}",
        _lines,
        comparison.misses,
        ("dataset", "index", "k"),
    ),
    "losses": Chart(
        "How recall spreads over queries",
        "The share of queries whose recall, the mean over builds, is this or less: a line that rises early has many"
        " that find little.",
        frames.losses,
        parts.losses,
        _OF_SETTING,
    ),
    "by_dimension": Chart(
        "Recall by the queries' dimension",
        "Mean recall of each tenth of the queries by their local intrinsic dimension.",
        _difficulty("lid"),
        parts.by_dimension,
        _OF_SETTING,
    ),
    "by_distance": Chart(
        "Recall by the queries' distance to the data",
        "Mean recall of each tenth of the queries by their distance to the nearest row.",
        _difficulty("distance"),
        parts.by_distance,
        _OF_SETTING,
    ),
    "heat": Chart(
        "Datasets and orders",
        f"Difference to the reference in points, {_HEAT}",
        _differences("dataset"),
        comparison.heat,
        ("index", "search"),
    ),
    "engines": Chart(
        "Engines side by side",
        "Difference of each order to the reference in the same engine, with 95 % intervals: shapes are engines, colours"
        " verdicts.",
        _differences("index", most=_MOST_ENGINES),
        comparison.engines,
        ("dataset", "search"),
    ),
    "engine_map": Chart(
        "Engines and orders",
        f"Difference to the reference in the same engine in points, {_HEAT}",
        _differences("index", least=_MOST_ENGINES + 1),
        comparison.engine_map,
        ("dataset", "search"),
    ),
    "sweep": Chart(
        "Recall along a sweep",
        "Mean recall by order against the parameter that the datasets differ in, with 95 % intervals.",
        frames.sweep,
        comparison.sweep,
        ("sweep", "index", "search"),
    ),
    "dimensions": Chart(
        "Local intrinsic dimension",
        "Its distribution over rows (a sample of 2,000 at most) and queries.",
        frames.dimensions,
        parts.dimensions,
        ("dataset",),
    ),
    "shares": Chart(
        "Where the variance comes from",
        "Sources of the variance of a single query's recall, over orders, builds and queries.",
        frames.shares,
        parts.shares,
        _OF_SETTING,
    ),
    "needed": Chart(
        "What these builds can show",
        "The smallest true difference to the reference that these builds and queries show in four studies of five, by"
        " order, without a mark if there is none; next to it the verdict, and the builds and queries that would decide"
        " the undecided orders.",
        frames.needed,
        parts.needed,
        _OF_SETTING,
    ),
    "seconds": Chart(
        "Time by part",
        "Seconds to make the order (cached ones as when they were made), to insert all rows, and to search all"
        " queries.",
        frames.costs,
        parts.seconds,
        _OF_SETTING,
    ),
}
