"""When the versions of a dataset were measured that share a name, as a file that has changed."""

from collections import defaultdict

from bench.analysis.findings import Findings
from bench.analysis.setting import by_setting
from bench.present.text import Layout

UNKNOWN = "at a time that was not recorded"


def versions_text(findings: Findings, layout: Layout) -> str:
    """A line per version, the one measured first first; empty if no dataset has several."""
    if all(row.setting.name == row.setting.of.data.dataset for row in findings.summaries):
        return ""
    times: dict[str, set[str]] = defaultdict(set)
    for setting, by_order in by_setting(findings.compared).items():
        if setting.name != setting.of.data.dataset:
            built = (outcome.build.environment for outcomes in by_order.values() for outcome in outcomes)
            times[setting.name] |= {environment.get("measured", "") for environment in built}
    measured = sorted((min(of_one), max(of_one), name) for name, of_one in times.items())
    return layout.note("\n".join(f"- {name} was measured {_span(first, last)}." for first, last, name in measured))


def _span(first: str, last: str) -> str:
    if not first:
        return UNKNOWN
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"
