"""Queries that are documents of their own corpus, as in ArguAna and Quora: retrieval leaves the document out."""

import dataclasses

import numpy as np
import pytest
from support.datasets import checked

from bench.analysis.retrieval import retrieval
from bench.data.dataset import Judgements, limit
from bench.features.rankings.ranking import rankings
from bench.features.rankings.rankings_text import rankings_text
from bench.measure import retrieval as measure
from bench.present.retrieval import retrieval_text
from bench.present.text import Layout
from bench.study.run import run
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

RNG = np.random.default_rng(0)
PAIRS = 60


def arguments(leave_own_out, name="arguments", noise=0.05):
    """Documents in pairs; every query is a document, and its twin, the second nearest, is what it looks for."""
    centres = np.repeat(RNG.standard_normal((PAIRS, 16)), 2, axis=0)
    base = (centres + noise * RNG.standard_normal(centres.shape)).astype(np.float32)
    ids = np.array([f"pair{i // 2}{'ab'[i % 2]}" for i in range(2 * PAIRS)])
    qrels = {str(ids[i]): {str(ids[i + 1]): 1} for i in range(0, 2 * PAIRS, 2)}
    judgements = Judgements(ids[::2], ids, qrels, leave_own_out)
    return checked(name, base, base[::2].copy(), "cosine", judgements=judgements)


def outcomes(tmp_path, *datasets, k=10, ef_search=10):
    index = [{"engine": name, "M": 16, "ef_construction": 64} for name in ("hnswlib", "faiss")]
    experiment = Experiment(
        datasets=[dataset.name for dataset in datasets],
        orders=["random", "given"],
        index=index,
        k=k,
        ef_search=ef_search,
        build_seeds=1,
        reference="",
    )
    store = Store.create(tmp_path / "s.sqlite")
    list(run(Study("e", experiment, datasets), store))
    return list(store.outcomes("e"))


def test_the_document_of_a_query_is_left_out_and_ten_others_score(tmp_path):
    for pair in outcomes(tmp_path, arguments(True)):
        outcome = pair[1]
        assert outcome.retrieval_exact["nDCG@10"].tolist() == [1] * PAIRS
        assert outcome.retrieval["nDCG@10"].mean() > 0.97
        assert outcome.hits.shape == (PAIRS,)


def test_the_document_of_a_query_scores_where_it_is_no_query(tmp_path):
    for _, outcome in outcomes(tmp_path, arguments(False)):
        assert outcome.retrieval_exact["nDCG@10"] == pytest.approx(1 / np.log2(3))  # at the second place


def test_leaving_own_documents_out_changes_no_recall(tmp_path):
    dataset = arguments(True)
    with_own = dataclasses.replace(dataset, judgements=dataclasses.replace(dataset.judgements, leave_own_out=False))
    (tmp_path / "other").mkdir()
    for (_, one), (_, other) in zip(outcomes(tmp_path, dataset), outcomes(tmp_path / "other", with_own), strict=True):
        assert one.ids_sha256 == other.ids_sha256
        assert np.array_equal(one.hits, other.hits)
        assert one.trial.data.judgements != other.trial.data.judgements


def test_eleven_are_searched_so_that_the_tenth_other_counts():
    ids = np.arange(11)[None, :]
    own_first = Judgements(np.array(["d0"]), np.array([f"d{i}" for i in range(20)]), {"d0": {"d10": 1}}, True)
    assert measure.depth(10, own_first) == 11
    assert measure.depth(10, None) == 10
    assert measure.scores(ids, own_first)["RR@10"] == pytest.approx([1 / 10])
    elsewhere = dataclasses.replace(own_first, query_ids=np.array(["q"]), qrels={"q": {"d10": 1}})
    assert measure.scores(ids, elsewhere)["RR@10"] == [0]  # the eleventh goes if a query has no document


@pytest.mark.parametrize(
    ("ids", "left"),
    [
        ([3, 1, 2, 4], [1, 2, 4]),
        ([1, 2, 4, 5], [1, 2, 4]),
        ([1, 3, 2, -1], [1, 2, -1]),
        ([3, 3, 1, 2], [1, 2, -1]),
        ([-1, -1, -1, -1], [-1, -1, -1]),
    ],
)
def test_own_ids_are_dropped_by_hand(ids, left):
    assert measure._without_own(np.array([ids]), np.array([3])).tolist() == [left]
    assert measure._without_own(np.array([ids]), np.array([-1])).tolist() == [ids[:-1]]


def test_a_base_of_k_rows_has_one_document_fewer_to_score(tmp_path):
    dataset = arguments(True)
    small = limit(dataset, 10)
    for _, outcome in outcomes(tmp_path, small):
        assert np.isfinite(outcome.retrieval["nDCG@10"]).all()
        assert (outcome.retrieval_exact["nDCG@10"] <= 1).all()


def test_tables_and_rankings_say_that_own_documents_are_left_out(tmp_path):
    listed = outcomes(tmp_path, arguments(True), ef_search=40)
    assert "BEIR" in retrieval_text(retrieval(listed), Layout(wide=False))
    one = arguments(True, "one")
    other = checked(
        "other", one.base + np.float32(0.3), one.queries + np.float32(0.3), "cosine", judgements=one.judgements
    )
    (tmp_path / "two").mkdir()
    ranked = rankings(outcomes(tmp_path / "two", one, other, ef_search=40))
    assert ranked[0].setting["own_documents"] == "left out"
    assert "own_documents" in rankings_text(ranked, Layout(wide=False))
    (tmp_path / "plain").mkdir()
    plain = outcomes(tmp_path / "plain", arguments(False), ef_search=40)
    assert "BEIR" not in retrieval_text(retrieval(plain), Layout(wide=False))
