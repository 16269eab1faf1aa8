"""Recall under systems' defaults, as a table and as rows."""

import math
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from bench.analysis.presets import UnderPreset
from bench.analysis.setting import split
from bench.analysis.stats import Estimate
from bench.indexes.presets import SURVEYED
from bench.present.text import TIES_MATTER, ties_note, title

ORDERS = ("random", "given")  # what a benchmark builds in, and what an index gets; a column each


def preset_text(name: str, rows: Sequence[UnderPreset]) -> str:
    """A Markdown table, a row a system and engine, with what it means above and below."""
    common, _ = split([row.setting.fields for row in rows])
    shared = title({field: value for field, value in common.items() if field not in (*SURVEYED, "engine")})
    shown = [order for order in ORDERS if any(order in row.recalls for row in rows)]
    header = ["engine", "parameters of", *SURVEYED, "builds"]
    header += [*shown, "best order", "recall", "worst order", "recall", "spread, points"]
    lines = [_line(row, shown) for row in rows]
    alignment = ["left", "left", *["right"] * (len(header) - 2)]
    table = tabulate(lines, header, tablefmt="pipe", disable_numparse=True, colalign=alignment)
    doubts = {row.system: row.doubtful for row in rows if row.doubtful}
    note = (
        "The parameters are the systems' defaults; the engines are ours, at those parameters: what else a system"
        " does (segments, merges, quantization) is not in these figures. recall by id, mean over builds and queries,"
        " with its 95 % interval; spread: best minus worst order, the interval for all pairs of orders at once."
    )
    note += "".join(f"\n\\* {system}: {why}." for system, why in doubts.items())
    if (gained := max(row.ties for row in rows)) >= TIES_MATTER:
        note += ties_note(gained)
    return f"{name}: {shared}\n\n{table}\n\n{note}"


def _line(row: UnderPreset, shown: Sequence[str]) -> list[Any]:
    best, worst = next(iter(row.recalls)), next(reversed(row.recalls))
    high, low = row.recalls[best].value, row.recalls[worst].value
    if high == low:  # nothing to tell apart
        best = worst = "-"
    setting = row.setting.fields
    line = [setting["engine"], row.system + " *" * bool(row.doubtful)]
    line += [setting[field] for field in SURVEYED]
    line += [row.builds, *(_interval(row.recalls.get(order)) for order in shown)]
    return [*line, best, f"{high:.4f}", worst, f"{low:.4f}", _interval(row.spread, 100, "+.2f")]


def _interval(estimate: Estimate | None, factor: float = 1, form: str = ".4f") -> str:
    if estimate is None:
        return ""
    value, low, high = (f"{factor * number:{form}}" for number in (estimate.value, estimate.low, estimate.high))
    return value if math.isnan(estimate.se) else f"{value} [{low}, {high}]"


def flat(row: UnderPreset) -> dict[str, Any]:
    """An UnderPreset as one level of names and a table of recalls by order, for JSON."""
    best, worst = next(iter(row.recalls)), next(reversed(row.recalls))
    spread = row.spread
    return {
        "preset": row.name,
        "system": row.system,
        "doubtful": row.doubtful,
        **row.setting.fields,
        "builds": row.builds,
        "recall_ties_add": row.ties,
        "recall": {order: {"value": e.value, "low": e.low, "high": e.high} for order, e in row.recalls.items()},
        "best": best,
        "worst": worst,
        "spread": spread and spread.value,
        "spread_low": spread and spread.low,
        "spread_high": spread and spread.high,
    }
