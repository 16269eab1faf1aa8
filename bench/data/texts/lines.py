"""Texts in files: lines of JSON or rows of parquet as BEIR has them, lines of JSON under other keys, or rows of CSV.

Any text may be packed by gzip.
"""

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
    for _, line in _identified(corpus, _Document):
        yield str(line.id), f"{line.title or ''} {line.text}".strip()


def queries(file: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every query, in file order; a text that is empty is a BenchError."""
    for number, line in _identified(file, _Query):
        if not line.text.strip():
            raise BenchError(f"{file}: line {number}: query {line.id!r} has an empty text: remove it")
        yield str(line.id), line.text


def texts(path: Path, column: str = "text", label_column: str | None = None) -> Iterator[Text]:
    """Every row of a .csv file, or every line of a JSON Lines file, in file order; what has no text is a BenchError.

    column, label_column: the columns, or keys, of the texts and of their labels.
    """
    read = _csv_rows if suffixes.kind(path) == ".csv" else _json_texts
    for row in read(path, column, label_column):
        if not row.text.strip():
            raise BenchError(f"{path}: line {row.line} has an empty {column}: remove it")
        if row.label == "":
            raise BenchError(f"{path}: line {row.line} has an empty {label_column}: give every text a label")
        yield row


def existing_file(path: Path) -> Path:
    """The path of a file of a BEIR folder, also packed or as parquet; raises BenchError if there is none.

    Of corpus.jsonl these are corpus.jsonl.gz, corpus.parquet, and the one shard in corpus/ or named corpus-...-of-...
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


def _csv_rows(path: Path, column: str, label_column: str | None) -> Iterator[Text]:
    csv.field_size_limit(_LONGEST)
    with opened(existing_file(path)) as packed, io.TextIOWrapper(packed, encoding="utf-8-sig", newline="") as stream:
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


def _identified(path: Path, kind: type[_Line]) -> Iterator[tuple[int, _Line]]:
    """(number, content) of every document or query of a file; raises BenchError if one has the id of another."""
    path = existing_file(path)
    what, read = ("row", _parquet_rows) if path.suffix == ".parquet" else ("line", _lines)
    first_lines: dict[str, int] = {}
    for number, line in read(path, kind):
        assert isinstance(line, _Document | _Query)
        first = first_lines.setdefault(str(line.id), number)
        if first != number:
            raise BenchError(f"{path}: {what} {number} has the id {str(line.id)!r} of {what} {first}: remove one")
        yield number, line


def _parquet_rows(path: Path, kind: type[_Line]) -> Iterator[tuple[int, _Line]]:
    """As `_lines`, of the rows of a parquet file, whose column of ids may be called `id` too."""
    table = read_table(path, ".parquet")
    ids = "_id" if "_id" in table.schema.names else "id"
    names = [name for name in (ids, "title", "text") if name in table.schema.names]
    number = 0
    for number, row in numbered_rows(table, names):
        try:
            yield number, msgspec.convert({"_id" if name == ids else name: row[name] for name in names}, kind)
        except msgspec.ValidationError as error:
            raise BenchError(f"{path}: row {number}: {str(error).replace('`', '')}") from None
    if number == 0:
        raise BenchError(f"{path} has no rows")


def _lines(path: Path, kind: type[_Line]) -> Iterator[tuple[int, _Line]]:
    """(number, content) of every line of a JSON Lines file."""
    decode = msgspec.json.Decoder(kind).decode
    number = 0
    with opened(existing_file(path)) as stream:
        for number, content in enumerate(stream, start=1):
            if not content.strip():
                raise BenchError(f"{path}: line {number} is empty: remove it")
            try:
                line = decode(content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)
            except msgspec.ValidationError as error:
                raise BenchError(f"{path}: line {number}: {_reason(error, content)}") from None
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BenchError(f"{path}: line {number} is not a JSON object: {error}") from None
            yield number, line
    if number == 0:
        raise BenchError(f"{path} is empty")


def _reason(error: msgspec.ValidationError, content: bytes) -> str:
    """What is wrong with a line of JSON; of an object that lacks a key, with those that it has."""
    reason = str(error).replace("`", "")
    if "missing required field" not in reason:
        return reason
    return f"{reason}; it has: {', '.join(msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))) or 'none'}"
