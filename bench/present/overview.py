"""Many summaries on one screen: a row per dataset and engine at the smallest ef_search."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.setting import split
from bench.analysis.summary import Summary
from bench.present.text import Layout, heading

_SEARCH = "ef_search"


def overview(rows: Sequence[Summary], reference: str, layout: Layout) -> str:
    """A table of the reference's recall, and the best and worst other order with their differences to it.

    rows: of one experiment, best order first in each setting.
    """
    chosen = _at_smallest_search(rows)
    fields = [_without_search(of_one[0]) for of_one in chosen]
    varying = split(fields)[1]
    names = [name for name in varying if name != "dataset"] or ["dataset" if varying else "engine"]
    below_dataset = "dataset" in varying and names != ["dataset"]
    lines = [
        (f"{setting['dataset']}:" if below_dataset else "", [heading(setting, names), *_cells(of_one, reference)])
        for setting, of_one in zip(fields, chosen, strict=True)
    ]
    sections = [(name, [line for _, line in of_one]) for name, of_one in groupby(lines, key=lambda pair: pair[0])]
    figure = "points ± 95 %" if any(row.against for row in rows) else "recall"
    header = [names[0] if len(names) == 1 else "setting", reference, f"best order, {figure}", f"worst order, {figure}"]
    return layout.sections(header, sections, 1)


def at_search(rows: Sequence[Summary]) -> str:
    """At which ef_search an overview of these rows is, in words."""
    searches = {row.setting.of.search.ef_search for of_one in _at_smallest_search(rows) for row in of_one}
    return f"at ef_search {searches.pop()}" if len(searches) == 1 else "at the smallest ef_search of each"


def _at_smallest_search(rows: Sequence[Summary]) -> list[list[Summary]]:
    """The rows of every setting that has no other like it at a smaller ef_search."""
    by_setting: dict[tuple[Any, ...], dict[int, list[Summary]]] = {}
    for row in rows:
        by_search = by_setting.setdefault(tuple(_without_search(row).items()), {})
        by_search.setdefault(row.setting.of.search.ef_search, []).append(row)
    return [by_search[min(by_search)] for by_search in by_setting.values()]


def _without_search(row: Summary) -> dict[str, Any]:
    return {name: value for name, value in row.setting.fields.items() if name != _SEARCH}


def _cells(rows: Sequence[Summary], reference: str) -> list[str]:
    """Return recall of the reference, and the best and worst other order; empty if there is none."""
    recall = next((f"{row.recall.value:.4f}" for row in rows if row.order == reference), "")
    others = [row for row in rows if row.order != reference]
    best, worst = _order(others[0]) if others else "", _order(others[-1]) if len(others) > 1 else ""
    return [recall, best, worst]


def _order(row: Summary) -> str:
    """Return an order with its difference to the reference, or with its recall if it was not compared."""
    if row.against is None:
        return f"{row.order} {row.recall.value:.4f}"
    difference = row.against.difference
    half = "" if math.isnan(difference.se) else f" ±{100 * difference.half_width:.2f}"
    return f"{row.order} {100 * difference.value:+.2f}{half}"
