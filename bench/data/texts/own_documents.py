"""Queries that are documents of their own corpus, as those of ArguAna and Quora are."""

from pathlib import Path

from bench.data.dataset import Judgements
from bench.data.texts import lines

_MOST = 0.9  # of a query's words, in the document that has its id


def are_in_corpus(corpus: Path, queries: Path, judgements: Judgements) -> bool:
    """Return whether most queries that share their id with a document are that document, by their words.

    Ids alone do not say so: many sets number queries and documents both from 1.
    """
    shared = set(judgements.query_ids.tolist()) & set(judgements.doc_ids.tolist())
    if not shared:
        return False
    words = {query: _words(text) for query, text in lines.queries(queries) if query in shared}
    same = sum(
        len(words[document] & _words(text)) >= _MOST * len(words[document])
        for document, text in lines.documents(corpus)
        if document in shared
    )
    return 2 * same > len(shared)


def _words(text: str) -> set[str]:
    return set(text.casefold().split())
