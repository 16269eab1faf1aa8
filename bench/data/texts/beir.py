"""BEIR folders: texts, queries and relevance judgements, with vectors of the texts.

A folder holds `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`) and `qrels/SPLIT.tsv`
(`query-id`, `corpus-id`, `score`), as Thakur et al. 2021 distribute their sets. Row i of the vectors embeds line i.
"""

import codecs
import csv
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from bench import cache
from bench.data import fetch
from bench.data.dataset import Dataset, Judgements, check_vectors, checked
from bench.data.formats import read_vectors
from bench.data.texts import lsa
from bench.digests import code_digest, file_digest
from bench.errors import BenchError, BenchWarning, unknown

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"
QRELS_HEADER = ["query-id", "corpus-id", "score"]
_LISTED = 10  # unknown ids that a message shows


class Beir(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A BEIR folder and vectors of its texts.

    folder: from the folder of the TOML file; where it is not there, below BENCH_MIRROR, and every file read needs
    its checksum in `sha256`, by its path in the folder. model: what replaces {model} in `corpus` and `queries`, or
    `lsa@d`, computed from the texts; NAME@d takes the first d dimensions. strict: judgements of unknown ids are
    refused.
    """

    folder: str
    model: str
    split: str = "test"
    corpus: str = "embeddings/{model}.corpus.npy"
    queries: str = "embeddings/{model}.queries.npy"
    sha256: dict[str, str] = {}
    strict: bool = False


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an experiment may choose of a BEIR folder."""

    model: str | None = None


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


def load(name: str, metric: str, source: Beir, beside: Path, model: str | None = None) -> Dataset:
    """The Dataset of a BEIR folder: base rows are documents, queries are the judged ones, both in file order.

    Under cosine, documents that a model gives no direction are left out of the base and so never found; queries stay,
    so that all models are asked the same.

    beside: the folder of the TOML file. model: another than the source's; the dataset's name then tells it.
    """
    told = f"dataset {name!r}"
    stem, dimension = _parsed(model or source.model, told)
    path = _finder(source, beside, name)
    corpus, queries = path(CORPUS), path(QUERIES)
    judgements, judged = judge(corpus, queries, path(f"qrels/{source.split}.tsv"), strict=source.strict)
    if stem == lsa.NAME:
        assert dimension is not None
        base, every = _lsa(corpus, queries, dimension)
        files = {part: f"{stem}@{dimension} of {file}" for part, file in (("base", corpus), ("queries", queries))}
    else:
        of_corpus, of_queries = _vectors(source, beside / source.folder, stem, path, told)
        base = _first(of_corpus, dimension, corpus, len(judgements.doc_ids))
        every = _first(of_queries, dimension, queries, len(judged))
        files = {"base": str(of_corpus), "queries": str(of_queries)}
    # Before rows are left out, so that errors count rows as the files do.
    base, every = check_vectors(base, files["base"], "l2"), check_vectors(every, files["queries"], "l2")
    named = name if model is None else f"{name}(model={model})"
    if metric == "cosine" and not (there := base.any(axis=1)).all():
        gone = judgements.doc_ids[~there]
        warnings.warn(
            f"{named}: {len(gone):,} documents have no direction, such as {str(gone[0])!r}; left out, and never found",
            BenchWarning,
            stacklevel=2,
        )
        base, judgements = base[there], replace(judgements, doc_ids=judgements.doc_ids[there])
    asked = every[judged]
    if metric == "cosine" and not (there := asked.any(axis=1)).all():
        lost = judgements.query_ids[~there]
        warnings.warn(
            f"{named}: {len(lost):,} queries have no direction, such as {str(lost[0])!r}; searched with the mean of "
            "all documents in their place",
            BenchWarning,
            stacklevel=2,
        )
        asked[~there] = base.mean(axis=0, dtype=np.float64)
    return checked(named, base, asked, metric, files=files, judgements=judgements)


def judge(corpus: Path, queries: Path, qrels: Path, *, strict: bool = False) -> tuple[Judgements, np.ndarray]:
    """The judgements of a folder, and (lines of `queries`,) bool: which queries have any.

    A query without judgements cannot be scored and is left out, as trec_eval does; a warning counts them.
    Judgements of documents that are not in the corpus stay, as trec_eval counts them (relevant, never found), those
    of unknown queries cannot; a warning counts and shows both, or, where `strict`, a BenchError.
    """
    doc_ids = [document for document, _ in documents(corpus)]
    query_ids = np.array([query for query, _ in asked(queries)])
    grades = read_qrels(qrels)
    unasked = sorted(set(grades) - set(query_ids.tolist()))
    known = set(doc_ids)
    missing = [d for d in dict.fromkeys(document for row in grades.values() for document in row) if d not in known]
    unknowns = []
    for ids, what, file in ((unasked, "queries", queries), (missing, "documents", corpus)):
        if ids:
            shown = ", ".join(repr(one) for one in ids[:_LISTED]) + (", ..." if len(ids) > _LISTED else "")
            unknowns.append(f"judges {len(ids):,} {what} that {file.name} does not have: {shown}")
    if unknowns and strict:
        raise BenchError(f"{qrels} {'; '.join(unknowns)}; get the files of one release, or leave strict out")
    for found in unknowns:
        warnings.warn(f"{qrels} {found}", BenchWarning, stacklevel=2)
    judged = np.isin(query_ids, list(grades))
    if not judged.any():
        raise BenchError(f"{qrels} judges none of the queries in {queries}: name another split")
    if not judged.all():
        warnings.warn(
            f"{len(judged) - judged.sum():,} of {len(judged):,} queries have no judgements in {qrels}; left out",
            BenchWarning,
            stacklevel=2,
        )
    kept = query_ids[judged]
    return Judgements(kept, np.array(doc_ids), {query: grades[query] for query in kept.tolist()}), judged


def documents(corpus: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every document, in file order; title and text are joined as BEIR does, and may be empty."""
    for _, line in _lines(corpus, _Document):
        yield line.id, f"{line.title or ''} {line.text}".strip()


def asked(queries: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every query, in file order; a text that is empty is a BenchError."""
    for number, line in _lines(queries, _Query):
        if not line.text.strip():
            raise BenchError(f"{queries}: line {number}: query {line.id!r} has an empty text: remove it")
        yield line.id, line.text


def read_qrels(qrels: Path) -> dict[str, dict[str, int]]:
    """Grades by query id and document id, from a tab-separated file with BEIR's header."""
    if not qrels.is_file() and (splits := sorted(file.stem for file in qrels.parent.glob("*.tsv"))):
        raise BenchError(f"{qrels} is not there: {unknown('split', qrels.stem, splits)}")
    try:
        first, *rows = _opened(qrels).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise BenchError(f"{qrels} is not UTF-8 text: get or write it again") from None
    if first.split("\t") != QRELS_HEADER:
        raise BenchError(f"{qrels}: the first line is not {' '.join(QRELS_HEADER)}, with tabs between")
    grades: dict[str, dict[str, int]] = {}
    for number, row in enumerate(rows, start=2):
        if not row.strip():
            continue
        where, fields = f"{qrels}: line {number}", row.split("\t")
        if len(fields) != len(QRELS_HEADER):
            raise BenchError(f"{where} has {len(fields)} fields, not {len(QRELS_HEADER)} with tabs between")
        query, document, score = fields
        grade = _grade(score, where)
        if grades.setdefault(query, {}).setdefault(document, grade) != grade:
            raise BenchError(f"{where}: query {query!r} judges document {document!r} again, with another score")
    return grades


def _grade(score: str, where: str) -> int:
    try:
        grade = int(score)
    except ValueError:
        raise BenchError(f"{where}: score {score!r} is not a whole number") from None
    if not -(2**31) <= grade < 2**31:  # as trec_eval has them
        raise BenchError(f"{where}: score {score!r} does not fit into 32 bits: give a smaller grade")
    return grade


def texts(path: Path) -> Iterator[str]:
    """The `text` of every line of a JSON Lines file, or of every row of a .csv file; an empty one is a BenchError."""
    rows = _csv_texts(path) if path.suffix.lower() == ".csv" else ((n, line.text) for n, line in _lines(path, _Text))
    for number, text in rows:
        if not text.strip():
            raise BenchError(f"{path}: line {number} has an empty text: remove it")
        yield text


def _csv_texts(path: Path) -> Iterator[tuple[int, str]]:
    with _opened(path).open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        try:
            if "text" not in (columns := list(rows.fieldnames or [])):
                raise BenchError(f"{path} has no column text; it has: {', '.join(columns) or 'none'}")
            for row in rows:
                yield rows.line_num, row["text"] or ""
        except (UnicodeDecodeError, csv.Error) as error:
            raise BenchError(f"{path} is not a CSV file in UTF-8: {error}") from None


def _lines(path: Path, kind: type[_Line]) -> Iterator[tuple[int, _Line]]:
    """(number, content) of every line of a JSON Lines file; ids, where lines have them, are checked to be distinct."""
    decode = msgspec.json.Decoder(kind).decode
    first: dict[str, int] = {}
    number = 0
    with _opened(path).open("rb") as stream:
        for number, content in enumerate(stream, start=1):
            if not content.strip():
                raise BenchError(f"{path}: line {number} is empty: remove it")
            try:
                line = decode(content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)
            except msgspec.ValidationError as error:
                raise BenchError(f"{path}: line {number}: {str(error).replace('`', '')}") from None
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BenchError(f"{path}: line {number} is not a JSON object: {error}") from None
            if not isinstance(line, _Text) and first.setdefault(line.id, number) != number:
                raise BenchError(f"{path}: line {number} has the id {line.id!r} of line {first[line.id]}: remove one")
            yield number, line
    if number == 0:
        raise BenchError(f"{path} is empty")


def _opened(path: Path) -> Path:
    if not path.is_file():
        inside = sorted(folder.parent.name for folder in path.parent.glob(f"*/{CORPUS}"))
        hint = f"; it holds BEIR folders, name one of them: {', '.join(inside)}" if inside else ""
        raise BenchError(f"{path} is not there: a BEIR folder has {CORPUS}, {QUERIES} and qrels/SPLIT.tsv{hint}")
    return path


def _parsed(model: str, told: str) -> tuple[str, int | None]:
    """Name and number of dimensions of NAME or NAME@d."""
    stem, at, dimension = model.partition("@")
    if at and not dimension.isdecimal():
        raise BenchError(f"{told}: model {model!r}: give the number of dimensions after @, as in {stem}@128")
    if stem == lsa.NAME and not at:
        raise BenchError(f"{told}: model {model!r}: say how many dimensions, as in {stem}@384")
    return stem, int(dimension) if at else None


def _finder(source: Beir, beside: Path, name: str) -> Callable[[str], Path]:
    """What gives the path of a file of the folder, its checksum verified where the source states it."""
    told = f"dataset {name!r}"
    here = beside / source.folder
    local = here.is_dir()

    def path(file: str) -> Path:
        stated = source.sha256.get(file)
        if local:
            found = _opened(here / file)
            return _verified(found, stated, told) if stated else found
        if stated is None:
            raise BenchError(f"{told}: {here} is not there, and beir.sha256 states no checksum of {file} to get it by")
        return fetch.required_path(_published(source, file), told, name)

    return path


def published(source: Beir) -> list[fetch.Published]:
    """The files that a mirror has of the folder."""
    return [_published(source, file) for file in source.sha256]


def _published(source: Beir, file: str) -> fetch.Published:
    return fetch.Published(file=f"{source.folder}/{file}", checksum=f"sha256:{source.sha256[file]}")


def _verified(path: Path, sha256: str, told: str) -> Path:
    found = file_digest(path)
    if found != sha256:
        raise BenchError(f"{path}: SHA-256 is {found[:12]}..., {told} states {sha256[:12]}...: get the file again")
    return path


def _vectors(source: Beir, here: Path, model: str, path: Callable[[str], Path], told: str) -> tuple[Path, Path]:
    """The files of a model's vectors of the corpus and of the queries."""
    before, placed, after = source.corpus.partition("{model}")
    if not placed or "{model}" not in source.queries:
        raise BenchError(f"{told}: beir.corpus and beir.queries name a model's files by {{model}}")
    present = [file.relative_to(here).as_posix() for file in here.glob(f"{before}*{after}")]
    models = {
        file.removeprefix(before).removesuffix(after)
        for file in [*source.sha256, *present]
        if file.startswith(before) and file.endswith(after)
    }
    corpus, queries = (pattern.replace("{model}", model) for pattern in (source.corpus, source.queries))
    if model not in models:
        known = unknown("model", model, [*sorted(models), f"{lsa.NAME}@d"])
        raise BenchError(f"{told}: {known}; its vectors would be {here / corpus} and {here / queries}")
    for file, of in ((corpus, CORPUS), (queries, QUERIES)):
        if here.is_dir() and not (here / file).is_file():
            raise BenchError(f"{told}: {here / file} is not there: save the vectors of {of} by this name")
    return path(corpus), path(queries)


def _first(vectors: Path, dimension: int | None, texts: Path, lines: int) -> np.ndarray:
    """(lines, dimension) the first dimensions of the vectors of `texts`; all where dimension is None."""
    rows = read_vectors(vectors)
    if len(rows) != lines:
        raise BenchError(f"{vectors} has shape {rows.shape}, {texts} has {lines:,} lines: embed it again")
    if dimension is not None and not 0 < dimension <= rows.shape[1]:
        raise BenchError(f"{vectors} has {rows.shape[1]} dimensions: @{dimension} takes too many or none")
    return rows[:, :dimension]


def _lsa(corpus: Path, queries: Path, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of all documents and of all queries, kept in the cache."""

    def make() -> dict[str, np.ndarray]:
        of_corpus = [text for _, text in documents(corpus)]
        transform = lsa.fit(of_corpus, dimension, str(corpus))
        return {"base": transform(of_corpus), "queries": transform([text for _, text in asked(queries)])}

    key = {
        "dimension": dimension,
        "seed": lsa.SEED,
        "corpus": file_digest(corpus),
        "queries": file_digest(queries),
        "code": code_digest(Path(lsa.__file__), Path(__file__)),
        "libraries": lsa.versions(),
    }
    arrays = cache.entry(lsa.NAME, key, make).arrays
    return arrays["base"], arrays["queries"]
