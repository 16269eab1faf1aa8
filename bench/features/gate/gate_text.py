"""A gate's report as text: Markdown, for a terminal and a workflow's summary alike."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from bench.analysis.setting import fields_of, split
from bench.analysis.verdict import (
    ABOUT,
    BIT_EXACT,
    BY_IDS,
    FAILURES,
    FELL,
    LIKE_THESE,
    NOT_EXACT,
    RESCORED,
    UNDECIDED,
    WORST_FIRST,
    GateLine,
)
from bench.features.gate.gate import Report, SmallestFalls
from bench.indexes import INDEXES
from bench.indexes.engine import Engine
from bench.present.text import Layout, cells, heading, title
from bench.study.order_labels import labels_of
from bench.study.trial import Order

_FAULTS = {FELL: "recall fell", NOT_EXACT: "ids differ", RESCORED: "hits differ"}


def text(report: Report, layout: Layout) -> str:
    """Return the verdict, the changes of the environment, and one line per setting, worst first.

    Bit-exact settings are counted; only a wide layout lists them.
    """
    verdicts = Counter(line.verdict for line in report.lines)
    counts = {name: verdicts[name] for name in WORST_FIRST if name in verdicts}
    left_out = [f"{len(report.left_out)} engine{'s' * (len(report.left_out) > 1)} left out"] if report.left_out else []
    summary = ", ".join([*(f"{count} {name}" for name, count in counts.items()), *left_out])
    headline = (
        [f"{_verdict(report, counts)}: {summary}"] if report.passed else [f"FAILED: {_why(report, counts)}", summary]
    )
    parts = [
        f"gate {report.baseline}: {headline[0]}",
        *(f"Of {len(report.lines)} lines: {counted}." for counted in headline[1:]),
        f"Baseline of {report.saved}: {report.reason}",
        _environment(report, NOT_EXACT in counts),
        *_not_compared(report),
    ]
    parts += _broken(report)
    before = len(parts)
    about = ABOUT if report.passed else ABOUT | {UNDECIDED: "not decided when the gate failed, which ends it"}
    notes = [f"{name}: {about[name]}" for name in counts]
    margin = f"margin {100 * report.margin:g} points"
    parts.append(f"{margin}; difference on these queries with its 95 % interval, in points. " + "; ".join(notes) + ".")
    parts += [*_undecided(report), *_questions(report.lines)]
    if any(line.question for line in report.lines):  # where ids do not say it all
        parts.append(smallest_text(report.smallest))
    texts = [layout.note(part) for part in parts]
    return "\n\n".join([*texts[:before], *_tables(report, layout), *texts[before:]])


def _verdict(report: Report, counts: Collection[str]) -> str:
    """The headline of a gate that passed. counts: of lines by verdict."""
    return "no fall is shown, nor excluded everywhere" if UNDECIDED in counts else "recall has not fallen"


def _why(report: Report, counts: Mapping[str, int]) -> str:
    """Why a gate failed: a broken promise, a wrong count, lines that failed, or what is not decided."""
    engines = _breaking(report)
    reasons = [f"{' and '.join(engines)} break{'s' * (len(engines) == 1)} a promise"] if engines else []
    reasons += ["recall is counted wrong"] if report.scoring else []
    reasons += [
        f"{what} in {counts[name]} line{'s' * (counts[name] > 1)}" for name, what in _FAULTS.items() if name in counts
    ]
    if reasons:
        return "; ".join(reasons)
    strictly = ["undecided"] * (UNDECIDED in counts) + ["left out"] * bool(report.left_out)
    return f"what is {' or '.join(strictly)} fails (--strict)"


def _breaking(report: Report) -> dict[str, Engine]:
    """The engines that break a promise, by name."""
    return {
        name: engine
        for name, engine in INDEXES.items()
        if any(line.startswith(f"{name}, ") for line in report.contract)
    }


def _not_compared(report: Report) -> list[str]:
    """Engines that are on one side alone."""
    lines = []
    if report.left_out:
        fails = "" if report.strict else ", which does not fail the gate (--strict)"
        lines.append(f"Left out, since they are not installed: {', '.join(report.left_out)}{fails}.")
    if report.unsaved:
        lines.append(f"The baseline has nothing of {', '.join(report.unsaved)}: save it again to compare that too.")
    return lines


def _broken(report: Report) -> list[str]:
    """Return the failures that do not depend on recall."""
    broken = []
    if report.contract:
        how = f"`bench doctor {' '.join(engine.file or name for name, engine in _breaking(report).items())}` says more"
        broken.append(f"Engines break what they promise: {'; '.join(report.contract)}; {how}.")
    if report.scoring:
        broken.append("Recall is counted wrong: " + "; ".join(report.scoring))
    return broken


def _undecided(report: Report) -> list[str]:
    """Return the undecided lines if nothing failed, and the builds that would decide them."""
    left = [line for line in report.lines if line.verdict == UNDECIDED]
    if not left or any(line.verdict in FAILURES for line in report.lines):
        return []
    low = min(line.low for line in left)
    below = sum(line.high < 0 for line in left)
    seems = f" {below} of them seem to have fallen, which is not sure among so many lines." if below else ""
    fails = "" if report.strict else "Undecided lines do not fail the gate (--strict); "
    text = f"{fails}a fall of up to {-100 * low:.2f} points is not excluded.{seems}"
    never = sum(not line.settles for line in left)
    if never:
        text += (
            f" {never} of them cannot be decided: the baseline has too few builds. Save one of more"
            " (`bench baseline save --builds`); the last lines say which falls more builds find."
        )
    if never < len(left):
        text += " The time is spent: a longer `--budget`" if report.spent else " `--budget 10m` builds on: that"
        text += f" decides {'others' if never else 'them'}, if differences are as they seem."
    return [text[0].upper() + text[1:]]


def _questions(lines: Sequence[GateLine]) -> list[str]:
    """Which of the two questions verdicts answer."""
    of_recall = [line for line in lines if line.question and line.verdict != UNDECIDED]
    like = sum(line.question == LIKE_THESE for line in of_recall)
    if not of_recall:
        return []
    return [f"Verdicts are for exactly these queries; {like} of {len(of_recall)} also hold for queries like these."]


def smallest_text(smallest: SmallestFalls) -> str:
    """The smallest falls that nine of ten gates find."""
    falls = sorted(smallest.cases.values())
    of_all = " and ".join(f"{100 * fall:.2f} ({engine})" for engine, fall in smallest.engines.items())
    most = f" (median of {len(falls)}; {100 * falls[-1]:.2f} where builds vary most)" if len(falls) > 1 else ""
    one = f"{100 * falls[len(falls) // 2]:.2f} points of one order in one setting{most}"
    text = f"With as many builds as the baseline has, nine of ten gates find a fall of {one}, of {of_all} everywhere."
    more = ", ".join(f"{builds} builds {100 * fall:.2f}" for builds, fall in smallest.more_builds.items())
    return f"{text} Where builds vary most, more builds of each order would find: {more}." if more else text


def _environment(report: Report, other_ids: bool) -> str:
    by_ids = {line.engine for line in report.lines if line.verdict in BY_IDS}
    free = [engine for engine in report.unchanged if engine not in by_ids]
    but = (
        f", except for {', '.join(free)}, whose builds do not repeat"
        if free and len(free) < len(report.unchanged)
        else ""
    )
    equal = f"ids must be equal{but}, and {'are NOT all' if other_ids else 'are'}."
    if not by_ids & {*report.unchanged}:
        equal = "no build repeats, so that recalls are compared."
    if not report.changes:
        return f"Versions, threads and machine are those of the baseline: {equal}"
    concerns = f" That does not concern {', '.join(report.unchanged)}: {equal}" if report.unchanged else ""
    return f"Changed since: {'; '.join(report.changes)}.{concerns}"


def gate_values(report: Report) -> dict[str, Any]:
    """A Report as plain values, for JSON."""
    names = _order_names(report.lines)
    rows = []
    for line in report.lines:
        row = msgspec.structs.asdict(line)
        if case := row.pop("case"):
            row |= {**fields_of(case.setting), "order": names[case.order]}
        rows.append(row | {"smallest_fall_found": report.smallest.of(line)})
    plain = msgspec.structs.asdict(report)
    del plain["smallest"]
    return {**plain, "lines": rows}


def _tables(report: Report, layout: Layout) -> list[str]:
    """Return the fields that all lines share, then the lines as a table."""
    lines = report.lines
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
            like = "" if math.isnan(line.like_low) else f"[{100 * line.like_low:+.2f}, {100 * line.like_high:+.2f}]"
            smallest = f"{100 * report.smallest.of(line):.2f}" if line.question else ""
            figures = [points, like, smallest, builds]
            rows.append([verdict, line.engine, *cells(setting, varying), order, *recalls, *figures])
        else:
            where = heading({"engine": line.engine, **setting}, ["engine", *varying])
            rows.append([verdict, where, order, f"{line.now:.4f}", points])
    header = ["verdict", "setting", "order", "recall", "difference, points"]
    if layout.wide:
        header = ["verdict", "engine", *varying, "order", "was", "now", "difference, points"]
        header += ["on queries like these", "smallest fall found", "builds"]
    left = len(varying) + 3 if layout.wide else 3
    return [layout.note(title(common)), *([layout.table(header, rows, left)] if rows else [])]


def _order_names(lines: Sequence[GateLine]) -> dict[Order, str]:
    return labels_of([line.case.order for line in lines if line.case])
