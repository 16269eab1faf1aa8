"""What every engine's adapter must hold, or its figures are noise."""

import subprocess
import sys

import numpy as np
import pytest
from support.graphs import graph, plain

from bench import indexes
from bench.data.dataset import checked
from bench.errors import BenchError
from bench.geometry import Geometry, knn
from bench.indexes import INDEXES, Params

METRICS = ["l2", "cosine", "ip"]
PARAMS = Params(M=6, ef_construction=30)


def data(metric, n=600, d=16, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n + 50, d)) * rng.uniform(0.5, 2, (n + 50, 1))
    return checked("x", rows[:n], rows[n:], metric)


def build(engine, dataset, order, seed=1, params=PARAMS):
    return INDEXES[engine].build(dataset.base, order, dataset.metric, params, seed)


@pytest.fixture(params=INDEXES)
def engine(request):
    return request.param


@pytest.mark.parametrize("metric", METRICS)
def test_the_graph_is_that_of_a_plain_row_by_row_build(engine, metric):
    # 2,500 rows: more than the adapter gathers at a time
    dataset = data(metric, n=2500)
    order = np.random.default_rng(1).permutation(2500)
    assert graph(engine, build(engine, dataset, order, 7).index) == graph(
        engine, plain(engine, dataset.base, order, metric, PARAMS, 7)
    )


def test_another_order_gives_another_graph(engine):
    dataset = data("l2")
    order = np.arange(dataset.n)
    assert graph(engine, build(engine, dataset, order).index) != graph(
        engine, build(engine, dataset, order[::-1]).index
    )


def test_another_seed_gives_another_graph(engine):
    dataset = data("l2")
    order = np.arange(dataset.n)
    assert graph(engine, build(engine, dataset, order, 1).index) != graph(
        engine, build(engine, dataset, order, 2).index
    )


@pytest.mark.parametrize("parameter", ["M", "ef_construction"])
def test_parameters_reach_the_graph(engine, parameter):
    dataset = data("l2")
    order = np.arange(dataset.n)
    other = Params(**{"M": 6, "ef_construction": 30, parameter: 12})
    assert graph(engine, build(engine, dataset, order).index) != graph(
        engine, build(engine, dataset, order, params=other).index
    )


@pytest.mark.parametrize("metric", METRICS)
def test_results_are_base_ids_nearest_first(engine, metric):
    dataset = data(metric)
    order = np.random.default_rng(2).permutation(dataset.n)
    ids = build(engine, dataset, order).search(dataset.queries, 10, 200)
    assert ids.shape == (50, 10)
    assert ids.dtype == np.int64
    geometry = Geometry(dataset)
    distances = knn.true_distances(geometry.query_points, geometry.points, ids, geometry.ranks_by)
    assert (np.diff(distances, axis=1) >= -1e-5).all()
    assert (ids[:, 0] == geometry.ground_truth(1)[1][:, 0]).mean() > 0.9


@pytest.mark.parametrize("metric", METRICS)
def test_recall_is_one_at_a_saturating_ef_search(engine, metric):
    dataset = data(metric, n=500)
    _, truth = Geometry(dataset).ground_truth(10)
    for order in (np.arange(500), np.random.default_rng(3).permutation(500)):
        searcher = build(engine, dataset, order, params=Params(M=16, ef_construction=200))
        ids = searcher.search(dataset.queries, 10, 500)
        assert np.array_equal(np.sort(ids, axis=1), np.sort(truth, axis=1))


def test_one_build_serves_searches_in_any_sequence(engine):
    dataset = data("l2")
    order = np.arange(dataset.n)
    searcher = build(engine, dataset, order)
    wide = searcher.search(dataset.queries, 20, 100)
    narrow = searcher.search(dataset.queries, 5, 5)
    assert np.array_equal(searcher.search(dataset.queries, 20, 100), wide)
    assert np.array_equal(build(engine, dataset, order).search(dataset.queries, 5, 5), narrow)
    assert not np.array_equal(wide[:, :5], narrow)


def test_rows_that_cannot_be_reached_are_minus_one(engine):
    # Far clusters one after the other and two links a node: most of the graph falls apart.
    rng = np.random.default_rng(0)
    rows = np.repeat(100 * rng.standard_normal((40, 8)), 10, axis=0) + 1e-3 * rng.standard_normal((400, 8))
    dataset = checked("islands", rows, rows[:30] + 1e-4, "l2")
    searcher = build(engine, dataset, np.arange(400), params=Params(M=2, ef_construction=4))
    ids = searcher.search(dataset.queries, 300, 400)
    assert ids.shape == (30, 300)
    assert (ids == -1).any()
    for row in ids:
        found = row[row >= 0]
        assert (row[: len(found)] >= 0).all()  # what was found stands first
        assert len(set(found)) == len(found)
        assert found.max() < 400
    ten = searcher.search(dataset.queries, 10, 400)
    assert np.array_equal(ten, ids[:, :10])


PROGRAM = """
import sys, hashlib, numpy as np
sys.path.insert(0, {tests!r})
from bench.indexes import INDEXES, Params
from support.graphs import graph
rng = np.random.default_rng(5)
base = rng.standard_normal((800, 24)).astype(np.float32)
searcher = INDEXES[{engine!r}].build(base, rng.permutation(800), {metric!r}, Params(M=8, ef_construction=40), 3)
ids = searcher.search(base[:100] + np.float32(0.1), 10, 20)
print(hashlib.sha256(graph({engine!r}, searcher.index)).hexdigest(), hashlib.sha256(ids.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("metric", METRICS)
def test_builds_and_results_repeat_bit_by_bit_in_another_process(engine, metric, request):
    program = PROGRAM.format(engine=engine, metric=metric, tests=str(request.config.rootpath / "tests"))
    said = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(said) == 1
    assert len(said.pop().split()) == 2


def test_the_version_of_an_engine_is_that_of_its_package(engine):
    assert indexes.version(engine)[0].isdigit()


def test_a_missing_engine_tells_what_to_install(engine, monkeypatch):
    monkeypatch.setitem(INDEXES, engine, INDEXES[engine]._replace(package="not-a-package"))
    with pytest.raises(BenchError, match=f"engine '{engine}' needs the package not-a-package: pip install"):
        indexes.version(engine)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"M": 0}, "M = 0: give a positive number"),
        ({"M": 1}, "M = 1: give at least 2"),
        ({"ef_construction": 0}, "ef_construction = 0"),
        ({"M": 32, "ef_construction": 16}, "below M = 32"),
        ({"chunk": 0}, "chunk = 0"),
        ({"threads": -1}, "threads = -1"),
    ],
)
def test_parameters_that_no_graph_can_have_are_refused(engine, params, message):
    with pytest.raises(BenchError, match=message):
        indexes.check(engine, Params(**params), "x")
    indexes.check(engine, Params(), "x")
