"""How values, intervals and tables are written, for a terminal and for Markdown alike."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from bench.analysis.stats import Estimate

TIES_MATTER = 0.005  # half a point, by which orders may seem to differ


def interval(estimate: Estimate) -> str:
    """A mean with its interval, if it has one."""
    if math.isnan(estimate.se):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def points(difference: Estimate) -> str:
    """A difference in points, with its interval, if it has one."""
    between = number(difference.low, " [{:+.2f}, ", 100) + number(difference.high, "{:+.2f}]", 100)
    return f"{100 * difference.value:+.2f}{between}"


def number(value: float, form: str, factor: float = 1) -> str:
    """A number in a form, or nothing for NaN."""
    return "" if math.isnan(value) else form.format(factor * value)


def pipe(lines: Sequence[Sequence[Any]], header: Sequence[str], left: int) -> str:
    """A Markdown table, its first `left` columns to the left."""
    alignment = ["left"] * left + ["right"] * (len(header) - left)
    return str(tabulate(lines, header, tablefmt="pipe", disable_numparse=True, colalign=alignment))


def title(fields: Mapping[str, Any]) -> str:
    """What is the same in all of a table, as its title says it."""
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def without_repeats(settings: Sequence[Mapping[str, Any]], varying: Sequence[str]) -> Iterator[list[Any]]:
    """The cells of every row for the fields that vary, empty where the row above has the same."""
    above: list[Any] = []
    for setting in settings:
        values = cells(setting, varying)
        yield ["" if values == above else value for value in values]
        above = values


def cells(setting: Mapping[str, Any], varying: Sequence[str]) -> list[Any]:
    """A setting's cells for the fields that vary, empty for those that it has not."""
    return [setting.get(name, "") for name in varying]


def ties_note(gained: float) -> str:
    """A note for where counting ties adds so much to recall that it may decide between orders."""
    return (
        f"\n\nTIES DECIDE: counting rows as near as the k-th adds up to {100 * gained:.1f} points. Which of equal rows"
        " exact search names goes by file order, so recall by id flatters `given`: compare with `bench table --ties`."
    )
