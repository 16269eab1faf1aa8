"""JSON Lines with one vector per line: a list of numbers, or an object with such lists."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.data.formats.array import FileArray, spans, stacked
from bench.data.formats.packed import opened
from bench.errors import BenchError
from bench.labels import listed

_BOM = b"\xef\xbb\xbf"


def read_json_lines(path: Path) -> tuple[dict[str, FileArray], list[str]]:
    """The lists of numbers that each line has, by their keys, and the other keys; a line that is a list has no key.

    Raises BenchError if the first line has no list of numbers.
    """
    n, first = 0, b""
    for number, line in _lines(path):
        n, first = number + 1, first or line
    try:
        start = msgspec.json.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path}: line 1 is not JSON: {error}") from None
    fields = start if isinstance(start, dict) else {"": start}
    lists = {key: value for key, value in fields.items() if _is_vector(value)}
    if not lists:
        keys = f"; it has: {listed(list(fields))}" if isinstance(start, dict) else ""
        raise BenchError(f"{path}: line 1 has no list of numbers{keys}; texts become vectors by `bench embed`")
    arrays = {key: _array(path, key, n, len(value), isinstance(start, dict)) for key, value in lists.items()}
    return arrays, [key for key in fields if key not in lists]


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(number) in (int, float) for number in value)


def _array(path: Path, key: str, n: int, d: int, is_object: bool) -> FileArray:
    kind: Any = list[float]
    if is_object:
        kind = msgspec.defstruct("_Line", [("vector", list[float], msgspec.field(name=key))])
    dtype = np.dtype(np.float32)
    return FileArray(path, key, (n, d), dtype, lambda: _blocks(path, kind, n, d))


def _blocks(path: Path, kind: Any, n: int, d: int) -> Iterator[np.ndarray]:
    decode = msgspec.json.Decoder(kind).decode
    step = next(spans(np.broadcast_to(np.float64(0), (n, d)))).stop
    rows: list[list[float]] = []
    start = 0
    for number, line in _lines(path):
        try:
            row = decode(line)
        except msgspec.ValidationError as error:
            raise BenchError(f"{path}: line {number + 1}: {str(error).replace('`', '')}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BenchError(f"{path}: line {number + 1} is not JSON: {error}") from None
        rows.append(row if isinstance(row, list) else row.vector)
        if len(rows) == step:
            yield stacked(rows, str(path), start, d)
            rows, start = [], number + 1
    if rows:
        yield stacked(rows, str(path), start, d)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number from 0, content) of every line; raises BenchError if one is empty."""
    with opened(path) as stream:
        for number, line in enumerate(stream):
            content = line.removeprefix(_BOM) if number == 0 else line
            if not content.strip():
                raise BenchError(f"{path}: line {number + 1} is empty: remove it")
            yield number, content
