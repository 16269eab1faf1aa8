"""What `bench embed` has to do: files of texts, where their vectors go, and the tables that name these."""

import os
import warnings
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.convert import as_text
from bench.data.texts import lines, own_documents
from bench.data.texts.judgements import judge
from bench.data.texts.lines import CORPUS, QUERIES
from bench.data.texts.vectors import Part
from bench.errors import BenchError, BenchWarning, no_file


@dataclass(frozen=True)
class Columns:
    """The columns of a CSV file, or the keys of JSON Lines: of the texts, and of their labels if they are read."""

    text: str = "text"
    label: str | None = None


@dataclass(frozen=True)
class Labels:
    """Labels of the texts to search in.

    file: where they go.
    values: (n,) integers or strings.
    """

    file: Path
    values: np.ndarray


@dataclass(frozen=True)
class Job:
    """What is to be embedded.

    toml: the dataset's TOML file.
    parts: files of texts, and where their vectors go; the first is searched in.
    source: the tables of the TOML file that name the vectors.
    labels: None if the file's are not read.
    columns: of files of texts.
    leave_own_out: whether queries are documents of their own corpus.
    """

    toml: Path
    parts: list[Part]
    source: dict[str, dict[str, Any]]
    labels: Labels | None = None
    columns: Columns = Columns()
    leave_own_out: bool = False

    @property
    def outputs(self) -> list[Path]:
        """The files to write beside the TOML file."""
        return [part.output for part in self.parts] + ([self.labels.file] if self.labels else [])

    @property
    def recorded(self) -> dict[str, Any]:
        """What the TOML file records of the texts beside their digests, where it is not as by default."""
        column = None if self.columns.text == Columns().text else self.columns.text
        queries = [self.inside(part.file) for part in self.parts if part.is_queries and "files" in self.source]
        query_texts = queries[0] if queries else None
        return {"text_column": column, "label_column": self.columns.label, "query_texts": query_texts}

    def inside(self, file: Path) -> str:
        """The path of a file from the TOML file's folder."""
        if file.is_relative_to(self.toml.parent):
            return file.relative_to(self.toml.parent).as_posix()
        return Path(os.path.relpath(file.parent.resolve() / file.name, self.toml.parent.resolve())).as_posix()


def of_folder(folder: Path, name: str, split: str, strict: bool) -> Job:
    """The documents and queries of a BEIR folder.

    name: of the model, in file names. split, strict: of the judgements.
    """
    corpus, queries = lines.existing_file(folder / CORPUS), lines.existing_file(folder / QUERIES)
    judgements, is_judged = judge(corpus, queries, folder / "qrels" / f"{split}.tsv", strict=strict)
    if empty := [document for document, text in lines.documents(corpus) if not text]:
        warnings.warn(
            f"{corpus}: {len(empty):,} documents have no text, such as {empty[0]!r}; "
            "what has no direction is left out of the base",
            BenchWarning,
            stacklevel=3,
        )
    source = {"folder": ".", "model": name, "split": split} | ({"strict": True} if strict else {})
    output = folder / "embeddings"
    parts = [
        Part(
            corpus,
            lambda: (text for _, text in lines.documents(corpus)),
            len(judgements.doc_ids),
            output / f"{name}.corpus.npy",
            may_be_empty=True,
        ),
        Part(
            queries,
            lambda: (text for _, text in lines.queries(queries)),
            len(is_judged),
            output / f"{name}.queries.npy",
            is_queries=True,
            may_be_empty=True,
        ),
    ]
    own = own_documents.are_in_corpus(corpus, queries, judgements)
    return Job(folder / f"{folder.resolve().name}-{name}.toml", parts, {"beir": source}, leave_own_out=own)


def of_file(file: Path, name: str, queries: Path | None, columns: Columns) -> Job:
    """The texts of a file, and those of another as queries.

    name: of the model, in file names. queries: None if rows are to be held out. Labels are those of `file`.
    """
    for one in filter(None, (file, queries)):
        if not os.path.isfile(one):
            raise no_file(one, "give a JSON Lines or CSV file of texts, or, without --queries, a BEIR folder")
        if as_text(one.name) != one.name:
            raise BenchError(f"{one}: its name is not UTF-8, which the dataset's TOML file needs: rename it")
    if columns.label == columns.text:
        raise BenchError(f"--label-column {columns.label} is the column of the texts: name that of their labels")
    output = file.parent / "embeddings"
    read = [row.label for row in lines.texts(file, columns.text, columns.label)]
    parts = [_part(file, len(read), columns.text, output / f"{name}.{file.stem}.npy")]
    if queries:
        count = sum(1 for _ in lines.texts(queries, columns.text))
        parts.append(_part(queries, count, columns.text, output / f"{name}.{file.stem}.queries.npy", is_queries=True))
    labels = Labels(output / f"{name}.{file.stem}.labels.npy", _labels(read)) if columns.label else None
    outputs = dict(zip(("base", "queries"), (part.output for part in parts), strict=False))
    outputs |= {"labels": labels.file} if labels else {}
    source = {part: path.relative_to(file.parent).as_posix() for part, path in outputs.items()}
    return Job(file.parent / f"{file.stem}-{name}.toml", parts, {"files": source}, labels, columns)


def _part(file: Path, count: int, column: str, output: Path, *, is_queries: bool = False) -> Part:
    if not count:
        raise BenchError(f"{file} has no texts below its first line: give at least one")

    def line(number: int) -> int:
        return next(islice(lines.texts(file, column), number, None)).line

    return Part(file, lambda: (row.text for row in lines.texts(file, column)), count, output, is_queries, line=line)


def _labels(read: list[str | int | None]) -> np.ndarray:
    """(n,) integers if all are, else text."""
    labels = np.array(read)
    return labels if labels.dtype.kind in "iu" else np.array([str(label) for label in read])
