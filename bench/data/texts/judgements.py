"""The relevance judgements of a BEIR folder: qrels/SPLIT.tsv, held against its documents and queries."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.data.dataset import Judgements
from bench.data.formats.delimited import is_number
from bench.data.formats.packed import opened
from bench.data.formats.tables import numbered_rows, read_table
from bench.data.texts import lines
from bench.errors import BenchError, BenchWarning, unknown

QRELS_HEADER = ["query-id", "corpus-id", "score"]
_PLACES = {3: (0, 1, 2), 4: (0, 2, 3)}  # of query, document and score, by how many fields lines have: BEIR's, TREC's
_LISTED = 10  # unknown ids that a message shows

Qrels = dict[str, dict[str, int]]


def judge(corpus: Path, queries: Path, qrels: Path, *, strict: bool = False) -> tuple[Judgements, np.ndarray]:
    """The judgements of a folder, and (lines of `queries`,) bool: which queries have any.

    A query without judgements cannot be scored and is left out, as trec_eval does; a warning counts them.
    Judgements of documents that are not in the corpus stay, as trec_eval counts them (relevant, never returned), those
    of unknown queries cannot; a warning counts and shows both, or, if `strict`, a BenchError.
    """
    doc_ids = [document for document, _ in lines.documents(corpus)]
    query_ids = np.array([query for query, _ in lines.queries(queries)])
    grades = read_qrels(qrels)
    unknowns = _unknown_ids(grades, doc_ids, corpus, query_ids, queries)
    if unknowns and strict:
        raise BenchError(f"{qrels} {'; '.join(unknowns)}; get the files of one release, or leave strict out")
    for line in unknowns:
        warnings.warn(f"{qrels} {line}", BenchWarning, stacklevel=2)
    is_judged = np.isin(query_ids, list(grades))
    if not is_judged.any():
        raise BenchError(f"{qrels} judges none of the queries in {queries}: name another split")
    if not is_judged.all():
        warnings.warn(
            f"{(~is_judged).sum():,} of {len(is_judged):,} queries have no judgements in {qrels}; left out",
            BenchWarning,
            stacklevel=2,
        )
    judged_ids = query_ids[is_judged]
    return Judgements(judged_ids, np.array(doc_ids), {query: grades[query] for query in judged_ids.tolist()}), is_judged


def _unknown_ids(grades: Qrels, doc_ids: list[str], corpus: Path, query_ids: np.ndarray, queries: Path) -> list[str]:
    """What to say of the queries and documents that are judged and in neither file."""
    known = set(doc_ids)
    judged_docs = dict.fromkeys(document for row in grades.values() for document in row)
    unknown_queries = sorted(set(grades) - set(query_ids.tolist()))
    unknown_docs = [document for document in judged_docs if document not in known]
    statements = []
    for ids, what, file in ((unknown_queries, "queries", queries), (unknown_docs, "documents", corpus)):
        if ids:
            examples = ", ".join(repr(one) for one in ids[:_LISTED]) + (", ..." if len(ids) > _LISTED else "")
            statements.append(f"judges {len(ids):,} {what} that {file.name} does not have: {examples}")
    return statements


def read_qrels(qrels: Path) -> Qrels:
    """Grades by query id and document id, from a file with tabs, of TREC, or of parquet.

    Text has a line per judgement: query, document, grade with or without BEIR's header, or TREC's query, iteration,
    document, grade.
    """
    path = _existing_qrels(qrels)
    grades: Qrels = {}
    for where, query, document, score in _parquet_rows(path) if path.suffix == ".parquet" else _text_rows(path):
        grade = _grade(score, where)
        if grades.setdefault(query, {}).setdefault(document, grade) != grade:
            raise BenchError(f"{where}: query {query!r} judges document {document!r} again, with another score")
    return grades


def _existing_qrels(qrels: Path) -> Path:
    for suffix in ("", ".gz"):
        for ending in (".txt", ".trec", ".qrels"):
            other = qrels.with_suffix(f"{ending}{suffix}")
            if not qrels.is_file() and other.is_file():
                return other
    try:
        return lines.existing_file(qrels)
    except BenchError:
        if splits := sorted(file.stem for file in qrels.parent.glob("*.tsv")):
            raise BenchError(f"{qrels} does not exist: {unknown('split', qrels.stem, splits)}") from None
        raise


def _text_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """(place, query, document, score) of every line."""
    try:
        with opened(path) as stream:
            rows = stream.read().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise BenchError(f"{path} is not UTF-8 text: get or write it again") from None
    separator = "\t" if "\t" in rows[0] else None
    first = rows[0].split(separator)
    is_header = first == QRELS_HEADER
    if len(first) not in _PLACES or not (is_header or is_number(first[-1])):
        raise BenchError(f"{path}: the first line is no judgement, and not {' '.join(QRELS_HEADER)} with tabs between")
    for number, row in enumerate(rows, start=1):
        if not row.strip() or (number == 1 and is_header):
            continue
        where, fields = f"{path}: line {number}", row.split(separator)
        if len(fields) != len(first):
            raise BenchError(f"{where} has {len(fields)} fields, the first line {len(first)}: separate them alike")
        query, document, score = (fields[place] for place in _PLACES[len(first)])
        yield where, query, document, score


def _parquet_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """As `_text_rows`, of a table."""
    table = read_table(path, ".parquet")
    if missing := [name for name in QRELS_HEADER if name not in table.schema.names]:
        raise BenchError(f"{path} has no column {' or '.join(missing)}; it has: {', '.join(table.schema.names)}")
    for number, row in numbered_rows(table, QRELS_HEADER):
        query, document, score = (str(row[name]) for name in QRELS_HEADER)
        yield f"{path}: row {number}", query, document, score


def _grade(score: str, where: str) -> int:
    if not is_number(score) or not float(score).is_integer():
        raise BenchError(f"{where}: score {score!r} is not a whole number")
    grade = int(float(score))
    if not -(2**31) <= grade < 2**31:  # as trec_eval has them
        raise BenchError(f"{where}: score {score!r} does not fit into 32 bits: give a smaller grade")
    return grade
