"""What hnswlib does that its adapter relies on or works around."""

import numpy as np
import pytest
from support.graphs import graph

from bench.errors import BenchError
from bench.indexes import Params, check
from bench.indexes.hnswlib import HnswlibSearcher, build

RNG = np.random.default_rng(0)
BASE = RNG.standard_normal((400, 8)).astype(np.float32)


def test_seeds_zero_and_one_draw_the_same_levels_so_seeds_start_at_one():
    graphs = [graph("hnswlib", build(BASE, np.arange(400), "l2", Params(M=6), seed).index) for seed in (0, 1, 2)]
    assert graphs[0] == graphs[1] != graphs[2]


def test_levels_go_by_position_not_by_row():
    levels = [
        build(BASE, order, "l2", Params(M=6), 1).index.__getstate__()[0]["element_levels"]
        for order in (np.arange(400), np.arange(400)[::-1])
    ]
    assert np.array_equal(*levels)


def test_a_failure_other_than_too_few_results_is_not_hidden():
    class Failing:
        def set_ef(self, ef): ...

        def knn_query(self, queries, **settings):
            raise RuntimeError("Not enough memory")

    with pytest.raises(RuntimeError, match="memory"):
        HnswlibSearcher(Failing(), 1).search(BASE[:3], 3, 10)


def test_chunks_are_refused_since_they_would_change_nothing():
    with pytest.raises(BenchError, match="hnswlib never reorders"):
        check("hnswlib", Params(chunk=100), "x")
