"""Texts to datasets: their vectors as .npy files, and the TOML file that names and records them."""

import errno
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench import digests, outputs
from bench.convert import as_text, converted, read_toml
from bench.data.formats.npy import npy
from bench.data.texts import lines, lsa, vectors
from bench.data.texts.judgements import judge
from bench.data.texts.lines import CORPUS, QUERIES, Text
from bench.data.texts.models import Embedding as Embedding
from bench.data.texts.models import Encoder, load_encoder
from bench.data.texts.vectors import Part
from bench.errors import BenchError, BenchWarning, Log, no_file

ADDED = ("query_texts", "label_column")  # may be added to a TOML file that lacks them
# A model may have moved; batches and libraries change digits, not meaning.
DECISIVE = [name for name in Embedding.__struct_fields__ if name not in ("model", "batch_size", "libraries", "sha256")]

# Its own outputs are known by the digests that the TOML file records, which are checked when they are read.
RECORDED = outputs.Kind("file that `bench embed` wrote", lambda path: True)


@dataclass(frozen=True)
class _Job:
    """The texts to embed.

    toml: the dataset's TOML file.
    parts: the first is searched in.
    tables: of the TOML file, that name the vectors.
    labels: their file, and (n,) integers or strings; None if the texts have none.
    recorded: fields of the Embedding that name columns and files.
    """

    toml: Path
    parts: list[Part]
    tables: dict[str, dict[str, Any]]
    labels: tuple[Path, np.ndarray] | None = None
    recorded: dict[str, str | None] = field(default_factory=dict)

    @property
    def outputs(self) -> list[Path]:
        return [part.output for part in self.parts] + ([self.labels[0]] if self.labels else [])


class _Previous(NamedTuple):
    """The tables of an existing TOML file, and the record in it."""

    tables: dict[str, Any]
    record: Embedding


def embed(
    path: Path,
    model: str,
    *,
    queries: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    split: str | None = None,
    strict: bool = False,
    batch_size: int = 32,
    name: str | None = None,
    log: Log = lambda line: None,
) -> tuple[Path, Embedding]:
    """Embed a BEIR folder, or a JSON Lines or CSV file of texts; return the dataset's TOML file and its record.

    queries: a file of their texts, if a file is embedded; without it rows are held out when the dataset is loaded.
    text_column, label_column: of files; `text` by default, and no labels.
    split: of the judgements, `test` by default. name: of the model in file names.
    Existing vectors of the same texts and model stay as they are; raises BenchError if they are of others.
    """
    name = _checked_name(name or Path(model).expanduser().name.replace("@", "-"), model)
    if path.is_dir():
        if queries or text_column or label_column:
            raise BenchError(f"{path} is a BEIR folder: leave --queries, --text-column and --label-column out")
        job = _of_folder(path, name, split or "test", strict)
    elif split or strict or (query_prefix is not None and queries is None):
        raise BenchError(
            f"{path} is not a BEIR folder: leave --split and --strict out, and --query-prefix if there are no --queries"
        )
    else:
        job = _of_file(path, name, queries, text_column or "text", label_column)
    for file in filter(Path.exists, (job.toml, *job.outputs)):
        outputs.check(file, RECORDED, [part.file for part in job.parts])
    log(f"{model}: loading")
    first = job.parts[0]
    encoder = load_encoder(model, lambda: (t.text for t in first.texts()), query_prefix, passage_prefix, batch_size)
    of_texts = {_inside(part.file, job.toml.parent): digests.file_digest(part.file) for part in job.parts}
    requested = msgspec.structs.replace(encoder.record, sha256=of_texts, **job.recorded)
    previous = _previous(job, requested) if job.toml.exists() else None
    known = previous.record.sha256 if previous else {}
    missing = [file for file in job.outputs if not (file.exists() and _inside(file, job.toml.parent) in known)]
    if previous and not missing:
        log(f"{job.toml} exists already, from the same texts and model")
        return job.toml, previous.record
    try:
        record = _write(job, encoder, requested, previous, missing, log)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        way_out = f"{'make room' if is_full else 'allow it'}, and the same command continues from there"
        raise BenchError(f"cannot write below {job.toml.parent}: {error.strerror}; {way_out}") from None
    return job.toml, record


def verify(record: Embedding, folder: Path, where: str) -> None:
    """Raise BenchError if texts or vectors next to a TOML file are not the recorded ones."""
    for file, recorded_digest in record.sha256.items():
        if not (folder / file).is_file():
            raise BenchError(f"{where}: {folder / file} does not exist, which `bench embed` recorded: embed again")
        if digests.file_digest(folder / file) != recorded_digest:
            raise BenchError(
                f"{where}: {folder / file} is not what `bench embed` recorded: restore it, or remove it and embed again"
            )


def _checked_name(name: str, model: str) -> str:
    is_lsa = name == lsa.NAME != model
    if not name or name != as_text(name) or is_lsa or any(letter in name for letter in "/\\@*?[]{}"):
        raise BenchError(f"--name {name!r}: give a file's name, not {lsa.NAME}, without / \\ @ * ? [ ] {{ }}")
    return name


def _of_folder(folder: Path, name: str, split: str, strict: bool) -> _Job:
    """Return the _Job of a BEIR folder. name: of the model, in file names. split, strict: of the judgements."""
    corpus, queries = lines.existing_file(folder / CORPUS), lines.existing_file(folder / QUERIES)
    judgements, is_judged = judge(corpus, queries, folder / "qrels" / f"{split}.tsv", strict=strict)
    if empty := [document for document, text in lines.documents(corpus) if not text]:
        warnings.warn(
            f"{corpus}: {len(empty):,} documents have no text, such as {empty[0]!r}; those without a direction are "
            "left out of the base",
            BenchWarning,
            stacklevel=3,
        )
    table = {"folder": ".", "model": name, "split": split} | ({"strict": True} if strict else {})
    if judgements.leave_own_out:
        table["leave_own_out"] = True
    output, count = folder / "embeddings", len(judgements.doc_ids)
    of_documents, of_queries = (partial(_texts, *one) for one in ((lines.documents, corpus), (lines.queries, queries)))
    parts = [
        Part(corpus, of_documents, count, output / f"{name}.corpus.npy", may_be_empty=True),
        Part(queries, of_queries, len(is_judged), output / f"{name}.queries.npy", True, may_be_empty=True),
    ]
    return _Job(folder / f"{folder.resolve().name}-{name}.toml", parts, {"beir": table})


def _texts(read: Callable[[Path], Iterator[tuple[str, str]]], file: Path) -> Iterator[Text]:
    """Yield each Text of a file of BEIR."""
    return (Text(f"{file}: {one!r}", text) for one, text in read(file))


def _of_file(file: Path, name: str, queries: Path | None, column: str, label_column: str | None) -> _Job:
    """Return the _Job of a file of texts and their labels, and of a file of queries if rows are not held out."""
    for one in filter(None, (file, queries)):
        if not os.path.isfile(one):
            raise no_file(one, "give a JSON Lines or CSV file of texts, or, without --queries, a BEIR folder")
        if as_text(one.name) != one.name:
            raise BenchError(f"{one}: its name is not UTF-8, which the dataset's TOML file needs: rename it")
    if label_column == column:
        raise BenchError(f"--label-column {label_column} is the column of the texts: name that of their labels")
    start = file.parent / "embeddings" / f"{name}.{file.stem}"
    read = [text.label for text in lines.texts(file, column, label_column)]
    parts = {"base": Part(file, partial(lines.texts, file, column), len(read), start.with_name(f"{start.name}.npy"))}
    if queries:
        of_queries, count = partial(lines.texts, queries, column), sum(1 for _ in lines.texts(queries, column))
        parts["queries"] = Part(queries, of_queries, count, start.with_name(f"{start.name}.queries.npy"), True)
    files = {part: of.output for part, of in parts.items()}
    labels = None
    if label_column:
        array = np.array(read)  # integers if all are
        files["labels"] = start.with_name(f"{start.name}.labels.npy")
        labels = files["labels"], array if array.dtype.kind in "iu" else np.array([str(label) for label in read])
    recorded = {
        "text_column": None if column == "text" else column,
        "label_column": label_column,
        "query_texts": _inside(queries, file.parent) if queries else None,
    }
    table = {part: _inside(output, file.parent) for part, output in files.items()}
    return _Job(file.parent / f"{file.stem}-{name}.toml", [*parts.values()], {"files": table}, labels, recorded)


def _inside(file: Path, folder: Path) -> str:
    """Return the path of a file from a folder."""
    if file.is_relative_to(folder):
        return file.relative_to(folder).as_posix()
    return Path(os.path.relpath(file.parent.resolve() / file.name, folder.resolve())).as_posix()


def _previous(job: _Job, requested: Embedding) -> _Previous:
    """Read the existing TOML file; raises BenchError if it is of other texts, or of another model."""
    way_out = f"remove {job.toml} and its vectors, or give --name another"
    try:
        tables = read_toml(job.toml, dict[str, Any])
        record = converted(tables.get("embedding"), Embedding, str(job.toml))
    except BenchError:
        raise BenchError(f"{job.toml} exists and does not record how its vectors were computed: {way_out}") from None
    for name in DECISIVE:
        before, now = getattr(record, name), getattr(requested, name)
        if before != now and not (name in ADDED and None in (before, now)):
            raise BenchError(f"{job.toml} exists with another {name}, {before!r} and not {now!r}: {way_out}")
    for table, stated in job.tables.items():
        before = tables.get(table, {}) | {"leave_own_out": stated.get("leave_own_out")}  # which may be edited
        if any(before.get(key, value) != value for key, value in stated.items()):
            raise BenchError(f"{job.toml} exists with another [{table}]: {way_out}")
    for file, digest in requested.sha256.items():
        if record.sha256.get(file, digest if file == requested.query_texts else "") != digest:
            raise BenchError(f"{job.toml} exists and is of other texts in {file}: {way_out}")
    present = {file: digest for file, digest in record.sha256.items() if (job.toml.parent / file).exists()}
    verify(msgspec.structs.replace(record, sha256=present), job.toml.parent, str(job.toml))
    return _Previous(tables, record)


def _write(
    job: _Job, encoder: Encoder, requested: Embedding, previous: _Previous | None, missing: list[Path], log: Log
) -> Embedding:
    """Write the missing vectors and labels, and the TOML file; return its record."""
    import tomli_w

    folder, corpus = job.toml.parent, job.parts[0]
    interrupted = [part.output for part in job.parts if part.blocks.exists()]
    if interrupted and job.labels:
        interrupted.append(job.labels[0])
    if foreign := [file for file in missing if file.exists() and file not in interrupted]:
        raise BenchError(f"{foreign[0]} exists, and nothing records what wrote it: remove it, or give --name another")
    key = {name: getattr(requested, name) for name in (*DECISIVE, "libraries", "batch_size") if name not in ADDED}
    key["corpus"] = requested.sha256[_inside(corpus.file, folder)]  # LSA is fitted on it
    for part in job.parts:
        if part.output in missing:
            vectors.write(part, encoder, key, log)
    if job.labels and job.labels[0] in missing:
        with vectors.whole(job.labels[0]) as stream:
            stream.write(npy(job.labels[1]))
    written = {_inside(file, folder): digests.file_digest(file) for file in missing}
    of = job.toml.parent if "beir" in job.tables else corpus.file
    title = f"{corpus.count:,} texts of {as_text(of.resolve().name)}, embedded with {requested.model}"
    tables: dict[str, Any] = {"title": title, "metric": encoder.metric}
    record = requested
    if previous:  # what is not asked for now stays
        tables = previous.tables
        before = {name: getattr(requested, name) or getattr(previous.record, name) for name in ADDED}
        record = msgspec.structs.replace(requested, sha256=previous.record.sha256 | requested.sha256, **before)
    record = msgspec.structs.replace(record, sha256=record.sha256 | written)
    for table, stated in job.tables.items():
        before = tables.get(table, {})
        tables[table] = before | stated | before  # also fields that were edited by hand
    tables["embedding"] = {name: value for name, value in msgspec.to_builtins(record).items() if value is not None}
    with vectors.whole(job.toml) as stream:
        tomli_w.dump(tables, stream)
    for part in job.parts:
        shutil.rmtree(part.blocks, ignore_errors=True)
    return record
