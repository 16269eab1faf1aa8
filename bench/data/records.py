"""Vectors in a .npy file that a JSON Lines file describes row by row."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from bench.data.formats import read_vectors
from bench.errors import BenchError, unknown


class Records(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Two files, by their paths below BENCH_MIRROR, and which of their rows are what; both in file order.

    vectors: the .npy file.
    records: the JSON Lines file, a line a row.
    split_field: the field by which queries differ from the base.
    query_splits: its values in queries; all other records are the base.
    max_queries: so many queries at most, the first ones.
    sha256: of the files, by their paths.
    label_field: what a row's label is; None for no labels.
    labels: of the records to take, of queries too unless `query_labels` is given; None for all.
    query_labels: of the queries to take.
    """

    vectors: str
    records: str
    split_field: str
    query_splits: list[str]
    max_queries: int
    sha256: dict[str, str]
    label_field: str | None = None
    labels: list[str] | None = None
    query_labels: list[str] | None = None


def read(vectors: Path, records: Path, source: Records) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Base (n, d), queries (q, d) and, where the source has a label field, the base's labels (n,)."""
    array, rows = read_vectors(vectors), list(_rows(records, source))
    if len(rows) != len(array):
        raise BenchError(f"{records} has {len(rows)} lines, {vectors} has {len(array)} rows: they must match")
    split, label = (np.array(column, dtype=str) for column in zip(*rows, strict=True))
    is_query = np.isin(split, source.query_splits)
    base = ~is_query & _has(label, source.labels, records)
    queries = is_query & _has(label, source.query_labels or source.labels, records)
    return array[base], array[queries][: source.max_queries], label[base] if source.label_field else None


def _rows(records: Path, source: Records) -> Iterator[tuple[str, str]]:
    """Split and label of every record."""
    fields = [field for field in (source.split_field, source.label_field) if field]
    with records.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                row = json.loads(line)
                yield row[source.split_field], row[source.label_field] if source.label_field else ""
            except (json.JSONDecodeError, KeyError, TypeError):
                raise BenchError(
                    f"{records}: line {number} is not a JSON object with {' and '.join(fields)}: get the file again"
                ) from None


def _has(label: np.ndarray, names: list[str] | None, records: Path) -> np.ndarray:
    """(rows,) bool: whose label is one of `names`; all where that is None."""
    if names is None:
        return np.ones(len(label), dtype=bool)
    for name in names:
        if name not in label:
            raise unknown(f"label in {records}", name, np.unique(label))
    return np.isin(label, names)
