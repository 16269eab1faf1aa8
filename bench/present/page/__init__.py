"""A report: one HTML file that answers, shows and keeps all of an experiment's results, and needs no network."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.analysis.categories import Permuted
from bench.analysis.findings import Findings
from bench.analysis.setting import split
from bench.analysis.stats import Interval
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
_COMMAND = re.compile(r"`((?:bench[ .]|--)[^`]*)`")
# Of the columns of a summary, after those of its setting
FIRST = (
    *("order", "builds", "recall", "recall_low", "recall_high", "difference", "difference_low", "difference_high"),
    *("verdict", "equivalent_ef", "equivalent_ef_low", "equivalent_ef_high", "builds_needed", "queries_needed"),
)
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
        "summary": _columns(_summary(findings)),
        "outcomes": _columns(tidy(findings.outcomes)[list(TIDY)]),
        "permutations": [_permuted(row) for row in findings.permuted],
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


def _summary(findings: Findings) -> "pd.DataFrame":
    """The summaries as a program gets them, what decides first; where the variance comes from in a column a source."""
    import pandas as pd

    rows = summary_rows(findings.summaries, findings.shares, findings.retrieval)
    for row in rows:
        shares = row.pop("variance_shares") or {}
        row |= {f"variance_shares.{source}": share for source, share in shares.items()}
    frame = pd.DataFrame(rows)
    names = list(frame)
    first = [name for name in FIRST if name in names]
    setting = names[: names.index(FIRST[0])] if first else []
    return frame[[*setting, *first, *(name for name in names if name not in (*setting, *first))]]


def _permuted(row: Permuted) -> dict[str, Any]:
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
    environment.filters["listed"] = _listed
    return environment.get_template("template.html")


def _listed(value: Any) -> str:
    """What an environment has of one kind, as a line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items() if one) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not known" if value is None else str(value)


def _code(sentence: str) -> Any:
    """A sentence as HTML, commands and options in backticks as code; backticks of a name stay as they are."""
    from markupsafe import Markup

    parts = _COMMAND.split(sentence)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
