"""nDCG, reciprocal rank and recall against relevance judgements, as trec_eval counts them (by ir-measures).

These are figures of a ranking of documents, not of an index: exact search has them too, and that is what an
index's are compared with. R@100 is the share of a query's relevant documents among the first 100; recall@k of
the exact neighbours is `recall`'s.
"""

import numpy as np

from bench.data.dataset import Judgements

CUTOFFS = {"nDCG@10": 10, "RR@10": 10, "R@100": 100}  # by ir-measures' names; the mean of RR@10 is known as MRR@10


def scores(ids: np.ndarray, judgements: Judgements | None) -> dict[str, np.ndarray]:
    """Return every measure of CUTOFFS that k reaches, per query: (q,) float32, NaN if a query is not judged.

    ids: (q, k) base ids, nearest first, -1 for no result; an id returned twice counts once, at its first
    place. nDCG's gain is the grade itself, as in trec_eval; others raise 2 to the grade under the same name. Grades
    above 0 are relevant. Documents that were judged but are not in the base stay in the denominators: they count
    as not found. A query that is judged and returns nothing scores 0. Without judgements, nothing is scored.

    If own documents are left out, ids has one column more, as `depth` says: without a query's own, k are left.
    """
    if judgements is None:
        return {}
    if len(ids) != len(judgements.query_ids):
        raise ValueError(f"ids of {len(ids)} queries, judgements of {len(judgements.query_ids)}")
    if judgements.leave_own_out:
        ids = _without_own(ids, judgements.own_rows)
    import ir_measures

    qrels = judged(judgements)
    measures = {name: ir_measures.parse_measure(name) for name, cutoff in CUTOFFS.items() if cutoff <= ids.shape[1]}
    by_measure = {name: np.full(len(ids), np.nan, dtype=np.float32) for name in measures}
    if not qrels or not measures:
        return by_measure
    query_ids = judgements.query_ids.tolist()
    run = {query: _ranked(row, judgements.doc_ids) for query, row in zip(query_ids, ids, strict=True) if query in qrels}
    place = {query: i for i, query in enumerate(query_ids)}
    for metric in ir_measures.iter_calc(list(measures.values()), qrels, run):
        by_measure[str(metric.measure)][place[metric.query_id]] = metric.value
    return by_measure


def depth(k: int, judgements: Judgements | None) -> int:
    """Return how many rows to search for, so that k can be scored."""
    return k + (judgements is not None and judgements.leave_own_out)


def _without_own(ids: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(q, k) the ids (q, k + 1) without each query's own row (q,), -1 if it has none; the last goes if it is not there.

    BEIR drops it from its results too (`ignore_identical_ids`), and keeps its judgement.
    """
    is_own = (ids == own[:, None]) & (ids >= 0)
    own_last = np.argsort(is_own, axis=1, kind="stable")
    return np.take_along_axis(np.where(is_own, -1, ids), own_last, axis=1)[:, :-1]


def judged(judgements: Judgements) -> dict[str, dict[str, int]]:
    """The judgements of the dataset's own queries, those without any left out."""
    return {
        query: dict(judgements.qrels[query]) for query in judgements.query_ids.tolist() if judgements.qrels.get(query)
    }


def out_of_reach(judgements: Judgements) -> float:
    """The share of relevant documents, over all judged queries, that are not in the base."""
    relevant = [document for grades in judged(judgements).values() for document, grade in grades.items() if grade > 0]
    known = set(judgements.doc_ids.tolist())
    return sum(document not in known for document in relevant) / max(1, len(relevant))


def _ranked(ids: np.ndarray, doc_ids: np.ndarray) -> dict[str, float]:
    """Documents with scores that fall by rank: trec_eval sorts by score, and would order equal ones by their ids."""
    places = dict.fromkeys(ids[ids >= 0].tolist())
    return {doc: float(-rank) for rank, doc in enumerate(doc_ids[list(places)].tolist())}
