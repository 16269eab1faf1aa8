"""Results as text tables and as tidy files."""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import msgspec
import pandas as pd
from tabulate import tabulate

from bench.analysis.stats import SETTING, Summary
from bench.errors import BenchError, unknown
from bench.study.store import Outcome

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
    "build_seconds",
    "search_seconds",
    "fingerprint",
    "ids_sha256",
    "commit",
)


def summary_text(summaries: Sequence[Summary], reference: str = "random") -> str:
    """Summaries as Markdown tables, one an experiment: what is the same all through is said above it.

    A row is an order, best first at the smallest ef_search; every ef_search has columns of its own.
    """
    return "\n\n".join(
        _experiment_text(experiment, list(rows), reference)
        for experiment, rows in groupby(summaries, key=lambda summary: summary.experiment)
    )


def _experiment_text(experiment: str, rows: Sequence[Summary], reference: str) -> str:
    common, varying = _split_settings(rows)
    varying = [field for field in varying if field != "ef_search"]
    efs = sorted({row.setting["ef_search"] for row in rows})
    compared = any(row.order != reference and not math.isnan(row.difference) for row in rows)
    header = [*varying, "order", "builds"]
    for ef in efs:
        header += [f"recall, ef {ef}", *([f"vs {reference}"] * compared)]
    lines = []
    shown_before: list[Any] = []
    for setting, of_setting in _grouped(rows, lambda row: [row.setting[field] for field in varying]):
        for order, of_order in _grouped(of_setting, lambda row: row.order):
            line = ["" if setting == shown_before else value for value in setting]
            shown_before = setting
            line += [order, of_order[0].builds]
            by_ef = {row.setting["ef_search"]: row for row in of_order}
            for ef in efs:
                cells = _cells(by_ef[ef], reference) if ef in by_ef else ["", ""]
                line += cells[: 1 + compared]
            lines.append([*line, f"{of_order[0].build_seconds:.2f}"])
    alignment = ["left"] * (len(varying) + 1) + ["right"] * (len(header) - len(varying))
    table = tabulate(lines, [*header, "build s"], tablefmt="pipe", disable_numparse=True, colalign=alignment)
    title = ", ".join(f"{field} {value}" for field, value in common.items() if field != "ef_search")
    k = common.get("k", "k")
    note = f"recall@{k} by id: mean over builds ± standard deviation over builds"
    note += f"; vs {reference}: difference of the means, percentage points." if compared else "."
    ties = max(row.recall_tie - row.recall for row in rows)
    if ties >= 0.00005:
        note += f" Counting ties would add up to {100 * ties:.2f} points (recall_tie in --json and export)."
    return f"{experiment}: {title}\n\n{table}\n\n{note}"


def _cells(row: Summary, reference: str) -> list[str]:
    """Recall with its spread, and the difference to the reference."""
    spread = "" if row.builds < 2 else f" ± {row.sd:.4f}"
    compared = row.order != reference and not math.isnan(row.difference)
    return [f"{row.recall:.4f}{spread}", f"{100 * row.difference:+.2f}" if compared else ""]


def _grouped(rows: Sequence[Summary], key: Callable[[Summary], Any]) -> list[tuple[Any, list[Summary]]]:
    """Rows by key, groups and rows in the sequence met, adjacent or not."""
    groups: list[tuple[Any, list[Summary]]] = []
    for row in rows:
        for known, members in groups:
            if known == key(row):
                members.append(row)
                break
        else:
            groups.append((key(row), [row]))
    return groups


def tidy(outcomes: Iterable[tuple[str, Outcome]]) -> pd.DataFrame:
    """One row an outcome, with the columns TIDY."""
    rows = []
    for experiment, outcome in outcomes:
        row = {
            "experiment": experiment,
            **msgspec.structs.asdict(outcome.trial),
            "recall": outcome.recall,
            "recall_tie": outcome.recall_tie,
            "build_seconds": outcome.build_seconds,
            "search_seconds": outcome.search_seconds,
            "ids_sha256": outcome.ids_sha256,
            "commit": outcome.environment["commit"],
        }
        rows.append([row[column] for column in TIDY])
    return pd.DataFrame(rows, columns=list(TIDY))


def exported(frame: pd.DataFrame, kind: str) -> bytes:
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


def _split_settings(rows: Sequence[Summary]) -> tuple[dict[str, Any], list[str]]:
    """Of the settings, those that are the same in all rows with their value, and the names of the rest."""
    common = {
        field: rows[0].setting[field]
        for field in SETTING
        if all(row.setting[field] == rows[0].setting[field] for row in rows)
    }
    varying = [field for field in SETTING if field not in common]
    # What follows from another column is not worth one of its own.
    follows = {"dataset": ("n", "d", "queries", "metric"), "engine": ("engine_version",)}
    return common, [
        field
        for field in varying
        if not any(
            cause in varying and field in implied and _determines(rows, cause, field)
            for cause, implied in follows.items()
        )
    ]


def _determines(rows: Sequence[Summary], cause: str, field: str) -> bool:
    pairs = {(row.setting[cause], row.setting[field]) for row in rows}
    return len(pairs) == len({known for known, _ in pairs})
