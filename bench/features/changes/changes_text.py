"""Changes between two sets of outcomes: in words, as rows, and as a frame of its chart."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.analysis.setting import varying_by_engine, with_own_params
from bench.analysis.summary import BETTER, UNDECIDED, WORSE
from bench.features.changes.change import SAME, Change, Changes
from bench.present.frames import panels_of
from bench.present.text import heading, points
from bench.statistics import power

if TYPE_CHECKING:
    import pandas as pd


def answer(changes: Changes, before: str, after: str) -> list[str]:
    """Return the changes in sentences. before, after: the names of the two sets."""
    lines = changes.lines
    counts = Counter(line.verdict for line in lines)
    said = []
    if counts[SAME] == len(lines):
        said.append(f"Nothing changed from {before} to {after}: all {len(lines)} lines return the same ids.")
    elif not counts[WORSE] and not counts[BETTER]:
        said.append(f"No line is shown to have changed from {before} to {after}.")
    for verdict, word in ((WORSE, "lost"), (BETTER, "gained")):
        of_verdict = [line for line in lines if line.verdict == verdict]
        if of_verdict:
            most = max(of_verdict, key=lambda line: abs(line.difference.value))
            varying = varying_by_engine([line.fields for line in lines])[most.fields["engine"]]
            named = ", ".join(filter(None, (most.order, heading(with_own_params(most.fields), varying))))
            said.append(
                f"From {before} to {after} {len(of_verdict)} of {len(lines)} lines {word} recall, most"
                f" {points(most.difference)} points ({named})."
            )
    single = sum(math.isnan(line.difference.se) for line in lines)
    if undecided := counts[UNDECIDED] - single:
        said.append(f"{undecided} of {len(lines)} lines are undecided: their intervals go beyond ± 1 point.")
    if single:
        said.append(
            f"{single} of {len(lines)} lines have a single build on a side, or a single query, and no interval."
        )
    for count, name, other in ((changes.only_before, before, after), (changes.only_after, after, before)):
        if count:
            said.append(f"{count} lines of {name} have no counterpart in {other}, and no part in this.")
    return said


def rows(changes: Changes) -> list[dict[str, Any]]:
    """A row a line, of one level of names."""
    listed = []
    for line in changes.lines:
        row = dict(line.fields) | {"order": line.order}
        row |= {"builds_before": line.builds[0], "builds_after": line.builds[1], "same_ids": line.same_ids}
        for name in ("before", "after", "difference"):
            estimate = getattr(line, name)
            key = name if name == "difference" else f"recall_{name}"
            row |= {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
        listed.append(row | {"p": line.p, "verdict": line.verdict})
    return listed


def frame(lines: Sequence[Change]) -> "pd.DataFrame":
    """Return differences in points, one row per line; `dataset`, `index` and `search` name them as in all charts."""
    import pandas as pd

    listed = []
    for place, (line, panel) in enumerate(zip(lines, panels_of([line.fields for line in lines]), strict=True)):
        value, low, high = (100 * end for end in (line.difference.value, line.difference.low, line.difference.high))
        row: dict[str, Any] = {
            "dataset": panel.dataset,
            "index": panel.index,
            "search": panel.search,
            "order": line.order,
        }
        row |= {"difference": value, "low": low, "high": high, "verdict": line.verdict}
        listed.append(row | {"margin": 100 * power.MARGIN, "place": place})
    return pd.DataFrame(listed)
