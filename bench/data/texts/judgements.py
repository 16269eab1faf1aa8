"""The relevance judgements of a BEIR folder: qrels/SPLIT.tsv, held against its documents and queries."""

import warnings
from pathlib import Path

import numpy as np

from bench.data.dataset import Judgements
from bench.data.texts import lines
from bench.errors import BenchError, BenchWarning, unknown

QRELS_HEADER = ["query-id", "corpus-id", "score"]
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
    """Grades by query id and document id, from a tab-separated file with BEIR's header."""
    if not qrels.is_file() and (splits := sorted(file.stem for file in qrels.parent.glob("*.tsv"))):
        raise BenchError(f"{qrels} does not exist: {unknown('split', qrels.stem, splits)}")
    try:
        first, *rows = lines.existing_file(qrels).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise BenchError(f"{qrels} is not UTF-8 text: get or write it again") from None
    if first.split("\t") != QRELS_HEADER:
        raise BenchError(f"{qrels}: the first line is not {' '.join(QRELS_HEADER)}, with tabs between")
    grades: Qrels = {}
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
