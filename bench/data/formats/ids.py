"""Files of row numbers, as an order of insertion is: .npy, .txt with one a line, .parquet with one column."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.data.arrays import refuse_masked
from bench.data.formats.npy import npy, open_npy
from bench.data.formats.suffixes import kind_by_content
from bench.errors import BenchError, no_file, unknown
from bench.outputs import Kind, is_stream

_COLUMN = "row"  # of parquet, as written; any name is read


def read_ids(path: Path) -> np.ndarray:
    """(m,) int64 row numbers, or a BenchError that names the file and its first bad line."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise BenchError(f"{path}: {unknown('suffix', suffix, FORMATS)}")
    if not path.is_file():
        raise no_file(path, f"give the path of a file of row numbers ({', '.join(FORMATS)})")
    try:
        ids = FORMATS[suffix][0](path)
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}; allow it, or name another file") from None
    return row_numbers(ids, str(path))


def row_numbers(ids: np.ndarray, where: str) -> np.ndarray:
    """(m,) int64 row numbers, also of what is one column, or a BenchError that names `where`."""
    refuse_masked(ids, where)
    if ids.ndim == 2 and ids.shape[1] == 1:
        ids = ids[:, 0]
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise BenchError(f"{where} has shape {ids.shape} and type {ids.dtype}: row numbers are one row of integers")
    return np.ascontiguousarray(ids, dtype=np.int64)


def written(ids: np.ndarray, path: Path) -> bytes:
    """The content of a file of row numbers (m,), in the format of its suffix."""
    return FORMATS[_suffix(path)][1](ids)


def check_suffix(path: Path) -> None:
    """Raise BenchError if a file of this suffix cannot be written."""
    suffix = _suffix(path)
    if suffix not in FORMATS:
        raise BenchError(f"{path}: {unknown('suffix', suffix, FORMATS)}")
    if suffix == ".parquet":
        _pyarrow(path)


def _suffix(path: Path) -> str:
    """The suffix that a file is written by; a pipe or a device without one gets lines of text."""
    suffix = path.suffix.lower()
    return ".txt" if suffix not in FORMATS and is_stream(path) else suffix


def _are_row_numbers(path: Path) -> bool:
    """Return whether a file, whatever its name, holds whole numbers in one dimension, each once and none below 0."""
    suffix = kind_by_content(path) or ".txt"
    if suffix not in FORMATS:
        return False
    try:
        ids = FORMATS[suffix][0](path)
    except BenchError:
        return False
    if suffix == ".txt" and len(ids) != len(path.read_text("utf-8-sig").splitlines()):
        return False
    are_whole = ids.ndim == 1 and ids.dtype.kind in "iu"
    return are_whole and ids.min(initial=0) >= 0 and len(np.unique(ids)) == len(ids)


ROW_NUMBERS = Kind("file of row numbers", _are_row_numbers)


def _read_txt(path: Path) -> np.ndarray:
    try:
        lines = path.read_text(encoding="utf-8-sig").split()
    except UnicodeDecodeError:
        raise BenchError(f"{path} is not UTF-8 text: write one row number a line") from None
    for number, line in enumerate(lines, 1):
        if not line.isdecimal() or len(line) > 18:
            raise BenchError(f"{path} has {line[:40]!r} as its number {number}: write one row number a line")
    return np.array(lines, dtype=np.int64)


def _write_txt(ids: np.ndarray) -> bytes:
    return "".join(f"{row}\n" for row in ids.tolist()).encode()


def _read_parquet(path: Path) -> np.ndarray:
    _pyarrow(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream:
            table = pq.read_table(stream)
    except (pa.ArrowException, OSError):
        raise BenchError(f"{path} is not a whole parquet file: get or write it again") from None
    if table.num_columns != 1:
        raise BenchError(f"{path} has the columns {', '.join(table.column_names)}: row numbers are one column")
    column = table.column(0)
    if column.null_count:
        raise BenchError(f"{path} has {column.null_count} nulls: give a row number in every line")
    return np.asarray(column.to_numpy())


def _write_parquet(ids: np.ndarray) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({_COLUMN: ids}), buffer)
    return buffer.getvalue()


def _pyarrow(path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise BenchError(f"{path} needs pyarrow: pip install 'hnsw-order-bench[parquet]'") from None


FORMATS: dict[str, tuple[Callable[[Path], np.ndarray], Callable[[np.ndarray], bytes]]] = {
    ".npy": (open_npy, npy),
    ".txt": (_read_txt, _write_txt),
    ".parquet": (_read_parquet, _write_parquet),
}
