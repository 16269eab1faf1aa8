import numpy as np
import pytest
from support.datasets import checked, load
from support.messages import warned

from bench.data.dataset import limit
from bench.geometry import Geometry
from bench.geometry.verify import near_duplicates, warn_of_near_duplicates

RNG = np.random.default_rng(0)
BASE = RNG.standard_normal((1000, 6)).astype(np.float32)
QUERIES = RNG.standard_normal((200, 6)).astype(np.float32)


def geometry(queries, metric="l2", base=BASE, groups=None):
    return Geometry(checked("x", base, queries, metric, query_groups=groups))


def repeated(queries, times, apart=0.0):
    """Each query so often, each time moved by about `apart`."""
    copies = np.repeat(queries, times, axis=0)
    return copies + np.float32(apart) * RNG.standard_normal(copies.shape).astype(np.float32)


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
@pytest.mark.parametrize("apart", [0.0, 1e-3])
def test_queries_that_nearly_repeat_others_are_counted_with_what_they_are_worth(metric, apart):
    # 20 clusters of 5, and 100 queries alone: 200^2 / (20 * 25 + 100) = 66.7 in effect.
    queries = np.concatenate([repeated(QUERIES[:20], 5, apart), QUERIES[100:]])
    with warned("x", "100 of 200 queries", 67, "--query-groups"):
        warn_of_near_duplicates(geometry(queries, metric))


def test_one_query_repeated_is_worth_one():
    with warned("x", "200 of 200 queries", 1, "--query-groups"):
        warn_of_near_duplicates(geometry(repeated(QUERIES[:1], 200)))
    assert near_duplicates(geometry(repeated(QUERIES[:3], 100, 1e-3))).tolist() == [100, 100, 100]


def test_equal_queries_are_found_where_they_are_rows_of_the_base():
    assert sorted(near_duplicates(geometry(np.concatenate([BASE[:3], BASE[:3], QUERIES[:2]])))) == [1, 1, 2, 2, 2]


def test_nearness_goes_by_the_distance_to_the_nearest_row():
    """Queries on a line far from all rows, a fifth and a third of the nearest row's distance apart."""
    base = np.array([[0.0, 10.0], [0.0, -10.0], [50.0, 40.0]], np.float32)
    for step, sizes in ((2.0, [3]), (3.5, [1, 1, 1])):
        queries = np.array([[0.0, 0.0], [step, 0.0], [2 * step, 0.0]], np.float32)
        assert near_duplicates(geometry(queries, base=base)).tolist() == sizes


@pytest.mark.parametrize(
    "queries", [QUERIES, QUERIES[:1], QUERIES[:2], np.concatenate([QUERIES, QUERIES[:5]])], ids=["all", "1", "2", "few"]
)
def test_nothing_is_said_of_independent_queries_or_of_a_few_repeats(queries):
    warn_of_near_duplicates(geometry(queries))


def test_nothing_is_said_where_groups_are_known_or_rows_are_too_few():
    warn_of_near_duplicates(geometry(repeated(QUERIES[:20], 10), groups=np.repeat(np.arange(20), 10)))
    warn_of_near_duplicates(geometry(repeated(QUERIES[:20], 10), base=BASE[:2]))


@pytest.mark.parametrize(("n", "queries"), [(1000, 1000), (500, 2000), (100, 1000)])
def test_many_independent_queries_of_few_dimensions_do_not_pass_for_repeats(n, queries):
    warn_of_near_duplicates(Geometry(load("subspace-small", {"intrinsic_dimension": 2, "n": n, "queries": queries})))


@pytest.mark.parametrize("name", ["digits", "image-patches", "mixture", "subspace-small"])
def test_queries_of_the_catalogue_are_no_repeats(name):
    warn_of_near_duplicates(Geometry(load(name)))


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["clinc150", "clinc150-in-scope", "clinc150-5-oos", "npl"])
@pytest.mark.parametrize("rows", [100, 10**6])
def test_queries_of_real_texts_are_no_repeats(mirror, name, rows):
    dataset = limit(load(name), rows)
    warn_of_near_duplicates(geometry(dataset.queries, dataset.metric, dataset.base))  # its groups aside


def test_distances_between_queries_are_computed_once(monkeypatch):
    sizes = near_duplicates(geometry(QUERIES[:77]))
    monkeypatch.setattr("bench.geometry.knn.neighbors", None)
    assert near_duplicates(geometry(QUERIES[:77])).tolist() == sizes.tolist()
