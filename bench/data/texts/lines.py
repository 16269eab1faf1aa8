"""Texts in files: lines of JSON as BEIR has them or under keys of one's own, or the rows of a CSV file."""

import codecs
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from bench.errors import BenchError, no_file

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"


class _Document(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    text: str
    title: str | None = None


class _Query(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    text: str


class Text(NamedTuple):
    """A text of a file.

    line: where it begins, from 1.
    label: what its label column has, None where none is read.
    """

    line: int
    text: str
    label: str | int | None


_Line = TypeVar("_Line")
_LONGEST = 2**31 - 1  # characters of a field of CSV, which csv would limit to 131,072


def documents(corpus: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every document, in file order; title and text are joined as BEIR does, and may be empty."""
    for _, line in _lines(corpus, _Document):
        yield line.id, f"{line.title or ''} {line.text}".strip()


def queries(file: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every query, in file order; a text that is empty is a BenchError."""
    for number, line in _lines(file, _Query):
        if not line.text.strip():
            raise BenchError(f"{file}: line {number}: query {line.id!r} has an empty text: remove it")
        yield line.id, line.text


def texts(path: Path, column: str = "text", label_column: str | None = None) -> Iterator[Text]:
    """Every row of a .csv file, or every line of a JSON Lines file, in file order; what has no text is a BenchError.

    column, label_column: the columns, or keys, of the texts and of their labels.
    """
    read = _csv_rows if path.suffix.lower() == ".csv" else _json_texts
    for row in read(path, column, label_column):
        if not row.text.strip():
            raise BenchError(f"{path}: line {row.line} has an empty {column}: remove it")
        if row.label == "":
            raise BenchError(f"{path}: line {row.line} has an empty {label_column}: give every text a label")
        yield row


def existing_file(path: Path) -> Path:
    """The path of a file of a BEIR folder, or a BenchError that says what such a folder holds."""
    if not os.path.isfile(path):
        folders = sorted(folder.parent.name for folder in path.parent.glob(f"*/{CORPUS}"))
        hint = f"; it holds BEIR folders, name one of them: {', '.join(folders)}" if folders else ""
        raise no_file(path, f"a BEIR folder has {CORPUS}, {QUERIES} and qrels/SPLIT.tsv{hint}")
    return path


def _csv_rows(path: Path, column: str, label_column: str | None) -> Iterator[Text]:
    csv.field_size_limit(_LONGEST)
    with existing_file(path).open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        line = 1
        try:
            header = next(rows, [])
            places = [_place(path, header, name) for name in (column, label_column) if name is not None]
            line = rows.line_num + 1
            for cells in rows:
                if cells and len(cells) != len(header):
                    raise BenchError(
                        f"{path}: line {line} has {len(cells)} fields, the first line {len(header)}: put texts with "
                        "commas, quotes or line breaks into double quotes"
                    )
                if cells:
                    yield Text(line, *[cells[place] for place in places], *[None] * (label_column is None))
                line = rows.line_num + 1
        except csv.Error as error:
            raise BenchError(f"{path}: line {line} is not CSV: {error}; double the quotes inside quotes") from None
        except UnicodeDecodeError as error:
            raise BenchError(f"{path} is not UTF-8 ({error}): save it as CSV in UTF-8") from None


def _place(path: Path, header: list[str], name: str) -> int:
    """The place of a column that is there once."""
    if name not in header:
        columns = ", ".join(map(repr, header)) or "none"
        raise BenchError(
            f"{path} has no column {name!r}; it has: {columns}; name one with --text-column or --label-column (commas "
            "part columns)"
        )
    if header.count(name) > 1:
        raise BenchError(f"{path} has {header.count(name)} columns {name}: rename all but one")
    return header.index(name)


def _json_texts(path: Path, column: str, label_column: str | None) -> Iterator[Text]:
    fields: list[Any] = [("text", str, msgspec.field(name=column))]
    if label_column is not None:
        fields.append(("label", str | int, msgspec.field(name=label_column)))
    kind: type[Any] = msgspec.defstruct("_Text", fields)
    for number, line in _lines(path, kind):
        yield Text(number, line.text, getattr(line, "label", None))


def _lines(path: Path, kind: type[_Line]) -> Iterator[tuple[int, _Line]]:
    """(number, content) of every line of a JSON Lines file; ids, if lines have them, are checked to be distinct."""
    decode = msgspec.json.Decoder(kind).decode
    first_lines: dict[str, int] = {}
    number = 0
    with existing_file(path).open("rb") as stream:
        for number, content in enumerate(stream, start=1):
            if not content.strip():
                raise BenchError(f"{path}: line {number} is empty: remove it")
            try:
                line = decode(content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)
            except msgspec.ValidationError as error:
                raise BenchError(f"{path}: line {number}: {_reason(error, content)}") from None
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BenchError(f"{path}: line {number} is not a JSON object: {error}") from None
            if isinstance(line, _Document | _Query):
                first = first_lines.setdefault(line.id, number)
                if first != number:
                    raise BenchError(f"{path}: line {number} has the id {line.id!r} of line {first}: remove one")
            yield number, line
    if number == 0:
        raise BenchError(f"{path} is empty")


def _reason(error: msgspec.ValidationError, content: bytes) -> str:
    """What is wrong with a line of JSON; of an object that lacks a key, with those that it has."""
    reason = str(error).replace("`", "")
    if "missing required field" not in reason:
        return reason
    return f"{reason}; it has: {', '.join(msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))) or 'none'}"
