"""Vectors in a .npy file that a JSON Lines file describes row by row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from bench import cache, digests
from bench.data.formats import read_vectors
from bench.data.formats.array import from_memory
from bench.data.parts import Parts
from bench.errors import BenchError, unknown


class Records(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Two files, by their paths below BENCH_MIRROR, and which of their rows are what; both in file order.

    vectors: the .npy file.
    records: the JSON Lines file, one line per row.
    split_field: the field by which queries differ from the base.
    query_splits: its values in queries.
    base_splits: its values in the base; None for every value that is not in queries.
    max_queries: the most queries to keep, the first ones.
    sha256: of the files, by their paths.
    label_field: what a row's label is; None for no labels.
    labels: of the records to take, of queries too unless `query_labels` is given; None for all.
    query_labels: of the queries to take.
    query_group_field: what a query's group is, where queries are not independent; None for no groups.
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
    query_group_field: str | None = None
    base_splits: list[str] | None = None


class Contents(NamedTuple):
    """The data that records give.

    base: (n, d).
    queries: (q, d).
    labels: (n,) of the base, None without a label field.
    query_groups: (q,) labels, None without a field for them.
    """

    base: np.ndarray
    queries: np.ndarray
    labels: np.ndarray | None
    query_groups: np.ndarray | None


def load(path: Path, metric: str, source: Records, vectors: Path, records: Path) -> Parts:
    """Return the Parts of two files, which the TOML file at `path` describes; made once and kept in the cache."""

    def make() -> dict[str, np.ndarray]:
        contents = read(vectors, records, source)._asdict()
        return {part: array for part, array in contents.items() if array is not None}

    made_by = {"records": msgspec.to_builtins(source), "code": digests.code_digest(Path(__file__))}
    arrays = cache.entry("datasets", made_by, make).arrays
    fields = {"query_groups": "records.query_group_field"}
    places = {part: from_memory(f"{path}: {fields.get(part, part)}", array) for part, array in arrays.items()}
    return Parts.of(places, metric, path.stem)


def read(vectors: Path, records: Path, source: Records) -> Contents:
    """Return the Contents of two files. Raises BenchError if they do not match or lack a field the source names."""
    array, rows = read_vectors(vectors), list(_rows(records, source))
    if len(rows) != len(array):
        raise BenchError(f"{records} has {len(rows)} lines, {vectors} has {len(array)} rows: they must match")
    split, label, group = (np.array(column, dtype=str) for column in zip(*rows, strict=True))
    is_query = np.isin(split, source.query_splits)
    is_base = ~is_query if source.base_splits is None else np.isin(split, source.base_splits)
    base = is_base & _has(label, source.labels, records)
    queries = is_query & _has(label, source.query_labels or source.labels, records)
    places = np.flatnonzero(queries)[: source.max_queries]
    return Contents(
        array[base],
        array[places],
        label[base] if source.label_field else None,
        group[places] if source.query_group_field else None,
    )


def _rows(records: Path, source: Records) -> Iterator[tuple[str, ...]]:
    """Split, label and query group of every record, '' if the source has no field for one."""
    columns = (source.split_field, source.label_field, source.query_group_field)
    fields = list(dict.fromkeys(field for field in columns if field))
    with records.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                row = json.loads(line)
                yield tuple(row[field] if field else "" for field in columns)
            except (json.JSONDecodeError, KeyError, TypeError):
                raise BenchError(
                    f"{records}: line {number} is not a JSON object with {' and '.join(fields)}: get the file again"
                ) from None


def _has(label: np.ndarray, names: list[str] | None, records: Path) -> np.ndarray:
    """Return (rows,) bool, true if the row's label is one of `names`; all true if `names` is None."""
    if names is None:
        return np.ones(len(label), dtype=bool)
    for name in names:
        if name not in label:
            raise unknown(f"label in {records}", name, np.unique(label))
    return np.isin(label, names)
