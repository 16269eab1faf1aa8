"""The relevance judgements of a BEIR folder: qrels/SPLIT.tsv, compared with its documents and queries."""

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
from bench.labels import listed

QRELS_HEADER = ["query-id", "corpus-id", "score"]
_PLACES = {3: (0, 1, 2), 4: (0, 2, 3)}  # of query, document and score, by the number of fields: BEIR's, TREC's
_OWN = 0.9  # of a query's words, if the document with its id is the query itself

Qrels = dict[str, dict[str, int]]


def judge(corpus: Path, queries: Path, qrels: Path, *, strict: bool = False) -> tuple[Judgements, np.ndarray]:
    """Return the judgements of a folder, and (lines of `queries`,) bool: which queries have any.

    A query without judgements cannot be scored and is left out, as trec_eval does; a warning counts them.
    Judgements of documents that are not in the corpus stay, as in trec_eval (relevant, never returned); those of
    unknown queries are left out. A warning counts both; if `strict`, raises BenchError.
    Each query leaves out the document with its id if most of these documents are the queries themselves, by their
    words, as in ArguAna and Quora. Ids alone do not show this: many sets number queries and documents both from 1.
    """
    grades = read_qrels(qrels)
    all_queries = dict(lines.queries(queries))
    doc_ids, own = [], []
    for document, text in lines.documents(corpus):
        doc_ids.append(document)
        if document in grades and document in all_queries:
            words = _words(all_queries[document])
            own.append(len(words & _words(text)) >= _OWN * len(words))
    _report_unknown(grades, doc_ids, [*all_queries], qrels, strict)
    query_ids = np.array([*all_queries])
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
    of_judged = {query: grades[query] for query in judged_ids.tolist()}
    return Judgements(judged_ids, np.array(doc_ids), of_judged, leave_own_out=2 * sum(own) > len(own)), is_judged


def _words(text: str) -> set[str]:
    return set(text.casefold().split())


def _report_unknown(grades: Qrels, doc_ids: list[str], query_ids: list[str], qrels: Path, strict: bool) -> None:
    """Warn of queries and documents that are judged and in neither file; if `strict`, raise BenchError."""
    judged = dict.fromkeys(document for row in grades.values() for document in row)
    unknowns = {"queries": set(grades) - set(query_ids), "documents": set(judged) - set(doc_ids)}
    said = [f"judges {len(ids):,} unknown {what}: {listed(sorted(ids))}" for what, ids in unknowns.items() if ids]
    if said and strict:
        raise BenchError(f"{qrels} {'; '.join(said)}; get the files of one release, or leave --strict out")
    for line in said:
        warnings.warn(f"{qrels} {line}", BenchWarning, stacklevel=3)


def read_qrels(qrels: Path) -> Qrels:
    """Return grades by query id and document id, from text or parquet.

    Text has one judgement per line: query, document, grade, with or without BEIR's header, or as in TREC query,
    iteration, document, grade.
    """
    path = _existing_qrels(qrels)
    grades: Qrels = {}
    for where, query, document, score in _parquet_rows(path) if path.suffix == ".parquet" else _text_rows(path):
        grade = _grade(score, where)
        if grades.setdefault(query, {}).setdefault(document, grade) != grade:
            raise BenchError(f"{where}: query {query!r} judges document {document!r} again, with another score")
    return grades


def _existing_qrels(qrels: Path) -> Path:
    others = [qrels.with_suffix(ending + packed) for packed in ("", ".gz") for ending in (".txt", ".trec", ".qrels")]
    if other := next((other for other in others if other.is_file() and not qrels.is_file()), None):
        return other
    try:
        return lines.existing_file(qrels)
    except BenchError:
        if splits := sorted(file.stem for file in qrels.parent.glob("*.tsv")):
            raise BenchError(f"{qrels} does not exist: {unknown('split', qrels.stem, splits)}") from None
        raise


def _text_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield (place, query, document, score) of each line."""
    try:
        with opened(path) as stream:
            rows = stream.read().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise BenchError(f"{path} is not UTF-8 text: get or write it again") from None
    separator = "\t" if "\t" in rows[0] else None
    first = rows[0].split(separator)
    is_header = first == QRELS_HEADER
    if len(first) not in _PLACES or not (is_header or is_number(first[-1])):
        raise BenchError(f"{path}: line 1 is neither a judgement nor {' '.join(QRELS_HEADER)} with tabs between")
    for number, row in enumerate(rows, start=1):
        if not row.strip() or (number == 1 and is_header):
            continue
        where, fields = f"{path}: line {number}", row.split(separator)
        if len(fields) != len(first):
            raise BenchError(f"{where} has {len(fields)} fields, the first line {len(first)}: separate them alike")
        query, document, score = (fields[place] for place in _PLACES[len(first)])
        yield where, query, document, score


def _parquet_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """As `_text_rows`, from a table."""
    table = read_table(path, ".parquet")
    if missing := [name for name in QRELS_HEADER if name not in table.schema.names]:
        raise BenchError(f"{path} has no column {' or '.join(missing)}; it has: {', '.join(table.schema.names)}")
    for number, row in numbered_rows(table, QRELS_HEADER):
        query, document, score = (str(row[name]) for name in QRELS_HEADER)
        yield f"{path}: row {number}", query, document, score


def _grade(score: str, where: str) -> int:
    """Return a grade; raises BenchError if it is no whole number of 32 bits, as in trec_eval."""
    if not is_number(score) or not float(score).is_integer() or not -(2**31) <= float(score) < 2**31:
        raise BenchError(f"{where}: score {score!r} is not a whole number of 32 bits")
    return int(float(score))
