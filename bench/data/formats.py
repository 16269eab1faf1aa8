"""Files of vectors and labels, read without ever unpickling."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.errors import BenchError, BenchWarning, unknown


def read_npy(path: Path) -> np.ndarray:
    """The array in a .npy file, memory-mapped and read-only."""
    if not path.is_file():
        raise BenchError(f"{path} is not there: give the path of a .npy file written with numpy.save")
    with path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise BenchError(f"{path} is not a .npy file: write it with numpy.save")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if "Python objects" in str(error):
            raise BenchError(
                f"{path} holds Python objects, which are never unpickled: "
                "save an array of numbers (or of fixed-width strings, for labels)"
            ) from None
        raise BenchError(f"{path} is truncated or damaged: write it again with numpy.save") from None
    return np.asarray(array)


def read_vectors(path: Path) -> np.ndarray:
    """(n, d) vectors of a .npy file. A type other than float32 is told in a warning: it will be converted."""
    vectors = read_npy(path)
    if vectors.dtype.kind in "fiu" and vectors.dtype != np.float32:
        warnings.warn(f"{path} holds {vectors.dtype}; converted to float32", BenchWarning, stacklevel=2)
    return vectors


def read_records(
    vectors: Path,
    records: Path,
    split_field: str,
    query_splits: Sequence[str],
    max_queries: int,
    label_field: str | None = None,
    labels: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Base, queries and labels from vectors that a JSON Lines file describes row by row.

    Records whose `split_field` is one of `query_splits` are queries (the first `max_queries` of them),
    all others are the base; both in file order. Labels are the base's `label_field`. With `labels`, only records of
    these are taken, queries too.
    """
    array = read_npy(vectors)
    rows = []
    with records.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                row = json.loads(line)
                rows.append((row[split_field], row[label_field] if label_field else ""))
            except (json.JSONDecodeError, KeyError, TypeError):
                raise BenchError(
                    f"{records}: line {number} is not a JSON object with "
                    f"{' and '.join(filter(None, [split_field, label_field]))}: get the file again"
                ) from None
    if len(rows) != len(array):
        raise BenchError(f"{records} has {len(rows)} lines, {vectors} has {len(array)} rows: they must match")
    is_query = np.isin([split for split, _ in rows], list(query_splits))
    label = np.array([label for _, label in rows])
    taken = np.ones(len(rows), dtype=bool)
    if labels is not None:
        for wanted in labels:
            if wanted not in label:
                raise unknown(f"label in {records}", wanted, np.unique(label))
        taken = np.isin(label, list(labels))
    base = taken & ~is_query
    return array[base], array[taken & is_query][:max_queries], label[base] if label_field else None
