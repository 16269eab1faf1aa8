"""Orders across engines: one table per dataset and ef_search, with a row per index and a column per order."""

from collections.abc import Iterable, Iterator, Mapping

from bench.analysis.findings import Findings
from bench.analysis.setting import natural
from bench.analysis.summary import Summary
from bench.errors import BenchError
from bench.present.charts.marks import VERDICTS
from bench.present.failures import failures_text
from bench.present.frames import panels
from bench.present.text import Layout, number, points

_COLUMNS = 6  # orders next to each other in a terminal
_LONGEST_BESIDE = 12  # characters of an engine's name in front of them

ByOrder = Mapping[str, Summary]


def engines_text(findings: Findings, layout: Layout) -> str:
    """Differences to the reference, engines below each other; a wide layout has intervals, recall and build time.

    Failed trials are counted below. Raises BenchError if no order is compared with the reference.
    """
    failed = [failures_text(findings.failures, findings.trials, layout)] if findings.failures else []
    if not any(row.against for row in findings.summaries):
        if failed and not findings.outcomes:
            return failed[0]
        raise BenchError(f"no order is compared with {findings.reference} here: name another with --reference")
    tables = [_table(*of_one, findings.reference, layout) for of_one in _searches(findings)]
    note = f"Points of recall {'with ties' if findings.ties else 'by id'} to {findings.reference} in the same index"
    note += ", with intervals that hold for all its orders at once; recall, build s: of " * layout.wide
    note += findings.reference * layout.wide
    note += f"; {', '.join(f'{mark} {verdict}' for verdict, (_, _, mark) in VERDICTS.items())}."
    return "\n\n".join(
        [*tables, layout.note(note + " --wide has intervals, recall and build times." * (not layout.wide)), *failed]
    )


def _searches(findings: Findings) -> Iterator[tuple[str, Mapping[str, ByOrder]]]:
    """Yield the title of each table with a comparison, and the summaries of each of its indexes by order."""
    of_panel = panels(findings)
    tables: dict[str, dict[str, dict[str, Summary]]] = {}
    for row in findings.summaries:
        panel = of_panel[row.setting]
        title = f"{row.setting.experiment}: {panel.dataset}, ef_search {panel.search}"
        tables.setdefault(title, {}).setdefault(panel.index, {})[row.order] = row
    for title, by_index in tables.items():
        if any(row.against for by_order in by_index.values() for row in by_order.values()):
            yield title, by_index


def _table(title: str, by_index: Mapping[str, ByOrder], reference: str, layout: Layout) -> str:
    orders = sorted(
        {order for rows in by_index.values() for order in rows} - {reference}, key=lambda name: natural([name])
    )
    parts = [layout.note(title)]
    if layout.wide:
        header = ["engine", f"{reference}, recall", *orders, "build s"]
        rows = [
            [index, _recall(of.get(reference)), *_differences(of, orders, wide=True), _seconds(of.get(reference))]
            for index, of in by_index.items()
        ]
        return "\n\n".join([*parts, layout.table(header, rows, 1)])
    beside = max(map(len, by_index)) <= _LONGEST_BESIDE
    for start in range(0, len(orders), _COLUMNS):
        few = orders[start : start + _COLUMNS]
        room = layout.width - (_LONGEST_BESIDE if beside else 0)
        # A name is folded at its hyphen if the names do not fit
        header = few if sum(len(order) + 2 for order in few) <= room else [order.replace("-", "- ") for order in few]
        lines = {index: _differences(of, few) for index, of in by_index.items()}
        if beside:
            parts.append(layout.table(["engine", *header], [[index, *cells] for index, cells in lines.items()], 1))
        else:
            parts.append(layout.sections(header, [(f"{index}:", [cells]) for index, cells in lines.items()], 0))
    return "\n\n".join(parts)


def _differences(by_order: ByOrder, orders: Iterable[str], wide: bool = False) -> list[str]:
    """A cell an order: its difference with the mark of its verdict; empty for those that this index has not."""
    cells = []
    for order in orders:
        against = by_order[order].against if order in by_order else None
        difference = against and (points(against.difference) if wide else f"{100 * against.difference.value:+.1f}")
        cells.append(f"{difference} {VERDICTS[against.verdict][2]}" if against else "")
    return cells


def _recall(row: Summary | None) -> str:
    return f"{row.recall.value:.4f}" if row else ""


def _seconds(row: Summary | None) -> str:
    return number(row.build_seconds, "{:.1f}") if row else ""
