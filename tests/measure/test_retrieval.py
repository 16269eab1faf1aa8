import math

import numpy as np
import pytest
from support.datasets import load
from support.messages import refused

from bench.data.dataset import Judgements
from bench.geometry import Geometry
from bench.measure.retrieval import CUTOFFS, out_of_reach, scores

DOCS = np.array([f"d{i}" for i in range(200)])


def judgements(**qrels):
    return Judgements(np.array(list(qrels)), DOCS, {query: found for query, found in qrels.items() if found})


def rows(*found, k=10):
    ids = np.full((len(found), k), -1)
    for row, some in zip(ids, found, strict=True):
        row[: len(some)] = some
    return ids


def test_three_documents_by_hand():
    # Grades 2 at rank 1, 0 at rank 2, 1 at rank 3; ideal is 2, 1.
    found = scores(rows([5, 6, 7]), judgements(q={"d5": 2, "d6": 0, "d7": 1}))
    ideal = 2 + 1 / math.log2(3)
    assert found["nDCG@10"] == pytest.approx([(2 + 1 / math.log2(4)) / ideal])
    assert found["RR@10"] == pytest.approx([1])
    # Not the exponential gain, which would make it (3 + 1/2) / (3 + 1/log2(3)).
    assert found["nDCG@10"] != pytest.approx([(3 + 1 / 2) / (3 + 1 / math.log2(3))])


def test_it_is_our_ranking_that_counts_not_the_order_of_ids():
    wanted = judgements(a={"d9": 1}, b={"d10": 1}, c={"d100": 1})
    found = scores(rows([10, 100, 9], [9, 10, 100], [10, 9, 100]), wanted)
    assert found["RR@10"] == pytest.approx([1 / 3, 1 / 2, 1 / 3])
    assert found["nDCG@10"] == pytest.approx([1 / math.log2(4), 1 / math.log2(3), 1 / math.log2(4)])


def test_measures_are_there_from_their_cutoff_on():
    assert list(scores(rows([1], k=9), judgements(q={"d1": 1}))) == []
    assert list(scores(rows([1], k=99), judgements(q={"d1": 1}))) == ["nDCG@10", "RR@10"]
    assert list(scores(rows([1], k=100), judgements(q={"d1": 1}))) == list(CUTOFFS)


def test_ranks_below_the_cutoff_do_not_count():
    found = scores(np.arange(200)[None, :], judgements(q={"d10": 1, "d99": 1, "d100": 1, "d5": 0}))
    assert found["RR@10"].tolist() == found["nDCG@10"].tolist() == [0]
    assert found["R@100"] == pytest.approx([2 / 3])


def test_documents_outside_the_base_stay_in_the_denominators():
    found = scores(rows([3], k=100), judgements(q={"d3": 1, "elsewhere": 1}))
    assert found["R@100"] == pytest.approx([1 / 2])
    assert found["nDCG@10"] == pytest.approx([1 / (1 + 1 / math.log2(3))])


def test_an_id_returned_twice_counts_once_at_its_first_place():
    found = scores(rows([4, 7, 7, 8, 4, 9]), judgements(q={"d7": 1, "d9": 1}))
    # As if 4, 7, 8, 9 had been returned.
    assert found["nDCG@10"] == pytest.approx([(1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3))])
    assert found["RR@10"] == pytest.approx([1 / 2])


def test_a_query_without_judgements_is_nan_and_one_that_finds_nothing_zero():
    found = scores(rows([1], [1], [], [1], k=100), judgements(a={"d1": 1}, b={}, c={"d1": 1}, d={"d1": 0}))
    for name in CUTOFFS:
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], [1, np.nan, 0, 0], equal_nan=True)


def test_grades_below_zero_are_not_relevant():
    found = scores(rows([1, 2], k=100), judgements(q={"d1": -1, "d2": 1}))
    assert (found["RR@10"], found["R@100"]) == (0.5, 1)
    assert found["nDCG@10"] == pytest.approx([1 / math.log2(3)])


def test_without_judgements_nothing_is_scored():
    assert scores(rows([1]), None) == {}
    assert np.isnan(scores(rows([1]), judgements(q={}))["nDCG@10"]).all()


def test_queries_must_match():
    with refused("2 queries", 1, error=ValueError):
        scores(rows([1], [2]), judgements(q={"d1": 1}))


def test_any_ranking_agrees_with_the_formula():
    rng = np.random.default_rng(0)
    qrels = {f"q{i}": {f"d{j}": int(rng.integers(0, 4)) for j in rng.choice(200, 40, replace=False)} for i in range(20)}
    ids = np.array([rng.permutation(200)[:100] for _ in range(20)])
    found = scores(ids, judgements(**qrels))
    discount = 1 / np.log2(np.arange(2, 12))
    for i, (row, grades) in enumerate(zip(ids, qrels.values(), strict=True)):
        gains = np.array([grades.get(f"d{j}", 0) for j in row])
        ideal = np.sort(list(grades.values()))[::-1][:10]
        relevant = np.flatnonzero(gains[:10])
        assert found["nDCG@10"][i] == pytest.approx(gains[:10] @ discount / (ideal @ discount), abs=1e-6)
        assert found["RR@10"][i] == pytest.approx(1 / (relevant[0] + 1) if len(relevant) else 0, abs=1e-6)
        assert found["R@100"][i] == pytest.approx((gains > 0).sum() / sum(g > 0 for g in grades.values()), abs=1e-6)


def test_documents_out_of_reach_are_counted_where_relevant():
    assert out_of_reach(judgements(a={"d1": 1, "elsewhere": 2, "nowhere": 0}, b={"d2": 1, "d3": 1}, c={})) == 0.25
    assert out_of_reach(judgements(a={})) == 0


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("model", "expected"), [("minilm-l6-mean", 0.4335), ("minilm-l6-cls", 0.3373), ("minilm-l6-max", 0.3861)]
)
def test_exact_search_on_npl_scores_as_known(mirror, model, expected):
    dataset = load("npl", {"model": model})
    found = scores(Geometry(dataset).ground_truth(10)[1], dataset.judgements)
    assert np.isfinite(found["nDCG@10"]).sum() == 93
    assert found["nDCG@10"].mean(dtype=float) == pytest.approx(expected, abs=0.002)


@pytest.mark.mirror
def test_exact_search_on_npl_by_lsa_scores_as_known(mirror):
    dataset = load("npl", {"model": "lsa@384"})
    found = scores(Geometry(dataset).ground_truth(10)[1], dataset.judgements)
    assert found["nDCG@10"].mean(dtype=float) == pytest.approx(0.215, abs=0.002)
