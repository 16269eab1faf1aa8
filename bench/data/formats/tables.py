"""Parquet and Arrow files (Feather 2, and Arrow streams, which Hugging Face's datasets write), read by pyarrow."""

import mmap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.data.formats.array import damaged
from bench.errors import BenchError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 4096
_ARROW_FILE = b"ARROW1"
_NAMES = {".parquet": "parquet", ".arrow": "Arrow", ".feather": "Feather (version 2)"}
SUFFIXES = tuple(_NAMES)


class Table(NamedTuple):
    """A file with columns.

    path: the file.
    schema: names and types of the columns.
    rows: how many there are.
    batches: yields these columns, with at most that number of rows at a time.
    """

    path: Path
    schema: "pa.Schema"
    rows: int
    batches: "Callable[[Sequence[str], int], Iterator[pa.RecordBatch]]"


def read_table(path: Path, suffix: str) -> Table:
    """The Table of a file, one of SUFFIXES; raises BenchError if it is damaged, or pyarrow is missing.

    Also if two columns have one name: vectors are taken by the names of columns.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise BenchError(f"{path} needs pyarrow: pip install 'hnsw-order-bench[parquet]'") from None
    try:
        table = _parquet(path) if suffix == ".parquet" else _arrow(path)
    except (pa.ArrowException, OSError, ValueError):
        raise BenchError(f"{path} is not a whole {_NAMES[suffix]} file: get or write it again") from None
    if repeated := next((name for name, times in Counter(table.schema.names).items() if times > 1), None):
        raise BenchError(f"{path} has several columns {repeated!r}: rename all but one")
    return table


def numbered_rows(table: Table, names: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number from 1, values by column) of every row, of these columns."""
    start = 1
    for batch in table.batches(names, _BATCH_ROWS):
        yield from enumerate(batch.to_pylist(), start)
        start += batch.num_rows


def _parquet(path: Path) -> Table:
    import pyarrow.parquet as pq

    def batches(names: Sequence[str], rows: int) -> "Iterator[pa.RecordBatch]":
        with _undamaged(path), path.open("rb") as stream, pq.ParquetFile(stream) as file:
            for batch in file.iter_batches(rows, columns=list(names)):
                yield batch.select(list(names))

    with path.open("rb") as stream, pq.ParquetFile(stream) as file:  # by name pyarrow opens UTF-8 alone
        return Table(path, file.schema_arrow, file.metadata.num_rows, batches)


def _arrow(path: Path) -> Table:
    def batches(names: Sequence[str], rows: int) -> "Iterator[pa.RecordBatch]":
        with _undamaged(path):
            for batch in _record_batches(path, names)[1]:
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows).select(list(names))

    schema, all_batches = _record_batches(path)
    return Table(path, schema, sum(batch.num_rows for batch in all_batches), batches)


def _record_batches(path: Path, names: Sequence[str] | None = None) -> "tuple[pa.Schema, Iterator[pa.RecordBatch]]":
    """The schema and the batches of an Arrow file or stream, mapped; with `names`, of these columns alone."""
    import pyarrow as pa

    with path.open("rb") as stream:
        content = pa.py_buffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    is_file = content[: len(_ARROW_FILE)].to_pybytes() == _ARROW_FILE
    read = pa.ipc.open_file if is_file else pa.ipc.open_stream
    schema = read(content).schema
    fields = None if names is None else [schema.get_field_index(name) for name in names]
    reader = read(content, options=pa.ipc.IpcReadOptions(included_fields=fields))
    batches = (reader.get_batch(place) for place in range(reader.num_record_batches)) if is_file else iter(reader)
    return schema, batches


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise damaged(path) from None
