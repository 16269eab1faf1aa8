"""The properties of the data, in words and figures."""

import math
from collections.abc import Callable

from bench.analysis.profile import OUTSIDE, UNEVEN, Profile

# What a table shows of a Profile: a heading, and the figure as text
DESCRIBED: dict[str, Callable[[Profile], str]] = {
    "rows": lambda of: f"{of.data.n:,}",
    "dimensions": lambda of: f"{of.data.d:,}",
    "metric": lambda of: of.data.metric,
    "queries": lambda of: f"{of.data.queries:,}",
    "LID of rows, 5 %": lambda of: _number(of.lid_5_percent, ".1f"),
    "median": lambda of: _number(of.lid_median, ".1f"),
    "95 %": lambda of: _number(of.lid_95_percent, ".1f"),
    "LID of queries, median": lambda of: _number(of.query_lid_median, ".1f"),
    "sd of ln distance to 10th neighbour": lambda of: _number(of.scale_spread, ".2f"),
    "queries / rows, distance to 10th neighbour": lambda of: _number(of.queries_outside, ".2f"),
    "rows with a duplicate, %": lambda of: _number(100 * of.duplicates, ".1f"),
}


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def of_profile(of: Profile) -> list[str]:
    """Return sentences on properties of the data that make an effect of order likely, or unlikely."""
    spread, outside = _number(of.scale_spread, ".2f"), _number(of.queries_outside, ".2f")
    said = []
    if of.uneven:
        said.append(
            f"Density varies much from row to row (sd of ln distance to the 10th neighbour {spread}, above"
            f" {UNEVEN}): that"
            " speaks for an effect of order, and for orders that begin with sparse regions."
        )
    elif spread:
        said.append(
            f"Density varies little from row to row (sd of ln distance to the 10th neighbour {spread}): by itself that"
            " speaks for a small effect of order."
        )
    if of.outside:
        said.append(
            f"Queries lie outside the data ({outside} times as far from their 10th neighbour as rows, above"
            f" {OUTSIDE}): that"
            " multiplies what order does."
        )
    elif outside:
        said.append(f"Queries lie about as near to the rows as rows to each other ({outside} times as far).")
    if of.duplicates > 0.01:
        said.append(
            f"{100 * of.duplicates:.0f} % of the rows have a duplicate: which of equal rows counts depends on file"
            f" order; see"
            " `--ties`."
        )
    return said
