"""Rows that float32 does not hold apart are named as such, and not as repeats or as an engine's mistake."""

import warnings

import numpy as np
import pytest
from support.datasets import checked, load
from support.messages import refused, warned

import bench
from bench.geometry import Geometry
from bench.geometry.verify import check_resolution

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((1100, 16))
DIRECTION = RNG.standard_normal(16) / 4


def resolution(rows, metric, queries=None):
    return check_resolution(Geometry(checked("x", rows[:1000], rows[1000:] if queries is None else queries, metric)))


@pytest.mark.parametrize("convert", [np.float64, np.float32])
def test_rows_around_1e8_are_refused_with_the_mean_as_remedy(convert):
    with refused("x", "float32", "mean"):
        resolution((1e8 + ROWS).astype(convert), "l2")


def test_the_remedy_for_l2_helps():
    rows = 1e8 + ROWS
    assert resolution(rows - rows[:1000].mean(axis=0), "l2")


@pytest.mark.parametrize("length", [1e-4, 1e-5, 1e-6])
def test_rows_of_equal_cosine_in_float32_are_refused(length):
    with refused("x", "float32", "metric l2"):
        resolution(DIRECTION + length * ROWS, "cosine")


def test_the_remedy_for_cosine_helps_and_ranks_as_cosine_does():
    rows = DIRECTION + 1e-5 * ROWS
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    moved = units - units[:1000].mean(axis=0)
    assert resolution(moved, "l2")
    found = Geometry(checked("x", moved[:1000], moved[1000:], "l2")).ground_truth(10)[1]
    wide = units.astype(np.longdouble)
    assert (np.argsort(-(wide[1000:] @ wide[:1000].T), axis=1)[:, :10] == found).mean() > 0.99


def test_equal_inner_products_in_float32_are_refused_and_the_remedy_helps():
    rows = 1e7 + ROWS
    with refused("x", "float32", "mean", "rows"):
        resolution(rows, "ip", ROWS[1000:])
    assert resolution(rows - rows[:1000].mean(axis=0), "ip", ROWS[1000:])


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_rows_that_float32_holds_as_one_are_refused(metric):
    with refused("x", "float32", "mean"):
        resolution(1e12 + ROWS, metric)


def test_rows_that_float32_holds_hardly_apart_are_warned_of():
    with warned("x", "float32", "mean"):
        assert not resolution(1e6 + ROWS[:, :4], "l2")


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_copies_and_offsets_that_float32_holds_are_no_reason(metric):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolution(ROWS, metric)
        assert resolution(ROWS[:, :4] + 10, metric)
        assert resolution(np.repeat(ROWS[:22], 50, axis=0), metric, ROWS[1000:])
        assert resolution(1e-6 * ROWS, metric)


@pytest.mark.parametrize("name", ["digits", "image-patches", "mixture", "subspace-small"])
def test_data_of_the_catalogue_is_held_apart(name):
    assert check_resolution(Geometry(load(name)))


@pytest.mark.parametrize(
    ("rows", "metric"), [(1e8 + ROWS, "l2"), (DIRECTION + 1e-5 * ROWS, "cosine")], ids=["offset", "cosine"]
)
@pytest.mark.filterwarnings("ignore:.*converted to float32")
def test_compare_names_float32_and_neither_repeats_nor_the_engine(rows, metric):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with refused("vectors", "float32", "mean"):
            bench.compare(rows, metric=metric, orders=["random"], engines=["hnswlib"], seeds=1, progress=False)
    assert not any("rows of the base" in str(one.message) or "repeat" in str(one.message) for one in said)
