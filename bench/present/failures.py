"""Trials that failed: lines below a table, and rows for JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.present.text import Layout
from bench.study.outcome import Failure
from bench.study.trial import flat_fields

LINES = 5  # of reasons, at most
LONGEST = 200  # characters of a reason, at most


def failures_text(failures: Sequence[Failure], trials: int, layout: Layout) -> str:
    """Return the number of failed trials and the reasons per engine, most frequent first; empty if none failed.

    trials: how many in all, failed ones included.
    """
    if not failures:
        return ""
    counts = Counter((failure.trial.index.engine, failure.reason) for failure in failures)
    # Equal counts are sorted by name, so that the same failures always give the same text
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{len(failures):,} of {trials:,} trials FAILED; the next run tries them again:"]
    lines += [_line(engine, reason, count) for (engine, reason), count in by_count[:LINES]]
    if others := by_count[LINES:]:
        lines.append(f"- {sum(count for _, count in others):,} for {len(others):,} other reasons (all with --json)")
    return layout.note("\n".join(lines))


def failures_flat(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """A row a failed trial, for JSON: the trial's fields and the reason."""
    return [flat_fields(failure.trial) | {"reason": failure.reason} for failure in failures]


def _line(engine: str, reason: str, count: int) -> str:
    """A group of failures as one line, cut where it is too long."""
    line = f"- {engine}, {count:,} {'trial' if count == 1 else 'trials'}: {' '.join(reason.split())}"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
