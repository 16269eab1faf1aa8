"""Texts in files: JSON Lines, CSV or parquet; JSON Lines and CSV may be packed by gzip."""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from bench.data.formats import suffixes
from bench.data.formats.packed import opened
from bench.data.formats.tables import numbered_rows, read_table
from bench.errors import BenchError, no_file

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"


class _Document(msgspec.Struct):
    id: str | int = msgspec.field(name="_id")
    text: str
    title: str | None = None


class _Query(msgspec.Struct):
    id: str | int = msgspec.field(name="_id")
    text: str


class Text(NamedTuple):
    """A text of a file.

    place: the file and the line, for errors.
    label: from its label column; None if none is read.
    """

    place: str
    text: str
    label: str | int | None = None


_Kind = TypeVar("_Kind", _Document, _Query)
_Row = tuple[str, dict[str, Any]]  # its place, and its fields by column


def documents(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of each document in file order. Title and text are joined as in BEIR, and may be empty."""
    for _, document in _identified(corpus, _Document):
        yield str(document.id), f"{document.title or ''} {document.text}".strip()


def queries(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of each query in file order; raises BenchError if a text is empty."""
    for place, query in _identified(file, _Query):
        if not query.text.strip():
            raise BenchError(f"{place}: query {query.id!r} has an empty text: remove it")
        yield str(query.id), query.text


def texts(path: Path, column: str = "text", label_column: str | None = None) -> Iterator[Text]:
    """Yield each Text of a file in file order; raises BenchError if one is missing or empty.

    column, label_column: the columns of CSV, or keys of JSON Lines, of the texts and of their labels.
    """
    names = [column] if label_column is None else [column, label_column]
    for place, fields in _rows(path, names):
        for name in names:
            if name not in fields:
                known = ", ".join(map(repr, fields)) or "none"
                raise BenchError(
                    f"{place} has no {name!r}; it has: {known}; name one with --text-column or --label-column "
                    "(commas separate columns of CSV)"
                )
            kinds = (str,) if name == column else (str, int)
            if type(fields[name]) not in kinds or not str(fields[name]).strip():
                raise BenchError(f"{place} has an empty {name}, or one that is not text: remove the line, or give one")
        yield Text(place, *(fields[name] for name in names))


def existing_file(path: Path) -> Path:
    """Return the path of a file of a BEIR folder, also packed or as parquet; raises BenchError if there is none.

    For corpus.jsonl these are corpus.jsonl.gz, corpus.parquet, and the one shard in corpus/ or named corpus-...-of-...
    """
    shards = [*path.with_suffix("").glob("*.parquet"), *path.parent.glob(f"{path.stem}-*-of-*.parquet")]
    spellings = [path, path.with_name(f"{path.name}.gz"), path.with_suffix(".parquet"), *shards]
    present = [spelling for spelling in spellings if spelling.is_file()]
    if present and present[0] in shards[:1] and len(shards) > 1:
        raise BenchError(f"{path.with_suffix('')} has {len(shards)} shards: write them as one {path.stem}.parquet")
    if not present:
        folders = sorted({folder.parent.name for folder in path.parent.glob(f"*/{CORPUS}")})
        hint = f"; it holds BEIR folders, name one of them: {', '.join(folders)}" if folders else ""
        raise no_file(path, f"a BEIR folder has {CORPUS}, {QUERIES} and qrels/SPLIT.tsv{hint}")
    return present[0]


def _identified(path: Path, kind: type[_Kind]) -> Iterator[tuple[str, _Kind]]:
    """Yield the place and content of each document or query; raises BenchError if two have one id."""
    ids: set[str] = set()
    for place, fields in _rows(existing_file(path), ["_id", "id", "title", "text"]):
        fields.setdefault("_id", fields.get("id"))  # as parquet files name it
        try:
            row = msgspec.convert(fields, kind)
        except msgspec.ValidationError as error:
            raise BenchError(f"{place}: {str(error).replace('`', '')}") from None
        if str(row.id) in ids:
            raise BenchError(f"{place} repeats the id {str(row.id)!r}: remove one")
        ids.add(str(row.id))
        yield place, row


def _rows(path: Path, names: list[str]) -> Iterator[_Row]:
    """Yield each row of a file; raises BenchError if there is none. names: the columns that are needed."""
    read = {".csv": _csv_rows, ".parquet": _parquet_rows}.get(suffixes.kind(path), _json_rows)
    row = None
    for row in read(path, names):
        yield row
    if row is None:
        raise BenchError(f"{path} has no rows: give at least one text")


def _csv_rows(path: Path, names: list[str]) -> Iterator[_Row]:
    csv.field_size_limit(2**31 - 1)  # by default 131,072 characters
    with opened(path) as packed, io.TextIOWrapper(packed, encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        line = 1
        try:
            header = next(rows, [])
            if repeated := [name for name in names if header.count(name) > 1]:
                raise BenchError(f"{path} has several columns {repeated[0]}: rename all but one")
            line = rows.line_num + 1
            for cells in rows:
                if cells and len(cells) != len(header):
                    raise BenchError(
                        f"{path}: line {line} has {len(cells)} fields, the first line {len(header)}: put texts with "
                        "commas, quotes or line breaks into double quotes"
                    )
                if cells:
                    yield f"{path}: line {line}", dict(zip(header, cells, strict=True))
                line = rows.line_num + 1
        except csv.Error as error:
            raise BenchError(f"{path}: line {line} is not CSV: {error}; double the quotes inside quotes") from None
        except UnicodeDecodeError as error:
            raise BenchError(f"{path} is not UTF-8 ({error}): save it as CSV in UTF-8") from None


def _parquet_rows(path: Path, names: list[str]) -> Iterator[_Row]:
    table = read_table(path, ".parquet")
    present = [name for name in names if name in table.schema.names]
    return ((f"{path}: row {number}", row) for number, row in numbered_rows(table, present))


def _json_rows(path: Path, names: list[str]) -> Iterator[_Row]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with opened(path) as stream:
        for number, content in enumerate(stream, start=1):
            place = f"{path}: line {number}"
            try:
                yield place, decode(content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise BenchError(f"{place} is not a JSON object ({error}): remove or correct it") from None
