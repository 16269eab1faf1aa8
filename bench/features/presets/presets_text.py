"""Recall under systems' defaults, as a table and as rows."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.setting import shown
from bench.features.presets.under_preset import UnderPreset
from bench.present.effects import size
from bench.present.text import TIES_MATTER, Layout, ties_note, title, with_interval
from bench.present.what_now import ONE_BUILD
from bench.study.spec.preset_studies import Search

MOST = 10  # rows of a table that replaces a long one
ORDERS = ("random", "given")  # what a benchmark builds in, and what an index gets; a column each
GRAPH = Search.__struct_fields__  # what a preset sets, a column each


def preset_text(name: str, rows: Sequence[UnderPreset], layout: Layout) -> str:
    """A table, a row a system and engine, with what it means above and below.

    In place of many rows, a brief layout has those in which orders differ most.
    """
    listed, which = rows, ""
    if layout.shortens(len(rows)):
        listed = _differ_most(rows)
        which = f"; the {MOST} of {len(rows)} rows in which orders differ most, --all shows all"
    shown_orders = [order for order in ORDERS if any(order in row.recalls for row in rows)]
    if layout.wide:
        header = ["engine", "parameters of", *GRAPH, "builds"]
        header += [*shown_orders, "best order", "recall", "worst order", "recall", "spread, points"]
        table = layout.table(header, [_line(row, shown_orders) for row in rows], 2)
    else:
        shown_orders = shown_orders[:1]
        header = ["parameters of", "best order", "M", "ef_c", "ef_s", *shown_orders, "spread, points"]
        by_engine = groupby(listed, key=lambda row: row.setting.of.index.engine)
        sections = [(f"{engine}:", [_few(row, shown_orders) for row in of_one]) for engine, of_one in by_engine]
        table = layout.sections(header, sections, 2)
    doubts = {row.system: row.doubtful for row in listed if row.doubtful}
    note = (
        "The parameters are the systems' defaults, in the engines of this harness: what else a system does (segments,"
        " merges, quantization) is not in these figures. recall by id, mean over builds and queries,"
        " with its 95 % interval; spread: best minus worst order, the interval for all pairs of orders at once."
    )
    note += "" if layout.wide else " ef_c, ef_s: ef_construction, ef_search. --wide shows all columns."
    notes = [note, *(f"* {system}: {why}." for system, why in doubts.items())]
    parts = [layout.note(f"{name}: {title(_common(rows[0]))}{which}"), table]
    if said := of_presets(rows):
        parts.append(layout.what_now(said))
    parts.append(layout.note("\n".join(notes)))
    if (gained := max(row.ties for row in rows)) >= TIES_MATTER:
        parts.append(layout.note(ties_note(gained, name)))
    return "\n\n".join(parts)


def _differ_most(rows: Sequence[UnderPreset]) -> list[UnderPreset]:
    """Return the MOST rows of the largest spread, in their sequence."""
    spreads = [row.spread.value if row.spread else 0.0 for row in rows]
    places = sorted(range(len(rows)), key=lambda place: -spreads[place])
    return [rows[place] for place in sorted(places[:MOST])]


def _few(row: UnderPreset, shown_orders: Sequence[str]) -> list[Any]:
    """The cells of a row that fit a terminal."""
    best, worst = next(iter(row.recalls)), next(reversed(row.recalls))
    if row.recalls[best].value == row.recalls[worst].value:
        best = "-"
    fields = row.setting.fields
    recalls = [row.recalls.get(order) for order in shown_orders]
    line = [row.system + " *" * bool(row.doubtful), best, *(fields[name] for name in GRAPH)]
    line += [f"{recall.value:.4f}" if recall else "" for recall in recalls]
    return [*line, with_interval(row.spread, "+.2f", 100)]


def _common(row: UnderPreset) -> dict[str, Any]:
    """Return the fields that all rows share: those of the data and of the search."""
    names = [*shown(row.setting.of.data), *shown(row.setting.of.search)]
    return {name: row.setting.fields[name] for name in names if name not in GRAPH}


def _line(row: UnderPreset, shown_orders: Sequence[str]) -> list[Any]:
    best, worst = next(iter(row.recalls)), next(reversed(row.recalls))
    high, low = row.recalls[best].value, row.recalls[worst].value
    if high == low:  # no order is best
        best = worst = "-"
    fields = row.setting.fields
    line = [fields["engine"], row.system + " *" * bool(row.doubtful), *(fields[name] for name in GRAPH)]
    line += [row.builds, *(with_interval(row.recalls.get(order)) for order in shown_orders)]
    return [*line, best, f"{high:.4f}", worst, f"{low:.4f}", with_interval(row.spread, "+.2f", 100)]


def preset_row(row: UnderPreset) -> dict[str, Any]:
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


def of_presets(rows: Sequence[UnderPreset]) -> list[str]:
    """Under whose parameters order matters most, if under any's."""
    known = [(row, row.spread) for row in rows if row.spread and not math.isnan(row.spread.se)]
    if not known:
        return ["Only one order was built: name two at least." if len(rows[0].recalls) == 1 else ONE_BUILD]
    shown = [pair for pair in known if pair[1].low > 0]
    if not shown:
        whose = "any system's" if len({row.name for row in rows}) > 1 else "these"
        bound = 100 * max(spread.high for _, spread in known)
        return [
            f"At {whose} parameters no order is shown to be better than another; differences of up to {bound:.2f}"
            " points are not excluded."
        ]
    row, spread = max(shown, key=lambda pair: pair[1].value)
    engines = len({row.setting.of.index.engine for row in rows}) > 1
    where = row.system + (f" in {row.setting.of.index.engine}" if engines else "")
    best, worst = next(iter(row.recalls)), next(reversed(row.recalls))
    return [
        f"Best and worst order differ in {len(shown)} of {len(known)} rows, and most at the parameters of {where}:"
        f" {best} gains {size(spread)} against {worst}."
    ]
