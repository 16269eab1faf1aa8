"""Outcomes as tidy files."""

import io
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

from bench import outputs
from bench.errors import BenchError, unknown
from bench.measure.retrieval import CUTOFFS
from bench.study.outcome import Outcome
from bench.study.trial import DIGESTS, FIELDS, flat_fields

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "parquet", "markdown")
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".md": "markdown"}
TIDY = (
    "experiment",
    *(name for name in FIELDS if name not in DIGESTS),
    "recall",
    "recall_tie",
    *CUTOFFS,
    *(f"{measure}_exact" for measure in CUTOFFS),
    "order_seconds",
    "build_seconds",
    "search_seconds",
    "peak_bytes",
    *DIGESTS,
    "ids_sha256",
    "commit",
)

_MARKS = {"experiment", "order_seed", "build_seed", "ids_sha256"}  # columns that only an export has together
_LATEX = re.compile(rb"\\begin\{table\}\n\\centering\n\\caption\{.*?\border\s*&\s*builds\s*&\s*recall\s*&", re.DOTALL)


def is_export(path: Path) -> bool:
    """Return whether a file is an export in any of our formats, LaTeX included."""
    first = outputs.head(path, 4000)
    if first.startswith(b"PAR1"):
        return _MARKS.issubset(_parquet_columns(path))
    line = first.partition(b"\n")[0]
    columns = re.split(r"\s*\|\s*" if line.startswith(b"|") else ",", line.decode().strip())
    return _MARKS.issubset(columns) or bool(_LATEX.match(first))


def _parquet_columns(path: Path) -> list[str]:
    try:
        import pyarrow.parquet as pq

        return list(pq.read_schema(path).names)
    except ImportError:
        return []


EXPORT = outputs.Kind("export of this harness", is_export)


def tidy(outcomes: Iterable[tuple[str, Outcome]]) -> "pd.DataFrame":
    """One row an outcome, with the columns TIDY."""
    import pandas as pd

    rows = []
    for experiment, outcome in outcomes:
        row = {
            "experiment": experiment,
            **flat_fields(outcome.trial),
            "recall": outcome.recall,
            "recall_tie": outcome.recall_tie,
            **{measure: _judged_mean(outcome.retrieval, measure) for measure in CUTOFFS},
            **{f"{measure}_exact": _judged_mean(outcome.retrieval_exact, measure) for measure in CUTOFFS},
            "order_seconds": outcome.build.order_seconds,
            "build_seconds": outcome.build.build_seconds,
            "search_seconds": outcome.search_seconds,
            "peak_bytes": float(outcome.build.facts.get("peak_bytes", math.nan)),
            "ids_sha256": outcome.ids_sha256,
            "commit": outcome.build.environment["commit"],
        }
        rows.append([row[column] for column in TIDY])
    return pd.DataFrame(rows, columns=list(TIDY))


def _judged_mean(scores: Mapping[str, np.ndarray], measure: str) -> float:
    """The mean of a measure over the queries that are judged; NaN without any."""
    values = scores.get(measure, np.array([]))
    judged = values[~np.isnan(values)]
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
    text = tabulate(frame.to_numpy().tolist(), list(frame), tablefmt="pipe", disable_numparse=True)
    return f"{text}\n".encode()
