"""Results as text tables and as tidy files."""

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from tabulate import tabulate

from bench.analysis.plan import Plan
from bench.analysis.stats import Estimate
from bench.analysis.summary import SETTING, UNDECIDED, Shares, Summary
from bench.errors import BenchError, unknown
from bench.measure.retrieval import CUTOFFS
from bench.study.store import Outcome

if TYPE_CHECKING:
    import pandas as pd

TIES_MATTER = 0.005  # half a point, by which orders could be told apart wrongly
FORMATS = ("csv", "parquet", "markdown", "latex")
TIDY = (
    "experiment",
    "dataset",
    "engine",
    "engine_version",
    "order",
    "order_params",
    "M",
    "ef_construction",
    "ef_search",
    "k",
    "metric",
    "chunk",
    "threads",
    "order_seed",
    "build_seed",
    "n",
    "d",
    "queries",
    "recall",
    "recall_tie",
    *CUTOFFS,
    *(f"{measure}_exact" for measure in CUTOFFS),
    "build_seconds",
    "search_seconds",
    "fingerprint",
    "judgements",
    "ids_sha256",
    "commit",
)


def summary_text(
    summaries: Sequence[Summary], shares: Sequence[Shares], reference: str = "random", ties: bool = False
) -> str:
    """Summaries as Markdown tables, one an experiment, with where the spread comes from below each.

    What is the same all through is said above the table; a row is an order, best first in its setting.
    """
    return "\n\n".join(
        _experiment_text(
            experiment, list(rows), [share for share in shares if share.experiment == experiment], reference, ties
        )
        for experiment, rows in groupby(summaries, key=lambda summary: summary.experiment)
    )


def _experiment_text(
    experiment: str, rows: Sequence[Summary], shares: Sequence[Shares], reference: str, ties: bool
) -> str:
    common, varying = split_settings([row.setting for row in rows])
    compared = any(row.against is not None for row in rows)
    header = [*varying, "order", "builds", "recall", "sd"]
    header += [f"vs {reference}, points", "p", "verdict", "equals ef"] * compared
    header += ["below 0.5", "5th %", "build s"]
    lines = []
    for row, setting in zip(rows, told_once([row.setting for row in rows], varying), strict=True):
        line = [*setting, row.order, row.builds, interval(row.recall), number(row.sd, "{:.4f}")]
        line += _comparison(row) if compared else []
        lines.append([*line, f"{100 * row.below_half:.1f} %", f"{row.percentile_5:.2f}", f"{row.build_seconds:.2f}"])
    title = ", ".join(f"{field} {value}" for field, value in common.items())
    parts = [f"{experiment}: {title}", pipe(lines, header, len(varying) + 1), _note(rows, compared, reference, ties)]
    if shares:
        names = list(dict.fromkeys(name for share in shares for name in share.shares))
        percents = [
            [
                *(share.setting[field] for field in varying),
                *(f"{100 * share.shares.get(name, 0):.1f}" for name in names),
            ]
            for share in shares
        ]
        parts += [
            "Where the variance of a query's recall comes from, %:",
            pipe(percents, [*varying, *names], len(varying)),
        ]
    return "\n\n".join(parts)


def _comparison(row: Summary) -> list[str]:
    """The cells that compare an order with the reference; empty for the reference itself."""
    if row.against is None:
        return ["", "", "", ""]
    found = row.against
    verdict = found.verdict
    if verdict == UNDECIDED:
        verdict += f": {found.builds_needed} builds" if found.builds_needed else ": more builds or queries"
    p = "" if math.isnan(found.p) else "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
    return [points(found.difference), p, verdict, _equal_ef(row)]


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


def told_once(settings: Sequence[dict[str, Any]], varying: Sequence[str]) -> Iterator[list[Any]]:
    """The cells of every row for the fields that vary, empty where the row above has the same."""
    before: list[Any] = []
    for setting in settings:
        values = [setting[field] for field in varying]
        yield ["" if values == before else value for value in values]
        before = values


def ties_note(gained: float) -> str:
    """What to say where counting ties would add so much to recall that it may decide between orders."""
    return (
        f"\n\nTIES DECIDE: counting rows as near as the k-th adds up to {100 * gained:.1f} points. Which of equal rows"
        " exact search names goes by file order, so recall by id flatters `given`: compare with `bench table --ties`."
    )


def plan_text(name: str, plan: Plan) -> str:
    """A plan for people."""
    lines = [
        [
            line.dataset,
            line.engine,
            line.M,
            line.ef_construction,
            line.ef_search,
            line.k,
            line.builds,
            f"{line.seconds_a_build:.2f}",
            "" if line.detectable is None else f"{100 * line.detectable:.2f}",
        ]
        for line in plan.lines
    ]
    header = [
        "dataset",
        "engine",
        "M",
        "ef_construction",
        "ef_search",
        "k",
        "builds",
        "s a build",
        "detectable, points",
    ]
    minutes = f"{plan.seconds / 60:.1f} minutes" if plan.seconds >= 90 else f"{plan.seconds:.0f} seconds"
    return (
        f"{name}: {plan.outcomes} outcomes, {plan.missing} missing: {plan.builds} builds, about {minutes}\n\n"
        f"{pipe(lines, header, 2)}\n\n"
        "detectable: the smallest difference between two orders that this number of builds finds with power 80 % among"
        " as many orders, by a probe of a few thousand rows. Time is of builds and searches; neighbours, dimension"
        " and orders, where they are not in the cache yet, come on top."
    )


def flat(summary: Summary) -> dict[str, Any]:
    """A Summary as one level of names, for JSON."""
    row = msgspec.structs.asdict(summary)
    setting, recall, against = row.pop("setting"), row.pop("recall"), row.pop("against")
    del row["origin"]
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
    return {"experiment": row.pop("experiment"), **setting, **row, **tail}


def _plain_ef(ef: float) -> float | str | None:
    """An equivalent ef_search for a program: JSON has neither infinity nor NaN."""
    return ef if math.isfinite(ef) else _ef(ef) or None


def interval(estimate: Estimate) -> str:
    """A mean with its interval, where there is one."""
    if math.isnan(estimate.se):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def points(difference: Estimate) -> str:
    """A difference in points, with its interval, where there is one."""
    between = number(difference.low, " [{:+.2f}, ", 100) + number(difference.high, "{:+.2f}]", 100)
    return f"{100 * difference.value:+.2f}{between}"


def number(value: float, form: str, factor: float = 1) -> str:
    """A number in a form, or nothing where there is none."""
    return "" if math.isnan(value) else form.format(factor * value)


def pipe(lines: Sequence[Sequence[Any]], header: Sequence[str], left: int) -> str:
    """A Markdown table, its first `left` columns to the left."""
    alignment = ["left"] * left + ["right"] * (len(header) - left)
    return str(tabulate(lines, header, tablefmt="pipe", disable_numparse=True, colalign=alignment))


def tidy(outcomes: Iterable[tuple[str, Outcome]]) -> "pd.DataFrame":
    """One row an outcome, with the columns TIDY."""
    import pandas as pd

    rows = []
    for experiment, outcome in outcomes:
        row = {
            "experiment": experiment,
            **msgspec.structs.asdict(outcome.trial),
            "recall": outcome.recall,
            "recall_tie": outcome.recall_tie,
            **{measure: _judged_mean(outcome.retrieval, measure) for measure in CUTOFFS},
            **{f"{measure}_exact": _judged_mean(outcome.retrieval_exact, measure) for measure in CUTOFFS},
            "build_seconds": outcome.build_seconds,
            "search_seconds": outcome.search_seconds,
            "ids_sha256": outcome.ids_sha256,
            "commit": outcome.environment["commit"],
        }
        rows.append([row[column] for column in TIDY])
    return pd.DataFrame(rows, columns=list(TIDY))


def _judged_mean(scores: Mapping[str, np.ndarray], measure: str) -> float:
    """The mean of a measure over the queries that are judged; NaN where there is none."""
    found = scores.get(measure, np.array([]))
    judged = found[~np.isnan(found)]
    return float(judged.mean(dtype=np.float64)) if judged.size else math.nan


def exported(frame: "pd.DataFrame", kind: str) -> bytes:
    """A tidy frame as the content of a file of one of FORMATS."""
    if kind not in FORMATS:
        raise unknown("format", kind, FORMATS)
    if kind == "csv":
        return str(frame.to_csv(index=False)).encode()
    if kind == "parquet":
        buffer = io.BytesIO()
        try:
            frame.to_parquet(buffer, index=False)
        except ImportError:
            raise BenchError("parquet needs pyarrow: pip install 'hnsw-order-bench[parquet]'") from None
        return buffer.getvalue()
    style = {"markdown": "pipe", "latex": "latex_booktabs"}[kind]
    text = tabulate(frame.to_numpy().tolist(), list(frame), tablefmt=style, disable_numparse=True)
    return f"{text}\n".encode()


def split_settings(settings: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """What is the same in all settings with its value, and the names of the rest."""
    first = settings[0]
    common = {field: first[field] for field in SETTING if all(setting[field] == first[field] for setting in settings)}
    varying = [field for field in SETTING if field not in common]
    # What follows from another column is not worth one of its own.
    follows = {"dataset": ("n", "d", "queries", "metric"), "engine": ("engine_version",)}
    implied = {
        field
        for cause, fields in follows.items()
        for field in fields
        if cause in varying and _determines(settings, cause, field)
    }
    return common, [field for field in varying if field not in implied]


def _determines(settings: Sequence[dict[str, Any]], cause: str, field: str) -> bool:
    pairs = {(setting[cause], setting[field]) for setting in settings}
    return len(pairs) == len({known for known, _ in pairs})
