"""Parquet with columns of lists, as Hugging Face exports embeddings; read some rows at a time by pyarrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.formats.array import FileArray, damaged
from bench.errors import BenchError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 4096


def read_parquet(path: Path) -> dict[str, FileArray]:
    """The columns of lists of numbers by name, or a BenchError that lists the columns."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise BenchError(f"{path} needs pyarrow: pip install 'hnsw-order-bench[parquet]'") from None

    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:  # by name pyarrow opens UTF-8 alone
            schema, n = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise BenchError(f"{path} is not a whole parquet file: get or write it again") from None
    names = [field.name for field in schema if _is_vector(field.type)]
    if not names:
        raise BenchError(f"{path} has no column of lists of numbers; it has: {', '.join(schema.names)}")
    if n == 0:
        raise BenchError(f"{path} has no rows")
    return {name: _column(path, name, schema.field(name).type, n) for name in names}


def _column(path: Path, name: str, kind: "pa.DataType", n: int) -> FileArray:
    dtype = np.dtype(kind.value_type.to_pandas_dtype())
    d = next(_blocks(path, name, 1)).shape[1]
    return FileArray(path, name, (n, d), dtype, lambda: _blocks(path, name, _BATCH_ROWS))


def _is_vector(kind: Any) -> bool:
    import pyarrow.types as types

    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(lists and (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)))


def _blocks(path: Path, name: str, rows: int) -> Iterator[np.ndarray]:
    """The rows of a column, so many at a time; a BenchError names a row of another dimension, or with a null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    start, d = 0, None
    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:
            for batch in file.iter_batches(rows, columns=[name]):
                column = batch.column(0)
                if len(column):
                    block = _block(path, column, start, d)
                    start, d = start + len(block), block.shape[1]
                    yield block
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise damaged(path) from None


def _block(path: Path, column: "pa.Array", start: int, d: int | None) -> np.ndarray:
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column)
    if lengths.null_count:
        raise BenchError(f"{path} has a null in row {start + _first(lengths.is_null())}: remove it")
    counts = lengths.to_numpy(zero_copy_only=False)
    d = int(counts[0]) if d is None else d
    if d == 0:
        raise BenchError(f"{path} has an empty list in row {start}: remove it")
    other = np.flatnonzero(counts != d)
    if len(other):
        raise BenchError(
            f"{path} has dimension {counts[other[0]]} in row {start + other[0]}, {d} before: rows must be alike"
        )
    values = column.flatten()
    if values.null_count:
        raise BenchError(f"{path} has a null in row {start + _first(values.is_null()) // d}: remove it")
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(len(column), d)


def _first(true: "pa.Array") -> int:
    return int(np.flatnonzero(true.to_numpy(zero_copy_only=False))[0])
