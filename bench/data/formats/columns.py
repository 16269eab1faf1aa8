"""Vectors in the columns of tables: lists, fixed-size lists, structs, or one column per dimension."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.data.formats.array import FileArray
from bench.data.formats.dimensions import by_dimension
from bench.data.formats.tables import Table, read_table
from bench.errors import BenchError
from bench.labels import listed

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 4096


class _Column(NamedTuple):
    """Where vectors are in a table.

    columns: the names of the columns that hold them.
    field: of a struct, the one that is a list; None if the column is the list, or there is one number per column.
    is_list: whether they are lists.
    dtype: of their numbers.
    """

    columns: list[str]
    field: str | None
    is_list: bool
    dtype: np.dtype[Any]


def read_columns(path: Path, suffix: str) -> tuple[dict[str, FileArray], list[str]]:
    """The vectors in a table by name, and the columns that hold none; raises BenchError if it has no vectors."""
    return of_tables(path, [read_table(path, suffix)])


def of_tables(path: Path, tables: Sequence[Table]) -> tuple[dict[str, FileArray], list[str]]:
    """As `read_columns`, of tables that are one, the first table's rows first. path: what an error calls them."""
    first, n = tables[0], sum(table.rows for table in tables)
    found = _columns(first.schema)
    if not found:
        names = listed(first.schema.names) or "none"
        raise BenchError(f"{path} has no column of lists of numbers, and no column per dimension; it has: {names}")
    if n == 0:
        raise BenchError(f"{path} has no rows")
    used = {name for column in found.values() for name in column.columns}
    for table in tables[1:]:
        for name in used:
            if name not in table.schema.names or table.schema.field(name).type != first.schema.field(name).type:
                raise BenchError(
                    f"{table.path} has no column {name!r} of the type that {first.path} has: write it again"
                )
    arrays = {name: _array(path, name, tables, column, n) for name, column in found.items()}
    return arrays, [name for name in first.schema.names if name not in used]


def _array(path: Path, name: str, tables: Sequence[Table], column: _Column, n: int) -> FileArray:
    d = next(_blocks(tables, column, 1)).shape[1]
    files = tuple(table.path for table in tables)
    return FileArray(path, name, (n, d), column.dtype, lambda: _blocks(tables, column, _BATCH_ROWS), files=files)


def _columns(schema: "pa.Schema") -> dict[str, _Column]:
    """Where vectors are, by name: in lists and structs; if there are none, in columns of numbers."""
    import pyarrow.types as types

    found, numbers = {}, []
    for field in schema:
        kind = _storage(field.type)
        if _is_list(kind):
            found[field.name] = _Column([field.name], None, True, _dtype(kind.value_type))
        elif types.is_struct(kind):
            found |= _struct(field.name, kind)
        elif _is_number(kind):
            numbers.append(field)
    if not found:
        floats = [field for field in numbers if types.is_floating(field.type)]
        places = by_dimension([field.name for field in numbers])
        if floats and "columns" in places:  # whole numbers next to them are ids and counts
            numbers, places = floats, by_dimension([field.name for field in floats])
        for name, chosen in places.items():
            fields = [numbers[place] for place in chosen]
            dtype = np.result_type(*(_dtype(field.type) for field in fields))
            found[name] = _Column([field.name for field in fields], None, False, dtype)
    return found


def _struct(name: str, kind: "pa.StructType") -> dict[str, _Column]:
    """Vectors in a struct: a number per field, or lists in some of its fields."""
    fields = [kind.field(place) for place in range(kind.num_fields)]
    if fields and all(_is_number(field.type) for field in fields):
        return {name: _Column([name], None, False, np.result_type(*(_dtype(field.type) for field in fields)))}
    return {
        f"{name}.{field.name}": _Column([name], field.name, True, _dtype(field.type.value_type))
        for field in fields
        if _is_list(field.type)
    }


def _storage(kind: "pa.DataType") -> Any:
    """The type that a file has for a column: lists, for a tensor or another extension."""
    return getattr(kind, "storage_type", kind)


def _is_number(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_floating(kind) or types.is_integer(kind))


def _is_list(kind: Any) -> bool:
    import pyarrow.types as types

    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(lists and _is_number(kind.value_type))


def _dtype(kind: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    return dtype


def _blocks(tables: Sequence[Table], column: _Column, rows: int) -> Iterator[np.ndarray]:
    """Yield the rows of a column, some at a time; raises BenchError if one has a null or another dimension."""
    d: int | None = None
    for table in tables:
        start = 0
        for batch in table.batches(column.columns, rows):
            if batch.num_rows:
                block = (
                    _list_block(table.path, _lists(batch, column), start, d)
                    if column.is_list
                    else _flat_block(table.path, batch, column, start)
                )
                start, d = start + len(block), block.shape[1]
                yield block


def _lists(batch: "pa.RecordBatch", column: _Column) -> "pa.Array":
    import pyarrow.compute as pc

    lists = batch.column(0)
    lists = getattr(lists, "storage", lists)
    return pc.struct_field(lists, column.field) if column.field else lists


def _list_block(path: Path, column: "pa.Array", start: int, d: int | None) -> np.ndarray:
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column)
    _check_nulls(path, lengths, start)
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
    _check_nulls(path, values, start, d)
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(len(column), d)


def _flat_block(path: Path, batch: "pa.RecordBatch", column: _Column, start: int) -> np.ndarray:
    """Rows of a number per column, or per field of the one column."""
    import pyarrow.compute as pc

    columns = batch.columns
    if len(columns) == 1:
        columns = [pc.struct_field(columns[0], [place]) for place in range(columns[0].type.num_fields)]
    for values in columns:
        _check_nulls(path, values, start)
    return np.stack([values.to_numpy(zero_copy_only=False) for values in columns], axis=1).astype(column.dtype)


def _check_nulls(path: Path, values: "pa.Array", start: int, d: int = 1) -> None:
    if values.null_count:
        first = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        raise BenchError(f"{path} has a null in row {start + first // d}: remove it")
