"""Summaries of orders as tables."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from bench.analysis.advice import Advice
from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import split
from bench.analysis.summary import NO_DIFFERENCE, UNDECIDED, Comparison, Shares, Summary
from bench.present import retrieval as of_retrieval
from bench.present.overview import at_search, overview
from bench.present.text import (
    MOST_ROWS,
    TIES_MATTER,
    Layout,
    by_setting,
    cells,
    heading,
    number,
    p_value,
    points,
    ties_note,
    title,
    with_interval,
)
from bench.present.what_now import sentences, ties_first
from bench.statistics.power import Needed

MORE = "undecided: more builds or queries"
_ENOUGH = 5  # builds: a difference that fewer are to show is found less often, see results/calibration.md
SHORT = {NO_DIFFERENCE: "no difference"}  # for a narrow column


def summary_text(
    summaries: Sequence[Summary],
    shares: Sequence[Shares],
    advised: Sequence[Advice],
    ties: bool = False,
    layout: Layout = Layout(),  # noqa: B008 - frozen
) -> str:
    """Summaries as tables, one an experiment, with what to make of each below it.

    Values that all rows share are above the table; each row is an order, best first in its setting. A wide layout has
    all columns and the sources of the spread. An overview that fits a screen follows many rows; a brief layout has it
    in their place.
    """
    by_experiment = groupby(summaries, key=lambda summary: summary.setting.experiment)
    return "\n\n".join(
        _experiment_text(
            advice,
            list(rows),
            [share for share in shares if share.setting.experiment == experiment],
            ties,
            layout,
        )
        for advice, (experiment, rows) in zip(advised, by_experiment, strict=True)
    )


def _experiment_text(
    advice: Advice, rows: Sequence[Summary], shares: Sequence[Shares], ties: bool, layout: Layout
) -> str:
    settings = [row.setting.fields for row in rows]
    common, varying = split(settings)
    short, parts = layout.shortens(len(rows)), []
    if not short:
        builds = {row.builds for row in rows}
        header, cells_of = _columns(rows, advice, layout.wide or len(builds) > 1, layout.wide)
        parts.append(layout.note(f"{advice.experiment}: {title(common)}, {builds_of(rows)}"))
        parts.append(by_setting(layout, settings, varying, header, [cells_of(row) for row in rows], 1))
        parts += [layout.note(note) for note in _notes(rows, advice, ties, layout.wide)]
    apart = [layout.note(note) for note in _fall_apart(rows, short)]
    if len(rows) > MOST_ROWS and not layout.wide:
        more = f"; --all shows all {len(rows)} rows" if short else ""
        parts.append(layout.note(f"{advice.experiment}: {builds_of(rows)}, {at_search(rows)}{more}"))
        parts.append(overview(rows, advice.reference, layout))
    parts += apart
    if shares and layout.wide:
        parts += ["Where the variance of a query's recall comes from, %:", _shares_table(shares, varying, layout)]
    if said := what_now(advice, rows, ties):
        parts.append(layout.what_now(said))
    return "\n\n".join(parts)


def builds_of(rows: Sequence[Summary]) -> str:
    """How many builds there are, in words."""
    return f"{' or '.join(map(str, sorted({row.builds for row in rows})))} builds of each order"


def table(advice: Advice, rows: Sequence[Summary]) -> tuple[list[str], list[list[Any]]]:
    """The header and lines of a table of the rows of one experiment, with all columns."""
    header, cells_of = _columns(rows, advice, builds=True, wide=True)
    return header, [cells_of(row) for row in rows]


def what_now(advice: Advice, rows: Sequence[Summary], ties: bool) -> list[str]:
    """Return the conclusions from the rows of one experiment, in sentences."""
    if _ties_decide(rows, ties):
        return [ties_first(advice.experiment)]
    return sentences(advice, [row.setting.fields for row in rows])


def _columns(
    rows: Sequence[Summary], advice: Advice, builds: bool, wide: bool
) -> tuple[list[str], Callable[[Summary], list[Any]]]:
    """The header of a table of orders, and what gives the cells of one."""
    compared = any(row.against for row in rows)
    header = ["order", *["builds"] * builds, "recall", *["sd", "lowest build"] * wide]
    curve = any(row.equivalent_ef for row in rows)
    header += [f"vs {advice.reference}, points", *["p"] * wide, "verdict", *["equals ef"] * curve] * compared
    header += ["misses removed, %"] * (wide and compared)
    header += ["below 0.5, %", "5th %", "build s"] * wide

    def cells_of(row: Summary) -> list[Any]:
        line: list[Any] = [row.order, *[row.builds] * builds]
        line += [with_interval(row.recall)] if wide else [f"{row.recall.value:.4f}"]
        line += [number(row.sd, "{:.4f}"), number(row.lowest_build, "{:.4f}")] * wide
        line += _comparison(row, wide, curve) if compared else []
        if wide:
            line += [with_interval(row.against.misses_removed, ".0f", 100) if row.against else ""] * compared
            line += [
                with_interval(row.below_half, ".1f", 100),
                with_interval(row.percentile_5, ".2f"),
                f"{row.build_seconds:.2f}",
            ]
        return line

    return header, cells_of


def _shares_table(shares: Sequence[Shares], varying: Sequence[str], layout: Layout) -> str:
    names = list(dict.fromkeys(name for share in shares for name in share.shares))
    percents = [
        [*cells(share.setting.fields, varying), *(f"{100 * share.shares.get(name, 0):.1f}" for name in names)]
        for share in shares
    ]
    return layout.table([*varying, *names], percents, len(varying))


def _comparison(row: Summary, wide: bool, curve: bool) -> list[str]:
    """The cells that compare an order with the reference; empty for the reference itself."""
    if row.against is None:
        return [""] * (2 + wide + curve)
    against = row.against
    return [
        points(against.difference),
        *[p_value(against.p)] * wide,
        verdict_text(against, wide),
        *[_equal_ef(row, wide)] * curve,
    ]


def verdict_text(against: Comparison, wide: bool = True) -> str:
    """A verdict, and what would settle it where it is undecided."""
    if against.verdict != UNDECIDED:
        return against.verdict if wide else SHORT.get(against.verdict, against.verdict)
    builds, queries = against.needed
    if not builds:
        return MORE if wide else UNDECIDED
    if wide:
        return f"undecided: {builds} builds" + (f", {queries:,} queries" if queries else "")
    return f"undecided ({'q' if queries else builds})"


def _equal_ef(row: Summary, wide: bool) -> str:
    if row.equivalent_ef is None:
        return ""
    value, low, high = (_ef(part) for part in row.equivalent_ef)
    return value if low == high or not low or not wide else f"{value} [{low}, {high}]"


def _ef(ef: float) -> str:
    if math.isnan(ef):
        return ""
    return f"{ef:.0f}" if math.isfinite(ef) else "above" if ef > 0 else "below"


def _notes(rows: Sequence[Summary], advice: Advice, ties: bool, wide: bool) -> list[str]:
    """Return the meaning of the columns, and notes that readers of the figures need."""
    notes = [_legend(rows, advice, ties, wide)]
    gained = _gained_by_ties(rows)
    if _ties_decide(rows, ties):
        notes.append(ties_note(gained, advice.experiment))
    elif gained >= 0.00005:
        notes.append(f"Counting ties would add up to {100 * gained:.2f} points (--ties).")
    return notes


def _fall_apart(rows: Sequence[Summary], short: bool) -> list[str]:
    """A hint for orders of which a build loses queries that its sister builds find; if `short`, without what to do."""
    apart = [row for row in rows if row.falls_apart]
    if not apart:
        return []
    _, varying = split([row.setting.fields for row in rows])
    worst = max(apart, key=lambda row: row.lost_queries / row.setting.of.data.queries)
    where = ", ".join(filter(None, (worst.order, heading(worst.setting.fields, varying))))
    hint = (
        f"Builds may fall apart: one of {worst.builds} loses {worst.lost_queries} of"
        f" {worst.setting.of.data.queries:,} queries that the others find ({where})."
    )
    if short:
        return [hint]
    others = ", ".join(sorted({row.order for row in apart} - {worst.order}))
    also = f" So do builds of {others}." if others else ""
    return [
        f"{hint}{also} A query is lost if its recall is 0.5 or more below that of other builds. Rows that nearly repeat"
        " do this too. Few builds miss rare failures: give more --seeds, and compare the lowest build with the mean"
        " (--wide)."
    ]


def _gained_by_ties(rows: Sequence[Summary]) -> float:
    return max(row.recall_tie - row.recall.value for row in rows)


def _ties_decide(rows: Sequence[Summary], ties: bool) -> bool:
    """Return whether orders may seem to differ by which of equal rows exact search names."""
    return not ties and _gained_by_ties(rows) >= TIES_MATTER


def _legend(rows: Sequence[Summary], advice: Advice, ties: bool, wide: bool) -> str:
    compared, reference = advice.settings > 0, advice.reference
    note = "recall: with ties" if ties else "recall: by id"
    if wide:
        note += ", with its 95 % interval over builds and queries; sd: of a build's mean recall, over builds;"
        note += " lowest build: the mean recall of the worst one"
    if compared:
        note += f"; vs {reference}: difference of the means, with its 95 % interval over builds and queries"
        note += ", which holds for all orders of a setting at once"
        note += "; p: likewise" * wide
        note += _needed_legend([row.against.needed for row in rows if row.against], wide)
        if any(row.equivalent_ef for row in rows):
            note += f"; equals ef: the ef_search at which {reference} is as good"
        note += f"; misses removed: of those of {reference}" * wide
    if wide:
        note += "; below 0.5, 5th %: share of queries with recall below 0.5, and 5th percentile of recall"
    known = [row.against.detectable for row in rows if row.against and not math.isnan(row.against.detectable)]
    if known:
        power = "80 %" if min(row.builds for row in rows) >= _ENOUGH else "about 70 %, as builds are few"
        note += f". Smallest difference these builds show (power {power}): {100 * max(known):.2f} points or less"
    return note + ("." if wide else ". --wide shows all columns, and where the variance comes from.")


def _needed_legend(needed: Sequence[Needed], wide: bool) -> str:
    """Return the legend of the figures next to `undecided`."""
    settles = " would settle it in four studies of five"
    if wide:
        return f"; undecided: what{settles}" if any(one.builds for one in needed) else ""
    note = ""
    if any(one.builds and not one.queries for one in needed):
        note += f"; undecided (N): N builds of each order{settles}"
    if any(one.queries for one in needed):
        note += "; undecided (q): no number of builds is enough with these queries; --wide shows how many queries are"
    return note


def summary_rows(
    summaries: Sequence[Summary], shares: Sequence[Shares], scored: Sequence[Retrieval]
) -> list[dict[str, Any]]:
    """Summaries as rows of one level of names for JSON, with where the spread comes from and what retrieval scores."""
    sources = {share.setting: share.shares for share in shares}
    scores = {(row.setting, row.order): of_retrieval.score_columns(row) for row in scored}
    return [
        summary_row(row) | {"variance_shares": sources.get(row.setting)} | scores.get((row.setting, row.order), {})
        for row in summaries
    ]


def summary_row(summary: Summary) -> dict[str, Any]:
    """A Summary as one level of names, for JSON."""
    row = msgspec.structs.asdict(summary)
    setting, recall, against = row.pop("setting"), row.pop("recall"), row.pop("against")
    equivalent = row.pop("equivalent_ef") or (math.nan,) * 3
    for name in ("below_half", "percentile_5"):
        estimate = row.pop(name)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    row |= zip(("equivalent_ef", "equivalent_ef_low", "equivalent_ef_high"), map(_plain_ef, equivalent), strict=True)
    tail = {"recall": recall.value, "recall_low": recall.low, "recall_high": recall.high}
    if against is not None:
        difference = against.difference
        tail |= {
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "misses_removed": against.misses_removed.value,
            "misses_removed_low": against.misses_removed.low,
            "misses_removed_high": against.misses_removed.high,
            "p": against.p,
            "verdict": against.verdict,
            "builds_needed": against.needed.builds,
            "queries_needed": against.needed.queries,
            "detectable": against.detectable,
        }
    return {"experiment": setting.experiment, **setting.fields, **row, **tail}


def _plain_ef(ef: float) -> float | str | None:
    """An equivalent ef_search for a program: JSON has neither infinity nor NaN."""
    return ef if math.isfinite(ef) else _ef(ef) or None
