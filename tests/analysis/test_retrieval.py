import json
import math

import msgspec
import numpy as np
import pytest
from support import examples

from bench.analysis.findings import Findings
from bench.analysis.retrieval import retrieval, sample
from bench.cli.results import print_table


def outcome(ndcg, exact, judgements="j", **fields):
    scores, of_exact = ({"nDCG@10": np.array(values, dtype=np.float32)} for values in (ndcg, exact))
    hits = np.full(len(ndcg), 5)
    return "e", examples.outcome(hits, retrieval=scores, retrieval_exact=of_exact, judgements=judgements, **fields)


def test_a_score_by_hand():
    exact = [1.0, 0.5, 0.0]
    # Builds with means 0.3 and 0.5; differences to exact, by build: -0.2 and 0 each query.
    [row] = retrieval([outcome([0.8, 0.3, -0.2], exact, build_seed=1), outcome(exact, exact, build_seed=2)])
    score = row.scores["nDCG@10"]
    assert (row.builds, row.judged, row.order) == (2, 3, "random")
    assert score.exact.value == pytest.approx(0.5)
    assert score.exact.se == pytest.approx(0.5 / math.sqrt(3))
    assert score.mean.value == pytest.approx(0.4)
    assert score.difference.value == pytest.approx(-0.1)
    # What is left of the difference is between builds alone: sd 0.1414 / sqrt(2), one degree of freedom; and a query
    # that was not judged may differ by 0.1 as these do.
    assert score.difference.se == pytest.approx(math.sqrt(0.1**2 + (0.1 / 3) ** 2))
    assert score.difference.df == pytest.approx(1, rel=0.3)


def test_queries_that_are_not_judged_do_not_count():
    exact = [1.0, math.nan, 0.0]
    [row] = retrieval([outcome([1.0, math.nan, 0.5], exact, build_seed=seed) for seed in (1, 2)])
    assert row.judged == 2
    assert row.scores["nDCG@10"].mean.value == pytest.approx(0.75)
    assert row.scores["nDCG@10"].difference.value == pytest.approx(0.25)


def test_equality_with_exact_search_on_some_queries_is_not_sure_on_all():
    few, many = (
        retrieval([outcome(exact, exact, build_seed=seed) for seed in (1, 2, 3)])[0].scores["nDCG@10"].difference
        for exact in ([1.0, 0.25, 0.0], [1.0, 0.25, 0.0] * 1000)
    )
    assert few.value == many.value == 0
    assert few.high > 0.05
    assert 0 < many.high < 0.0005


def test_groups_are_those_of_the_judged_queries():
    exact = [1.0, math.nan, 0.0, 0.5, math.nan, 0.25]
    plain = [outcome(exact, exact, build_seed=seed) for seed in (1, 2)]
    groups = np.array([0, 0, 1, 1, 2, 0])
    grouped = [(name, msgspec.structs.replace(of_one, query_groups=groups)) for name, of_one in plain]
    assert sample([of_one for _, of_one in grouped], "nDCG@10")[0].groups.tolist() == [0, 1, 1, 0]
    [row] = retrieval(grouped)
    # Groups' means are 0.625 and 0.25: half their distance is the standard error of a mean of two.
    assert row.scores["nDCG@10"].exact.value == pytest.approx(0.4375)
    assert row.scores["nDCG@10"].exact.se == pytest.approx(0.1875)


def test_outcomes_without_judgements_are_left_out_and_others_never_mixed():
    exact = [1.0, 0.5]
    plain = examples.outcome([1, 2])
    rows = retrieval([("e", plain), outcome([1, 0], exact), outcome([0, 0], exact, judgements="other")])
    assert sorted(row.scores["nDCG@10"].mean.value for row in rows) == [0, 0.5]
    assert len({row.setting.name for row in rows}) == 2  # named apart
    assert retrieval([("e", plain)]) == []
    assert retrieval([outcome([math.nan] * 2, [math.nan] * 2)]) == []


def test_the_best_order_comes_first():
    exact = [1.0, 1.0]
    rows = retrieval([outcome([0, 0], exact, order="given"), outcome([1, 1], exact, order="random")])
    assert [row.order for row in rows] == ["random", "given"]
    assert math.isnan(rows[0].scores["nDCG@10"].mean.low)  # a single build


def test_json_rows_of_two_library_versions_keep_their_own_scores(capsys):
    outcomes = [
        outcome([0.9, 0.9, 0.9], [1, 1, 1], libraries="l 1"),
        outcome([0.1, 0.1, 0.1], [1, 1, 1], libraries="l 2"),
    ]
    print_table(Findings(outcomes), None)
    rows = json.loads(capsys.readouterr().out)
    assert sorted(row["nDCG@10"] for row in rows) == pytest.approx([0.1, 0.9])
