"""A gate's report as text: Markdown, for a terminal and a workflow's summary alike."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.analysis.gate import Report
from bench.analysis.setting import fields_of, labels_of, split
from bench.analysis.verdict import ABOUT, FAILURES, NOT_EXACT, UNDECIDED, WORST_FIRST, Line
from bench.present.text import cells, pipe, title
from bench.study.trial import Order


def text(report: Report) -> str:
    """The verdict, what has changed in the environment, and a line a setting, worst first."""
    counts = {verdict: sum(line.verdict == verdict for line in report.lines) for verdict in WORST_FIRST}
    seen = {verdict: count for verdict, count in counts.items() if count}
    passed = "no fall is shown, nor excluded everywhere" if UNDECIDED in seen else "recall has not fallen"
    verdict = passed if report.passed else "FAILED"
    listed = ", ".join(f"{count} {name}" for name, count in seen.items())
    parts = [
        f"gate {report.baseline}: {verdict}: {listed}",
        f"Baseline of {report.saved}: {report.reason}",
        _environment(report, NOT_EXACT in seen),
    ]
    if report.scoring:
        parts.append("Recall is counted wrong: " + "; ".join(report.scoring))
    parts.append(_table(report.lines))
    about = ABOUT if report.passed else ABOUT | {UNDECIDED: "not decided when the gate failed, which ends it"}
    notes = [f"{name}: {about[name]}" for name in seen]
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
    return "\n\n".join(parts)


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
        if compared := row.pop("compared"):
            row |= {**fields_of(compared.setting), "order": names[compared.order]}
        rows.append(row)
    return {**msgspec.structs.asdict(report), "lines": rows}


def _table(lines: Sequence[Line]) -> str:
    common, differing = split([fields_of(line.compared.setting) for line in lines if line.compared])
    varying = [name for name in differing if name != "engine"]
    names = _order_names(lines)
    rows = []
    for line in lines:
        setting, order = {"dataset": "all"}, ""
        if line.compared:
            setting, order = fields_of(line.compared.setting), names[line.compared.order]
        points = f"{100 * line.difference:+.2f}"
        if not math.isnan(line.low):
            points += f" [{100 * line.low:+.2f}, {100 * line.high:+.2f}]"
        verdict = line.verdict.upper() if line.verdict in FAILURES else line.verdict
        builds = "{} → {}".format(*line.builds)
        recalls = [f"{line.was:.4f}", f"{line.now:.4f}"]
        rows.append([verdict, line.engine, *cells(setting, varying), order, *recalls, points, builds])
    header = ["verdict", "engine", *varying, "order", "was", "now", "difference, points", "builds"]
    return f"{title(common)}\n\n{pipe(rows, header, len(varying) + 3)}"


def _order_names(lines: Sequence[Line]) -> dict[Order, str]:
    return labels_of([line.compared.order for line in lines if line.compared])
