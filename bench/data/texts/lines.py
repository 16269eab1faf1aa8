"""Texts in files: lines of JSON as BEIR has them, or the rows of a CSV file."""

import codecs
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

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


class _Text(msgspec.Struct):
    text: str


_Line = TypeVar("_Line", _Document, _Query, _Text)


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


def texts(path: Path) -> Iterator[str]:
    """The `text` of every line of a JSON Lines file, or of every row of a .csv file; an empty one is a BenchError."""
    rows = _csv_texts(path) if path.suffix.lower() == ".csv" else ((n, line.text) for n, line in _lines(path, _Text))
    for number, text in rows:
        if not text.strip():
            raise BenchError(f"{path}: line {number} has an empty text: remove it")
        yield text


def existing_file(path: Path) -> Path:
    """The path of a file of a BEIR folder, or a BenchError that says what such a folder holds."""
    if not os.path.isfile(path):
        folders = sorted(folder.parent.name for folder in path.parent.glob(f"*/{CORPUS}"))
        hint = f"; it holds BEIR folders, name one of them: {', '.join(folders)}" if folders else ""
        raise no_file(path, f"a BEIR folder has {CORPUS}, {QUERIES} and qrels/SPLIT.tsv{hint}")
    return path


def _csv_texts(path: Path) -> Iterator[tuple[int, str]]:
    with existing_file(path).open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        try:
            if "text" not in (columns := list(rows.fieldnames or [])):
                raise BenchError(f"{path} has no column text; it has: {', '.join(columns) or 'none'}")
            for row in rows:
                yield rows.line_num, row["text"] or ""
        except (UnicodeDecodeError, csv.Error) as error:
            raise BenchError(f"{path} is not a CSV file in UTF-8: {error}") from None


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
                raise BenchError(f"{path}: line {number}: {str(error).replace('`', '')}") from None
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BenchError(f"{path}: line {number} is not a JSON object: {error}") from None
            if not isinstance(line, _Text):
                first = first_lines.setdefault(line.id, number)
                if first != number:
                    raise BenchError(f"{path}: line {number} has the id {line.id!r} of line {first}: remove one")
            yield number, line
    if number == 0:
        raise BenchError(f"{path} is empty")
