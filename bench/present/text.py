"""How values, intervals and tables are written, for a terminal and for Markdown alike."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from tabulate import tabulate

from bench.analysis.setting import SETTING
from bench.analysis.stats import Estimate

TIES_MATTER = 0.005  # half a point, by which orders could be told apart wrongly


def interval(estimate: Estimate) -> str:
    """A mean with its interval, where there is one."""
    if math.isnan(estimate.se):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def points(difference: Estimate) -> str:
    """A difference in points, with its interval, where there is one."""
    between = number(difference.low, " [{:+.2f}, ", 100) + number(difference.high, "{:+.2f}]", 100)
    return f"{100 * difference.value:+.2f}{between}"


def number(value: float, form: str, factor: float = 1) -> str:
    """A number in a form, or nothing where there is none."""
    return "" if math.isnan(value) else form.format(factor * value)


def pipe(lines: Sequence[Sequence[Any]], header: Sequence[str], left: int) -> str:
    """A Markdown table, its first `left` columns to the left."""
    alignment = ["left"] * left + ["right"] * (len(header) - left)
    return str(tabulate(lines, header, tablefmt="pipe", disable_numparse=True, colalign=alignment))


def told_once(settings: Sequence[dict[str, Any]], varying: Sequence[str]) -> Iterator[list[Any]]:
    """The cells of every row for the fields that vary, empty where the row above has the same."""
    before: list[Any] = []
    for setting in settings:
        values = [setting[field] for field in varying]
        yield ["" if values == before else value for value in values]
        before = values


def ties_note(gained: float) -> str:
    """What to say where counting ties would add so much to recall that it may decide between orders."""
    return (
        f"\n\nTIES DECIDE: counting rows as near as the k-th adds up to {100 * gained:.1f} points. Which of equal rows"
        " exact search names goes by file order, so recall by id flatters `given`: compare with `bench table --ties`."
    )


def split_settings(settings: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """What is the same in all settings with its value, and the names of the rest."""
    first = settings[0]
    common = {field: first[field] for field in SETTING if all(setting[field] == first[field] for setting in settings)}
    varying = [field for field in SETTING if field not in common]
    # What follows from another column is not worth one of its own.
    follows = {"dataset": ("n", "d", "queries", "metric"), "engine": ("engine_version",)}
    implied = {
        field
        for cause, fields in follows.items()
        for field in fields
        if cause in varying and _determines(settings, cause, field)
    }
    return common, [field for field in varying if field not in implied]


def _determines(settings: Sequence[dict[str, Any]], cause: str, field: str) -> bool:
    pairs = {(setting[cause], setting[field]) for setting in settings}
    return len(pairs) == len({known for known, _ in pairs})
