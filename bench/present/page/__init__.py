"""A report: one HTML file that answers, shows and keeps all of an experiment's results, and needs no network."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.analysis.findings import Findings
from bench.analysis.setting import split
from bench.present import frames
from bench.present.answer import answer
from bench.present.charts import CHARTS, orders
from bench.present.charts.marks import DARK, LIGHT
from bench.present.data import DESCRIBED, of_profile
from bench.present.export import TIDY, tidy
from bench.present.failures import failures_flat
from bench.present.summary import summary_rows
from bench.present.text import title as common_title

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
GENERATOR = "hnsw-order-bench"
# Which charts a section has, in the page's sequence
SECTIONS = {
    "difference": ("difference",),
    "curves": ("curves", "misses"),
    "losses": ("losses", "by_dimension", "by_distance"),
    "overview": ("heat", "engines", "sweep", "permutations", "rankings", "presets"),
    "data": ("dimensions",),
    "variance": ("shares",),
    "costs": ("seconds", "megabytes"),
}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of how an experiment was made.

    name, title: of the experiment. commands: that repeat it.
    """

    name: str
    title: str
    commands: Sequence[str]


def page(findings: Findings, about: About) -> str:
    """The report of one experiment as HTML."""
    drawn = _charts(findings)
    settings = [row.setting.fields for row in findings.summaries]
    common = split(settings)[0] if settings else {}
    panels = frames.panels(findings)
    content = {
        "experiment": about.name,
        "reference": findings.reference,
        "settings": [msgspec.structs.asdict(panel) | {"k": of.of.search.k} for of, panel in panels.items()],
        "summary": _columns(_panelled(findings)),
        "outcomes": _columns(tidy(findings.outcomes)[list(TIDY)]),
        "failures": failures_flat(findings.failures),
        "charts": drawn,
        "themes": {"light": LIGHT, "dark": DARK},
    }
    html: str = _template().render(
        about=about,
        generator=GENERATOR,
        findings=findings,
        answer=answer(findings),
        common=common_title(common),
        charts={name: CHARTS[name] for name in drawn},
        sections={name: [chart for chart in of if chart in drawn] for name, of in SECTIONS.items()},
        panels=panels,
        described=DESCRIBED,
        profiles=[(name, of_data, of_profile(of_data)) for name, of_data in frames.profiles(findings)],
        environments=_environments(findings),
        content=_json(content),
        vega=_vega(),
        style=(HERE / "style.css").read_text(),
        script=(HERE / "script.js").read_text(),
    )
    return html


def _panelled(findings: Findings) -> "pd.DataFrame":
    """The summaries as a program gets them, each with the choice that shows it."""
    import pandas as pd

    of_panel = frames.panels(findings)
    rows = summary_rows(findings.summaries, findings.shares, findings.retrieval)
    return pd.DataFrame(
        [
            {"index": of_panel[row.setting].index, "search": of_panel[row.setting].search}
            | {name: value for name, value in flat.items() if not isinstance(value, dict)}
            for row, flat in zip(findings.summaries, rows, strict=True)
        ]
    )


def _charts(findings: Findings) -> dict[str, Any]:
    """Every chart that there is something to draw in, as a specification and rows that it is given by a choice."""
    import altair as alt

    labels, drawn = orders(findings), {}
    with alt.data_transformers.enable("default", max_rows=None):
        for name, chart in CHARTS.items():
            rows = chart.frame(findings)
            if len(rows):
                spec = (
                    chart.draw(rows, labels)
                    .properties(width="container", description=chart.title)
                    .to_dict(validate=False)
                )
                drawn[name] = {"spec": _without_rows(spec), "rows": _columns(rows), "by": [*chart.by]}
    return drawn


def _without_rows(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification whose data is called `rows`, and not in it."""
    spec.pop("datasets", None)

    def named(part: Any) -> Any:
        if isinstance(part, dict):
            return {
                key: {"name": "rows"} if key == "data" and isinstance(value, dict) else named(value)
                for key, value in part.items()
            }
        return [named(one) for one in part] if isinstance(part, list) else part

    return dict(named(spec))


def _columns(frame: "pd.DataFrame") -> dict[str, Any]:
    """A frame by columns: {values, codes} of one whose values repeat, else a list; null for NaN."""
    columns: dict[str, Any] = {}
    for name in frame:
        values = [_plain(value) for value in frame[name].tolist()]
        distinct = list(dict.fromkeys(values))
        if len(distinct) * 2 <= len(values):
            place = {value: code for code, value in enumerate(distinct)}
            columns[str(name)] = {"values": distinct, "codes": [place[value] for value in values]}
        else:
            columns[str(name)] = values
    return columns


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _environments(findings: Findings) -> list[Mapping[str, Any]]:
    """What outcomes were made with, each once."""
    listed: list[Mapping[str, Any]] = []
    for _, outcome in findings.outcomes:
        if outcome.build.environment not in listed:
            listed.append(outcome.build.environment)
    return listed


def _json(content: Any) -> str:
    """JSON that no element of HTML ends early in."""
    text = json.dumps(json.loads(msgspec.json.encode(content)), separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script."""
    import vl_convert

    # Its stub names an argument that may be left out
    return vl_convert.javascript_bundle().replace("</script", "<\\/script")  # type: ignore[call-arg]


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _code
    return environment.get_template("template.html")


def _code(sentence: str) -> Any:
    """A sentence as HTML, what stands in backticks as code."""
    from markupsafe import Markup, escape

    parts = sentence.split("`")
    if len(parts) % 2 == 0:  # a backtick of a name's
        return escape(sentence)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
