"""A gate's report as text: Markdown, for a terminal and a workflow's summary alike."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.analysis.gate import Report
from bench.analysis.setting import fields_of, split
from bench.analysis.verdict import ABOUT, BIT_EXACT, FAILURES, NOT_EXACT, UNDECIDED, WORST_FIRST, Line
from bench.present.text import Layout, cells, heading, title
from bench.study.order_labels import labels_of
from bench.study.trial import Order


def text(report: Report, layout: Layout) -> str:
    """The verdict, what has changed in the environment, and a line a setting, worst first.

    What is bit-exact is counted, and listed in a wide layout alone.
    """
    verdicts = Counter(line.verdict for line in report.lines)
    counts = {name: verdicts[name] for name in WORST_FIRST if name in verdicts}
    passed = "no fall is shown, nor excluded everywhere" if UNDECIDED in counts else "recall has not fallen"
    verdict = passed if report.passed else "FAILED"
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    parts = [
        f"gate {report.baseline}: {verdict}: {summary}",
        f"Baseline of {report.saved}: {report.reason}",
        _environment(report, NOT_EXACT in counts),
    ]
    if report.scoring:
        parts.append("Recall is counted wrong: " + "; ".join(report.scoring))
    before = len(parts)
    about = ABOUT if report.passed else ABOUT | {UNDECIDED: "not decided when the gate failed, which ends it"}
    notes = [f"{name}: {about[name]}" for name in counts]
    margin = f"margin {100 * report.margin:g} points"
    parts.append(f"{margin}; difference with its 95 % interval, in points. " + "; ".join(notes) + ".")
    if report.passed and (worst := [line for line in report.lines if line.verdict == UNDECIDED]):
        low = min(line.low for line in worst)
        below = sum(line.high < 0 for line in worst)
        seems = f" {below} of them seem to have fallen, which is not sure among so many lines." if below else ""
        parts.append(
            f"Undecided lines do not fail the gate; a fall of up to {-100 * low:.2f} points is not excluded.{seems}"
            " A baseline of more builds decides them (`bench baseline save --builds`)."
        )
    texts = [layout.note(part) for part in parts]
    return "\n\n".join([*texts[:before], *_tables(report.lines, layout), *texts[before:]])


def _environment(report: Report, other_ids: bool) -> str:
    equal = "ids must be equal, and " + ("are NOT all." if other_ids else "are.")
    if not report.changes:
        return f"Versions, threads and machine are those of the baseline: {equal}"
    equally = f" That does not concern {' and '.join(report.unchanged)}: its {equal}" if report.unchanged else ""
    return f"Changed since: {'; '.join(report.changes)}.{equally}"


def flat(report: Report) -> dict[str, Any]:
    """A Report as plain values, for JSON."""
    names = _order_names(report.lines)
    rows = []
    for line in report.lines:
        row = msgspec.structs.asdict(line)
        if case := row.pop("case"):
            row |= {**fields_of(case.setting), "order": names[case.order]}
        rows.append(row)
    return {**msgspec.structs.asdict(report), "lines": rows}


def _tables(lines: Sequence[Line], layout: Layout) -> list[str]:
    """What all lines have in common, and a table of them."""
    settings = [fields_of(line.case.setting) if line.case else {"dataset": "all"} for line in lines]
    common, differing = split([fields for fields, line in zip(settings, lines, strict=True) if line.case])
    varying = [name for name in differing if name != "engine"]
    names = _order_names(lines)
    rows = []
    for line, setting in zip(lines, settings, strict=True):
        if line.verdict == BIT_EXACT and not layout.wide:
            continue
        order = names[line.case.order] if line.case else ""
        points = f"{100 * line.difference:+.2f}"
        if not math.isnan(line.low):
            points += f" [{100 * line.low:+.2f}, {100 * line.high:+.2f}]"
        verdict = line.verdict.upper() if line.verdict in FAILURES else line.verdict
        if layout.wide:
            builds = "{} → {}".format(*line.builds)
            recalls = [f"{line.was:.4f}", f"{line.now:.4f}"]
            rows.append([verdict, line.engine, *cells(setting, varying), order, *recalls, points, builds])
        else:
            where = heading({"engine": line.engine, **setting}, ["engine", *varying])
            rows.append([verdict, where, order, f"{line.now:.4f}", points])
    header = ["verdict", "setting", "order", "recall", "difference, points"]
    if layout.wide:
        header = ["verdict", "engine", *varying, "order", "was", "now", "difference, points", "builds"]
    left = len(varying) + 3 if layout.wide else 3
    return [layout.note(title(common)), *([layout.table(header, rows, left)] if rows else [])]


def _order_names(lines: Sequence[Line]) -> dict[Order, str]:
    return labels_of([line.case.order for line in lines if line.case])
