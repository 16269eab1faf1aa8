import numpy as np
import pytest
from support.datasets import checked, load
from support.messages import refused, warned

from bench.geometry import Geometry, knn
from bench.geometry.describe import describe, describe_labels
from bench.geometry.verify import verify_given


def on(metric):
    rng = np.random.default_rng(0)
    return checked("x", rng.standard_normal((150, 6)), 3 * rng.standard_normal((20, 6)), metric)


def test_cosine_ranks_by_cosine():
    dataset = on("cosine")
    distances, ids = Geometry(dataset).ground_truth(5)
    base, queries = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (dataset.base, dataset.queries))
    assert np.array_equal(ids, np.argsort(-(queries @ base.T), axis=1)[:, :5])
    assert np.allclose(distances**2 / 2, 1 - np.take_along_axis(queries @ base.T, ids, axis=1), atol=1e-6)


def test_inner_product_ranks_by_inner_product_but_has_euclidean_neighbourhoods():
    dataset = on("ip")
    geometry = Geometry(dataset)
    product = dataset.queries @ dataset.base.T
    assert np.array_equal(geometry.ground_truth(5)[1], np.argsort(-product, axis=1)[:, :5])
    assert np.array_equal(geometry.neighbors(5)[1], knn.neighbors(dataset.base, 5)[1])


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_figures_follow_from_points_by_definition(metric):
    dataset = on(metric)
    geometry = Geometry(dataset)
    points = geometry.points.astype(np.float64)
    if metric == "cosine":
        assert np.allclose(np.linalg.norm(points, axis=1), 1)
    distances, ids = geometry.neighbors(10)
    assert np.array_equal(geometry.radius(10), distances[:, 9])
    assert geometry.occurrences(10).sum() == 1500
    assert geometry.occurrences(10)[7] == (ids == 7).sum()
    assert np.allclose(geometry.centroid_distances(), np.linalg.norm(points - points.mean(axis=0), axis=1), atol=1e-5)
    assert np.array_equal(geometry.neighbors(120)[0][:, :10], distances)


def test_everything_is_computed_once_for_a_content(monkeypatch):
    said = []
    dataset = checked("y", np.random.default_rng(5).standard_normal((120, 4)), np.ones((3, 4)), "l2")
    Geometry(dataset, said.append).lid()
    assert said == ["y: 100 exact neighbours of every row", "y: local intrinsic dimension (mle)"]
    monkeypatch.setattr(knn, "neighbors", lambda *_: pytest.fail("computed again"))
    again = Geometry(checked("other name", dataset.base, dataset.queries, "l2"), said.append)
    assert np.isfinite(again.lid()).all()
    assert len(again.neighbors(10)[0]) == 120
    assert len(said) == 2


def test_a_few_rows_have_as_many_neighbours_as_there_are():
    geometry = Geometry(checked("few", np.eye(5), np.ones((1, 5)), "l2"))
    assert geometry.neighbors(4)[1].shape == (5, 4)
    with refused("k = 5", "5 rows", error=ValueError):
        geometry.neighbors(5)


def test_a_description_states_what_it_was_made_from():
    described = describe(Geometry(on("l2")), k=50)
    assert described["lid_5_percent"] < described["lid_median"] < described["lid_95_percent"]
    assert described["pca_dimension_99"] == 6
    assert described["rows_with_duplicates"] == 0
    for k, estimator, named in (
        (150, "mle", ("k = 150", "'x'", "150 rows")),
        (1, "mle", ("k = 1", "'x'", "150 rows")),
        (50, "x", ("'x'", "mle, mom, tle")),
    ):
        with refused(*named):
            describe(Geometry(on("l2")), k, estimator)


def test_a_description_counts_rows_that_differ_by_rounding_as_duplicates():
    dataset = on("cosine")
    base = dataset.base.copy()
    base[:10] = 3 * base[20:30]  # the same direction, rounded otherwise
    described = describe(Geometry(checked("x", base, dataset.queries, "cosine")), k=50)
    assert described["rows_with_duplicates"] == 20


def given(metric, change, k=10):
    """A dataset whose given neighbours are the exact ones after `change`."""
    dataset = on(metric)
    ids = Geometry(dataset).ground_truth(k)[1]
    return checked("x", dataset.base, dataset.queries, metric, neighbors=change(ids.copy()))


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_given_neighbours_that_are_right_in_any_order_are_taken_without_a_word(metric):
    verify_given(Geometry(given(metric, lambda ids: ids)))
    verify_given(Geometry(given(metric, lambda ids: ids[:, ::-1])))
    verify_given(Geometry(on(metric)))


def swap_last(ids):
    ids[3, -1] = next(i for i in range(150) if i not in ids[3])
    return ids


def repeat(ids):
    ids[:, 1] = ids[:, 0]
    return ids


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (swap_last, (199, "rounding")),
        (repeat, (180, "metric")),
        (lambda ids: ids + 1, (8, "from 1")),
        # Of which, by chance, 9 are near, and 12 when counted from 1
        (lambda ids: np.random.default_rng(0).integers(150, size=ids.shape), (9, "metric")),
        (lambda ids: ids[::-1], (16, "metric", "order")),
        (lambda ids: np.where(ids % 2, ids, ids + 1000), (109, 91, "cut")),
    ],
)
def test_given_neighbours_that_are_wrong_are_named(change, named):
    with warned("x", "200 neighbours", "10 each", "20 queries", *named):
        verify_given(Geometry(given("l2", change)))


def test_given_neighbours_of_another_metric_are_named():
    of_l2 = Geometry(on("l2")).ground_truth(10)[1]
    dataset = on("ip")
    with warned("x", "metric"):
        verify_given(Geometry(checked("x", dataset.base, dataset.queries, "ip", neighbors=of_l2)))


def test_either_of_two_equal_rows_is_a_right_neighbour():
    base = np.repeat(np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32), 2, axis=0)
    queries = base[::6] + np.float32(0.01)
    ids = Geometry(checked("x", base, queries, "l2")).ground_truth(5)[1]
    other = np.where(np.arange(5) == 4, ids ^ 1, ids)  # the fifth is one of a pair
    assert not np.array_equal(np.sort(ids), np.sort(other))
    verify_given(Geometry(checked("x", base, queries, "l2", neighbors=other)))


def test_either_of_two_rows_that_differ_by_rounding_is_a_right_neighbour():
    rng = np.random.default_rng(0)
    pile = rng.standard_normal((1, 16)) * rng.uniform(1, 2, (30, 1))  # one direction
    base = np.concatenate([pile, rng.standard_normal((30, 16))]).astype(np.float32)
    dataset = checked("x", base, base[:5], "cosine", neighbors=np.tile(np.arange(20, 30), (5, 1)))
    assert Geometry(dataset).ground_truth(10)[0][:, -1].max() < 1e-6
    verify_given(Geometry(dataset))


def test_more_given_neighbours_than_rows_and_only_a_sample_of_queries_are_looked_at():
    dataset = on("l2")
    ids = Geometry(dataset).ground_truth(150)[1]
    wide = np.concatenate([ids, ids], axis=1)
    verify_given(Geometry(checked("x", dataset.base, dataset.queries, "l2", neighbors=wide)))
    with warned("x", "450 neighbours", "150 each", "3 queries"):
        verify_given(Geometry(checked("x", dataset.base, dataset.queries, "l2", neighbors=ids * 0)), sample=3)


@pytest.mark.mirror
def test_lid_of_clinc150_is_that_of_the_study_files(mirror):
    assert Geometry(load("clinc150")).lid().mean() == pytest.approx(10.39, abs=0.005)


def test_dimension_by_label_is_that_of_its_rows_beside_as_many_of_all():
    # Label 0 spans a plane, label 1 fills six dimensions; rows of both span six.
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((400, 6))
    rows[:100, 2:] = 0
    dataset = checked("x", rows, rows[:1], "l2", np.repeat([0, 1], [100, 300]))
    whole, plane, full = describe_labels(Geometry(dataset), 20)
    assert (whole["label"], whole["n"], whole["pca_dimension_99"]) == ("(all)", 400, 6)
    assert (plane["label"], plane["n"], plane["pca_dimension_99"], plane["pca_same_number"]) == ("0", 100, 2, 6)
    assert (full["label"], full["n"], full["pca_dimension_99"]) == ("1", 300, 6)
    lid = Geometry(dataset).lid(20)
    assert plane["lid_mean"] == pytest.approx(lid[:100].mean())
    assert plane["lid_mean"] < full["lid_mean"]


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_rows_for_a_dimension_are_named(n):
    rows = np.eye(3, dtype=np.float32)[:n]
    with refused("'x'", f"{n} rows"):
        describe(Geometry(checked("x", rows, rows, "l2")), 2)


def test_dimension_by_label_needs_labels():
    with refused("'x'", "labels"):
        describe_labels(Geometry(on("l2")))
