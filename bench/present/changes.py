"""What changed between two sets of outcomes: in words, as rows, and as a frame of its chart."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.analysis import power
from bench.analysis.changes import SAME, Change, Changes, varying
from bench.analysis.setting import split
from bench.analysis.summary import BETTER, UNDECIDED, WORSE
from bench.present.text import heading, points

if TYPE_CHECKING:
    import pandas as pd


def answer(changes: Changes, before: str, after: str) -> list[str]:
    """What changed, in sentences. before, after: what the two are called."""
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
            named = ", ".join(filter(None, (most.order, heading(most.fields, varying(lines)))))
            said.append(
                f"From {before} to {after} {len(of_verdict)} of {len(lines)} lines {word} recall, most"
                f" {points(most.difference)} points ({named})."
            )
    if counts[UNDECIDED]:
        said.append(f"{counts[UNDECIDED]} of {len(lines)} lines are undecided: their intervals go beyond ± 1 point.")
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
    """Differences in points, a row a line, named by `dataset`, `index` and `search` as all charts are."""
    import pandas as pd

    names = split([line.fields for line in lines])[1] if lines else []
    of_index = [
        name for name in names if name not in ("dataset", "engine", "ef_search", "k", "n", "d", "queries", "metric")
    ]
    listed = []
    for place, line in enumerate(lines):
        low, high = (100 * end for end in (line.difference.low, line.difference.high))
        listed.append(
            {
                "dataset": line.fields["dataset"],
                "index": heading(line.fields, ["engine", *of_index]),
                "search": f"{line.fields['ef_search']}" + (f", k {line.fields['k']}" if "k" in names else ""),
                "order": line.order,
                "difference": 100 * line.difference.value,
                "low": low,
                "high": high,
                "verdict": line.verdict,
                "noise": 0.0,
                "margin": 100 * power.MARGIN,
                "place": place,
            }
        )
    return pd.DataFrame(listed)
