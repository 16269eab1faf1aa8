"""A report: one HTML file that answers, shows and keeps all of an experiment's results, and needs no network."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from bench.analysis.findings import Findings
from bench.analysis.setting import Setting, split
from bench.analysis.summary import BETTER
from bench.geometry.describe import PROFILE_ROWS
from bench.present import frames
from bench.present.answer import answer
from bench.present.charts import Charts, orders
from bench.present.charts.marks import DARK, LIGHT
from bench.present.data import DESCRIBED, of_profile
from bench.present.export import TIDY, tidy
from bench.present.failures import failures_flat
from bench.present.page.html import GENERATOR, HERE, columns, json_text, specification, template, vega
from bench.present.section import Section, charts_of
from bench.present.summary import builds_of, summary_rows
from bench.present.text import title as common_title
from bench.study.environment import distinct

if TYPE_CHECKING:
    import pandas as pd

# Of the columns of a summary, after those of its setting
FIRST = (
    *("order", "builds", "recall", "recall_low", "recall_high", "difference", "difference_low", "difference_high"),
    *("verdict", "equivalent_ef", "equivalent_ef_low", "equivalent_ef_high", "builds_needed", "queries_needed"),
)
# Which charts a part of the page has, in its sequence; those of features are in the overview
PARTS = {
    "difference": ("difference",),
    "curves": ("curves", "misses"),
    "losses": ("losses", "by_dimension", "by_distance"),
    "overview": ("heat", "engines", "engine_map", "sweep"),
    "data": ("dimensions",),
    "variance": ("shares", "needed"),
    "costs": ("seconds",),
}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """How an experiment was made, for a report.

    name, title: of the experiment. commands: that repeat it.
    """

    name: str
    title: str
    commands: Sequence[str]


def page(findings: Findings, about: About, sections: Sequence[Section]) -> str:
    """Return the report of one experiment as HTML. sections: what features add."""
    charts = charts_of(sections)
    drawn = _charts(findings, charts)
    tables = {section.name: rows for section in sections if (rows := section.table(findings))}
    settings = [row.setting.fields for row in findings.summaries]
    common = split(settings)[0] if settings else {}
    panels = frames.panels(findings)
    content = {
        "experiment": about.name,
        "reference": findings.reference,
        "settings": [msgspec.structs.asdict(panel) | {"k": of.of.search.k} for of, panel in panels.items()],
        "start": _start(findings, list(panels)),
        "summary": columns(_summary(findings)),
        "outcomes": columns(tidy(findings.outcomes)[list(TIDY)]),
        "tables": tables,
        "failures": failures_flat(findings.failures),
        "charts": drawn,
        "themes": {"light": LIGHT, "dark": DARK},
    }
    html: str = template("template.html").render(
        about=about,
        generator=GENERATOR,
        findings=findings,
        answer=answer(findings, sections),
        common=f"{common_title(common)}, {builds_of(findings.summaries)}" if settings else "",
        charts={name: charts[name] for name in drawn},
        tables=[(section.name, section.title) for section in sections if section.name in tables],
        sections=_by_part(drawn, sections),
        panels=panels,
        described=DESCRIBED,
        profiles=[(name, of_data, of_profile(of_data)) for name, of_data in frames.profiles(findings)],
        most_rows=PROFILE_ROWS,
        environments=distinct(outcome.build.environment for _, outcome in findings.outcomes),
        content=json_text(content),
        vega=vega(),
        style=(HERE / "style.css").read_text(),
        script=(HERE / "script.js").read_text(),
    )
    return html


def _start(findings: Findings, settings: Sequence[Setting]) -> int:
    """Which setting a page opens with: that which the answer speaks of."""
    spoken = [effect.surely(BETTER)[0] for advice in findings.advice for effect in advice.best]
    return settings.index(spoken[0].setting) if spoken else 0


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


def _by_part(drawn: Collection[str], sections: Sequence[Section]) -> dict[str, list[str]]:
    """Return the names of the drawn charts by part of the page."""
    of_features = [name for section in sections for name in section.charts]
    names = {part: [*of, *(of_features if part == "overview" else [])] for part, of in PARTS.items()}
    return {part: [name for name in of if name in drawn] for part, of in names.items()}


def _charts(findings: Findings, charts: Charts) -> dict[str, Any]:
    """Return every chart that has something to draw: its specification, and the rows that a choice selects from."""
    labels, drawn = orders(findings), {}
    for name, chart in charts.items():
        rows = chart.frame(findings)
        if len(rows):
            spec = specification(chart.draw, rows, labels, chart.title)
            drawn[name] = {"spec": spec, "rows": columns(rows), "by": [*chart.by]}
    return drawn
