"""Summaries of orders as tables."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import msgspec

from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import split
from bench.analysis.summary import UNDECIDED, Shares, Summary
from bench.present import retrieval as of_retrieval
from bench.present.text import TIES_MATTER, cells, interval, number, pipe, points, ties_note, title, without_repeats


def summary_text(
    summaries: Sequence[Summary], shares: Sequence[Shares], reference: str = "random", ties: bool = False
) -> str:
    """Summaries as Markdown tables, one an experiment, with where the spread comes from below each.

    What is the same all through stands above the table; a row is an order, best first in its setting.
    """
    return "\n\n".join(
        _experiment_text(
            experiment,
            list(rows),
            [share for share in shares if share.setting.experiment == experiment],
            reference,
            ties,
        )
        for experiment, rows in groupby(summaries, key=lambda summary: summary.setting.experiment)
    )


def _experiment_text(
    experiment: str, rows: Sequence[Summary], shares: Sequence[Shares], reference: str, ties: bool
) -> str:
    settings = [row.setting.fields for row in rows]
    common, varying = split(settings)
    compared = any(row.against is not None for row in rows)
    header = [*varying, "order", "builds", "recall", "sd"]
    header += [f"vs {reference}, points", "p", "verdict", "equals ef"] * compared
    header += ["below 0.5", "5th %", "build s"]
    lines = []
    for row, of_setting in zip(rows, without_repeats(settings, varying), strict=True):
        line = [*of_setting, row.order, row.builds, interval(row.recall), number(row.sd, "{:.4f}")]
        line += _comparison(row) if compared else []
        lines.append([*line, f"{100 * row.below_half:.1f} %", f"{row.percentile_5:.2f}", f"{row.build_seconds:.2f}"])
    parts = [
        f"{experiment}: {title(common)}",
        pipe(lines, header, len(varying) + 1),
        _note(rows, compared, reference, ties),
    ]
    if shares:
        parts += ["Where the variance of a query's recall comes from, %:", _shares_table(shares, varying)]
    return "\n\n".join(parts)


def _shares_table(shares: Sequence[Shares], varying: Sequence[str]) -> str:
    names = list(dict.fromkeys(name for share in shares for name in share.shares))
    percents = [
        [*cells(share.setting.fields, varying), *(f"{100 * share.shares.get(name, 0):.1f}" for name in names)]
        for share in shares
    ]
    return pipe(percents, [*varying, *names], len(varying))


def _comparison(row: Summary) -> list[str]:
    """The cells that compare an order with the reference; empty for the reference itself."""
    if row.against is None:
        return ["", "", "", ""]
    against = row.against
    verdict = against.verdict
    if verdict == UNDECIDED:
        verdict += f": {against.builds_needed} builds" if against.builds_needed else ": more builds or queries"
    p = "" if math.isnan(against.p) else "< 0.001" if against.p < 0.001 else f"{against.p:.3f}"
    return [points(against.difference), p, verdict, _equal_ef(row)]


def _equal_ef(row: Summary) -> str:
    if row.equivalent_ef is None:
        return ""
    value, low, high = (_ef(part) for part in row.equivalent_ef)
    return value if low == high or not low else f"{value} [{low}, {high}]"


def _ef(ef: float) -> str:
    if math.isnan(ef):
        return ""
    return f"{ef:.0f}" if math.isfinite(ef) else "above" if ef > 0 else "below"


def _note(rows: Sequence[Summary], compared: bool, reference: str, ties: bool) -> str:
    note = "recall with ties" if ties else "recall by id"
    note += ", with the 95 % interval over builds and queries; sd: of a build's mean recall, over builds"
    note += "; below 0.5, 5th %: share of queries with recall below 0.5, and 5th percentile of recall."
    if compared:
        known = [row.against.detectable for row in rows if row.against and not math.isnan(row.against.detectable)]
        note += (
            f" vs {reference}: difference of the means with its 95 % interval;"
            f" p: adjusted over the orders compared (Holm);"
            f" equals ef: the ef_search at which {reference} has the same recall, and the ends of its interval, within"
            " those measured."
        )
        if known:
            shown = f"{100 * max(known):.2f} points or less"
            note += f" Smallest difference these builds show among so many (power 80 %): {shown}."
    gained = max(row.recall_tie - row.recall.value for row in rows)
    if gained >= TIES_MATTER and not ties:
        note += ties_note(gained)
    elif gained >= 0.00005:
        note += f" Counting ties would add up to {100 * gained:.2f} points (--ties)."
    return note


def summary_rows(
    summaries: Sequence[Summary], shares: Sequence[Shares], scored: Sequence[Retrieval]
) -> list[dict[str, Any]]:
    """Summaries as rows of one level of names for JSON, with where the spread comes from and what retrieval scores."""
    sources = {share.setting: share.shares for share in shares}
    scores = {(row.setting, row.order): of_retrieval.flat(row) for row in scored}
    return [
        flat(row) | {"variance_shares": sources.get(row.setting)} | scores.get((row.setting, row.order), {})
        for row in summaries
    ]


def flat(summary: Summary) -> dict[str, Any]:
    """A Summary as one level of names, for JSON."""
    row = msgspec.structs.asdict(summary)
    setting, recall, against = row.pop("setting"), row.pop("recall"), row.pop("against")
    equivalent = row.pop("equivalent_ef") or (math.nan,) * 3
    row |= zip(("equivalent_ef", "equivalent_ef_low", "equivalent_ef_high"), map(_plain_ef, equivalent), strict=True)
    tail = {"recall": recall.value, "recall_low": recall.low, "recall_high": recall.high}
    if against is not None:
        difference = against.difference
        tail |= {
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p": against.p,
            "verdict": against.verdict,
            "builds_needed": against.builds_needed,
            "detectable": against.detectable,
        }
    return {"experiment": setting.experiment, **setting.fields, **row, **tail}


def _plain_ef(ef: float) -> float | str | None:
    """An equivalent ef_search for a program: JSON has neither infinity nor NaN."""
    return ef if math.isfinite(ef) else _ef(ef) or None
