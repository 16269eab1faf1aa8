"""The part that a feature adds to results: tables, charts and the page receive it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bench.analysis.findings import Findings
from bench.present.charts import CHARTS, Charts
from bench.present.text import Layout


class Section(NamedTuple):
    """Each part takes the Findings of an experiment, and is empty if these have nothing of the feature.

    name: of its table on the page and in the page's JSON.
    title: of that table.
    charts: by name; the page shows them with all settings at a glance.
    answer: sentences for What now.
    text: what the terminal prints below the table of orders.
    rows: for `--json`.
    table: rows of one level of names, for the page.
    """

    name: str
    title: str
    charts: Charts
    answer: Callable[[Findings], list[str]] = lambda findings: []
    text: Callable[[Findings, Layout], str] = lambda findings, layout: ""
    rows: Callable[[Findings], Sequence[Any]] = lambda findings: []
    table: Callable[[Findings], list[dict[str, Any]]] = lambda findings: []


def charts_of(sections: Sequence[Section]) -> Charts:
    """Return all charts by name: those of every experiment, then those of features."""
    return CHARTS | {name: chart for section in sections for name, chart in section.charts.items()}
