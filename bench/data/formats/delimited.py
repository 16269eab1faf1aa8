"""CSV of numbers, with or without a header, and CSV with a column of lists; read by pandas some rows at a time."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench.data.formats.array import FileArray, damaged, spans, stacked
from bench.data.formats.dimensions import by_dimension
from bench.data.formats.packed import opened
from bench.errors import BenchError
from bench.labels import cut, listed


class _Layout(NamedTuple):
    """How a file is written.

    separator: between cells.
    has_header: whether its first line names the columns.
    names: of the columns, their numbers from 0 if there is no header.
    first: the cells of the first row.
    """

    separator: str
    has_header: bool
    names: list[str]
    first: list[str]


def read_delimited(path: Path) -> tuple[dict[str, FileArray], list[str]]:
    """The vectors in a file by name, and the columns that hold none; raises BenchError if it has no vectors."""
    layout = _layout(path)
    lists = [place for place, cell in enumerate(layout.first) if _is_list(cell)]
    numbers = [place for place, cell in enumerate(layout.first) if is_number(cell)]
    chosen = {layout.names[place]: [place] for place in lists}
    if not lists:
        of_numbers = by_dimension([layout.names[place] for place in numbers])
        if not of_numbers and len(layout.first) == len(numbers) == 1:
            of_numbers = {layout.names[0]: [0]}
        chosen = {name: [numbers[place] for place in places] for name, places in of_numbers.items()}
    if not chosen:
        raise BenchError(f"{path} has no columns of numbers; it has: {listed(layout.names)}")
    n = _count(path, layout)
    used = {place for places in chosen.values() for place in places}
    arrays = {name: _array(path, name, layout, places, n, bool(lists)) for name, places in chosen.items()}
    return arrays, [name for place, name in enumerate(layout.names) if place not in used]


def _layout(path: Path) -> _Layout:
    with opened(path) as stream:
        start = stream.readline().removeprefix(codecs.BOM_UTF8).strip()
    separator = next((sign for sign in ",;\t " if sign.encode() in start), ",")
    rows = list(islice(_cells(path, separator), 2))
    if not rows:
        raise BenchError(f"{path} has no rows: write it again")
    numbers = [cell for cell in rows[0] if is_number(cell)]
    # pandas names the columns of an array 0, 1, ...
    is_counting = len(numbers) > 2 and numbers == [str(place) for place in range(len(numbers))]
    if (numbers and not is_counting) or any(_is_list(cell) for cell in rows[0]):
        return _Layout(separator, False, [str(place) for place in range(len(rows[0]))], rows[0])
    if len(rows) < 2:
        raise BenchError(f"{path} has no rows: write it again")
    names = [name.strip() for name in rows[0]]
    if len(rows[1]) != len(names):
        raise BenchError(f"{path} has {len(names)} columns in line 1, {len(rows[1])} in line 2: rows must be alike")
    return _Layout(separator, True, names, rows[1])


def _cells(path: Path, separator: str) -> Iterator[list[str]]:
    """Yield the cells of each row, the header's too; raises BenchError if the file is no CSV in UTF-8."""
    csv.field_size_limit(2**31 - 1)
    try:
        with opened(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            lines = (" ".join(line.split()) for line in text) if separator == " " else text
            yield from filter(None, csv.reader(lines, delimiter=separator))
    except UnicodeDecodeError:
        raise BenchError(f"{path} is not UTF-8 text: save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise BenchError(f"{path} is not CSV: {error}") from None


def _count(path: Path, layout: _Layout) -> int:
    """How many rows a file has; what is in them is looked at only if a quoted cell may hold a line break."""
    lines, is_quoted = 0, False
    with opened(path) as stream:
        for line in stream:
            lines, is_quoted = lines + bool(line.strip()), is_quoted or b'"' in line
    if is_quoted:
        lines = sum(1 for _ in _cells(path, layout.separator))
    return lines - layout.has_header


def _is_list(cell: str) -> bool:
    return cell.lstrip().startswith("[")


def is_number(cell: str) -> bool:
    """Return whether text is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _array(path: Path, name: str, layout: _Layout, places: list[int], n: int, is_list: bool) -> FileArray:
    d = len(_parsed(layout.first[places[0]], path, 0)) if is_list else len(places)
    step = next(spans(np.broadcast_to(np.float64(0), (max(1, n), max(1, d))))).stop
    read = _list_blocks if is_list else _number_blocks

    def blocks() -> Iterator[np.ndarray]:
        rows = 0
        for block in read(path, layout, places, step, d):
            rows += len(block)
            yield block
        if rows != n:
            raise BenchError(
                f"{path} has {rows:,} rows in {n:,} lines: remove empty lines, and quote cells with breaks"
            )

    return FileArray(path, name, (n, d), np.dtype(np.float32), blocks)


def _list_blocks(path: Path, layout: _Layout, places: list[int], step: int, d: int) -> Iterator[np.ndarray]:
    start = 0
    for chunk in _chunks(path, layout, places, step, str):
        rows = [_parsed(cell, path, start + place) for place, cell in enumerate(chunk[places[0]])]
        yield stacked(rows, str(path), start, d)
        start += len(rows)


def _parsed(cell: Any, path: Path, row: int) -> list[float]:
    try:
        return msgspec.json.decode(str(cell), type=list[float])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise BenchError(f"{path} has {cut(str(cell))!r} in row {row}: write lists as JSON, as in [0.1, 0.2]") from None


def _number_blocks(path: Path, layout: _Layout, places: list[int], step: int, d: int) -> Iterator[np.ndarray]:
    try:
        for chunk in _chunks(path, layout, places, step, np.float64):
            yield chunk[places].to_numpy()
    except ValueError:
        raise _bad_cell(path, layout, places, step) from None


def _bad_cell(path: Path, layout: _Layout, places: list[int], step: int) -> BenchError:
    """The error for the first cell that is no number."""
    start = 0
    for chunk in _chunks(path, layout, places, step, str):
        cells = chunk[places].fillna("nan").to_numpy(dtype=object)
        for row, place in np.ndindex(cells.shape):
            if not is_number(cells[row, place]):
                what = f"{cut(cells[row, place])!r} in row {start + row}, column {layout.names[places[place]]!r}"
                return BenchError(f"{path} has {what}: give numbers alone")
        start += len(cells)
    return damaged(path)


def _chunks(path: Path, layout: _Layout, places: Sequence[int], rows: int, dtype: type) -> Iterator[Any]:
    """Yield frames of all columns by their places, those in `places` as `dtype`, some rows at a time."""
    import pandas as pd

    with opened(path) as stream:
        try:
            yield from pd.read_csv(
                stream,
                sep=r"\s+" if layout.separator == " " else layout.separator,
                header=None,
                index_col=False,
                skiprows=int(layout.has_header),
                dtype={place: dtype if place in places else str for place in range(len(layout.names))},
                chunksize=rows,
                encoding="utf-8-sig",
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise BenchError(f"{path} is not CSV: {str(error).strip().splitlines()[0]}") from None
