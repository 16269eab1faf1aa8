"""Trials that failed, as text and as rows."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.study.outcome import Failure
from bench.study.trial import flat

_REASONS = 10  # that are listed
_LENGTH = 200  # characters of a reason


def failures_text(failures: Sequence[Failure], trials: int) -> str:
    """How many of so many trials failed, and why, the most frequent reason first."""
    counts = Counter((failure.trial.index.engine, failure.reason) for failure in failures).most_common()
    lines = [f"{len(failures):,} of {trials:,} trials failed; the next run tries them again:"]
    lines += [f"- {count:,} {engine}: {_short(reason)}" for (engine, reason), count in counts[:_REASONS]]
    if more := len(counts) - _REASONS:
        lines += [f"- and {more:,} other reasons"] * (more > 0)
    return "\n".join(lines)


def failures_flat(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """A row a failed trial, with its reason, for JSON."""
    return [{**flat(failure.trial), "reason": failure.reason} for failure in failures]


def _short(reason: str) -> str:
    return reason if len(reason) <= _LENGTH else f"{reason[: _LENGTH - 1]}…"
