"""Estimates of data with copies are those of its distinct rows; scikit-dimension on these is the independent check."""

import numpy as np
import pytest
import skdim
from scipy.stats import spearmanr
from support.datasets import checked
from support.messages import refused

import bench
from bench.geometry import Geometry, copies, knn
from bench.geometry.describe import describe, describe_labels, profile

RNG = np.random.default_rng(0)
GAUSSIAN = RNG.standard_normal((3000, 10)).astype(np.float32)
POPULAR, TIMES = 30, 51


def geometry(rows, metric="l2", queries=None, labels=None):
    return Geometry(checked("x", rows, GAUSSIAN[:5, : rows.shape[1]] if queries is None else queries, metric, labels))


def repeated(rows, count, moved=1.0):
    """The rows in a random order with copies of the first `count`, and the places of the rows themselves."""
    order = np.random.default_rng(1).permutation(len(rows) + count)
    whole = np.concatenate([rows, rows[:count] * np.float32(moved)])[order]
    return whole, np.argsort(order)[: len(rows)]


def popular():
    """1,000 rows of dimension 10, the first 30 of them 51 times each; these are the central ones."""
    rows = GAUSSIAN[:1000][np.argsort(np.linalg.norm(GAUSSIAN[:1000], axis=1))]
    return rows, np.concatenate([rows, np.repeat(rows[:POPULAR], TIMES - 1, axis=0)])


@pytest.mark.parametrize("percent", [2, 10, 20, 50, 100])
@pytest.mark.parametrize("moved", [1.0, 1 + 2e-7], ids=["exact", "rounded"])
def test_two_nn_of_data_with_copies_is_that_of_its_distinct_rows(percent, moved):
    whole, _ = repeated(GAUSSIAN, len(GAUSSIAN) * percent // 100, moved)
    of_distinct = skdim.id.TwoNN().fit(GAUSSIAN.astype(np.float64)).dimension_
    described = describe(geometry(whole), 20)
    assert described["two_nn_dimension"] == pytest.approx(of_distinct, rel=1e-3)
    assert described["rows_with_duplicates"] == 2 * len(GAUSSIAN) * percent // 100


@pytest.mark.parametrize("estimator", ["mle", "mom"])
def test_popular_rows_leave_lid_as_scikit_dimension_has_it_of_the_distinct_rows(estimator):
    rows, whole = popular()
    fit = {"mle": skdim.id.MLE, "mom": skdim.id.MOM}[estimator]
    independent = fit().fit(rows.astype(np.float64), n_neighbors=100).dimension_pw_
    found = geometry(whole)
    lid = found.lid(100, estimator)
    assert np.allclose(lid[: len(rows)], independent, rtol=1e-4)
    assert np.array_equal(lid[len(rows) :], np.repeat(lid[:POPULAR], TIMES - 1))
    assert spearmanr(lid[: len(rows)], independent).statistic == pytest.approx(1)
    assert describe(found, 100, estimator)["lid_mean"] == pytest.approx(independent.mean(), rel=1e-4)


def test_tight_localities_count_a_copy_once():
    rows, whole = popular()
    assert np.array_equal(geometry(whole).lid(20, "tle")[: len(rows)], geometry(rows).lid(20, "tle"))


def test_popular_rows_leave_radius_and_hubness_as_they_are():
    rows, whole = popular()
    found, alone = geometry(whole), geometry(rows)
    distances = np.sort(np.linalg.norm(rows[:, None] - rows, axis=2), axis=1)  # the row itself is the first
    assert np.allclose(found.radius(10)[: len(rows)], distances[:, 10], rtol=1e-5)
    assert np.array_equal(found.occurrences(10)[: len(rows)], alone.occurrences(10))
    assert np.array_equal(found.occurrences(10)[len(rows) :], np.repeat(alone.occurrences(10)[:POPULAR], TIMES - 1))


def test_copies_leave_the_profile_of_rows_and_queries_as_it_is():
    rows, whole = popular()
    queries = GAUSSIAN[2000:2050]
    found, alone = profile(geometry(whole, queries=queries)), profile(geometry(rows, queries=queries))
    for name in ("query_lid", "query_radius", "query_nearest"):
        assert np.allclose(found[name], alone[name], rtol=1e-5)
    lid = geometry(rows).lid()
    drawn = np.where(found["rows"] < len(rows), found["rows"], (found["rows"] - len(rows)) // (TIMES - 1))
    assert np.allclose(found["row_lid"], lid[drawn], rtol=1e-4)
    assert np.array_equal(found["row_nearest"] == 0, drawn < POPULAR)
    assert (found["row_radius"] > 0).all()


def test_the_mean_lid_of_a_label_counts_a_copy_once():
    rows, whole = popular()
    labels = np.where(np.arange(len(whole)) % len(rows) < 200, "a", "b")
    labels[len(rows) :] = "a"
    a = describe_labels(geometry(whole, labels=labels), 50)[1]
    assert a["n"] == 200 + POPULAR * (TIMES - 1)
    assert a["lid_mean"] == pytest.approx(geometry(rows).lid(50)[:200].mean())


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_rows_are_copies_under_their_metric(metric):
    whole = np.concatenate([GAUSSIAN[:200], GAUSSIAN[:50], 3.7 * GAUSSIAN[50:100]]).astype(np.float32)
    first = geometry(whole, metric).first_copies
    assert first[200:250].tolist() == list(range(50))
    assert first[250:].tolist() == list(range(50, 100) if metric == "cosine" else range(250, 300))


def test_zero_and_minus_zero_are_one_row():
    assert copies.first_copies(np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]], np.float32)).tolist() == [0, 0, 2]


def test_rows_apart_by_more_than_rounding_are_no_copies_and_chains_stay_apart():
    near = GAUSSIAN[:100] * np.float32(1 + 1e-4)
    whole = np.concatenate([GAUSSIAN[:500], near])
    assert np.array_equal(copies.first_copies(whole), np.arange(600))
    reach = knn.rounding(GAUSSIAN[:1], GAUSSIAN)[0]
    chain = GAUSSIAN[:1] + np.float32(0.8 * reach) * np.arange(4)[:, None] * np.eye(10, dtype=np.float32)[:1]
    first = copies.first_copies(np.concatenate([GAUSSIAN[1:], chain]).astype(np.float32))
    assert first[-4:].tolist() == [2999, 2999, 3001, 3001]


def test_hashes_that_agree_by_chance_make_no_copies(monkeypatch):
    one = copies.hashlib.blake2b(b"", digest_size=8)
    monkeypatch.setattr(copies.hashlib, "blake2b", lambda row, digest_size: one)
    assert np.array_equal(copies.first_copies(GAUSSIAN[:20]), np.arange(20))


def test_an_offset_that_all_rows_share_makes_no_copies_of_neighbours():
    whole = (1e4 + 0.05 * GAUSSIAN[:400]).astype(np.float32)
    assert np.array_equal(copies.first_copies(whole), np.arange(400))


def test_data_without_copies_is_its_own_distinct_data():
    alone = geometry(GAUSSIAN)
    assert alone.distinct is alone


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_copies_are_found_in_blocks(metric, monkeypatch):
    whole, _ = repeated(GAUSSIAN[:300], 100)
    expected = copies.first_copies(geometry(whole, metric).points)
    monkeypatch.setattr(knn, "_BLOCK_VALUES", 70)
    assert np.array_equal(copies.first_copies(geometry(whole, metric).points), expected)


def test_ground_truth_and_neighbours_still_have_every_copy():
    _, whole = popular()
    found = geometry(whole, queries=whole[:1])
    assert (found.ground_truth(TIMES)[0] == 0).all()
    assert (found.neighbors(TIMES - 1)[0][0] == 0).all()


def test_k_beyond_the_distinct_rows_is_refused_and_leaves_no_estimate():
    rows = np.repeat(GAUSSIAN[:20], 10, axis=0)
    found = geometry(rows)
    with refused("k = 20", "'x'", "float32", "200 rows", "2 to 19"):
        describe(found, 20)
    assert np.isfinite(describe(found, 19)["lid_mean"])
    assert np.isnan(found.lid(20)).all()
    assert np.isinf(found.radius(20)).all()
    assert len(set(found.occurrences(20))) == 1


def test_rows_that_are_all_equal_have_no_estimates():
    found = geometry(np.ones((50, 10), np.float32))
    with refused("k = 5", "'x'", "50 rows", "float32", 1, 3):
        describe(found, 5)
    assert np.isnan(found.lid(5)).all()
    measured = profile(found)
    assert np.isnan(measured["row_lid"]).all()
    assert np.isnan(measured["query_radius"]).all()
    assert (measured["row_nearest"] == 0).all()
    assert np.isfinite(measured["query_nearest"]).all()


def test_lid_from_python_counts_a_copy_once_and_names_k_beyond_the_distinct_rows():
    rows, whole = popular()
    assert np.allclose(bench.lid(whole)[: len(rows)], bench.lid(rows))
    with refused("k = 30", "'vectors'", "150 rows", "float32"):
        bench.lid(np.repeat(rows[:30], 5, axis=0), k=30)
