import numpy as np
import pytest
from support.examples import TRIAL, outcome

from bench.analysis.losses import LEVELS, losses
from bench.study.trial import changed


def of(hits, seed=1, order="random"):
    return "e", outcome(hits, queries=len(hits), order=order, build_seed=seed, order_seed=seed)


def test_the_share_of_queries_at_most_at_a_level_goes_by_the_mean_over_builds():
    # Of four queries the recalls are 0, .5, .9 and 1 in one build and 0, .7, .9 and 1 in the other
    [row] = losses([of([0, 5, 9, 10]), of([0, 7, 9, 10], seed=2)], {})
    share = dict(zip(LEVELS.round(2), row.at_most, strict=True))
    assert share[0.0] == 0.25
    assert share[0.55] == 0.25
    assert share[0.6] == 0.5  # (.5 + .7) / 2, whatever rounding does to it
    assert share[0.9] == 0.75
    assert share[1.0] == 1
    assert row.by_difficulty == {}


def test_tenths_of_queries_go_from_the_easiest_and_leave_out_those_without_an_estimate():
    hits = np.arange(21) % 11
    lid = np.append(np.arange(20.0)[::-1], np.nan)  # the first query is the hardest
    data = changed(TRIAL, queries=21).data
    profile = {data: {"query_lid": lid, "query_nearest": np.full(21, np.nan)}}
    [row] = losses([of(hits)], profile)
    assert list(row.by_difficulty) == ["lid"]  # of distances nothing is known
    easiest = np.argsort(lid[:20])
    assert row.by_difficulty["lid"] == pytest.approx([hits[easiest[p : p + 2]].mean() / 10 for p in range(0, 20, 2)])


def test_fewer_queries_than_tenths_have_none():
    data = changed(TRIAL, queries=9).data
    assert losses([of([1] * 9)], {data: {"query_lid": np.arange(9.0)}})[0].by_difficulty == {}
