import shutil

import numpy as np
import pytest
from support.datasets import checked
from support.messages import refused, warned

from bench.data.dataset import limit

BASE = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
QUERIES = BASE[:5] + 1


def test_a_dataset_is_contiguous_float32_and_read_only():
    dataset = checked("x", np.asfortranarray(BASE.astype(np.float64)), QUERIES[:, ::-1], "l2", np.arange(50))
    for array in (dataset.base, dataset.queries):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    assert not dataset.labels.flags.writeable
    assert (dataset.n, dataset.d) == (50, 4)


def test_the_callers_array_stays_writable():
    base = BASE.copy()
    checked("x", base, QUERIES, "l2")
    assert base.flags.writeable


def test_a_fingerprint_goes_by_content_not_by_name_or_metric():
    one = checked("x", BASE, QUERIES, "l2").fingerprint
    assert checked("y", BASE.astype(np.float64), QUERIES, "cosine").fingerprint == one
    others = [
        checked("x", BASE[::-1], QUERIES, "l2"),
        checked("x", BASE, QUERIES[:-1], "l2"),
        checked("x", BASE, QUERIES, "l2", np.zeros(50, int)),
        checked("x", BASE, QUERIES, "l2", np.ones(50, int)),
    ]
    assert len({one, *(other.fingerprint for other in others)}) == 5


def changed(row, value):
    base = BASE.copy()
    base[row] = value
    return base


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((BASE[0], QUERIES, "l2"), ("f.npy", "(4,)")),
        ((BASE.astype(complex), QUERIES, "l2"), ("f.npy", "complex128")),
        ((BASE[:, :0], QUERIES[:, :0], "l2"), ("f.npy", "(50, 0)")),
        ((BASE[:0], QUERIES, "l2"), ("f.npy", "no rows")),
        ((changed(17, np.nan), QUERIES, "l2"), ("f.npy", "row 17")),
        ((changed(49, -np.inf), QUERIES, "l2"), ("f.npy", "row 49")),
        ((BASE.astype(np.float64) * 1e300, QUERIES, "l2"), ("f.npy", "row 0")),
        ((changed(7, 1e20), QUERIES, "l2"), ("f.npy", "row 7", "2.0e+20", "float32")),
        ((changed(7, 1e-20), QUERIES, "cosine"), ("f.npy", "row 7", "2.0e-20", "float32")),
        ((BASE * 1e-20, QUERIES, "l2"), ("f.npy", "float32")),
        ((BASE, QUERIES[:, :3], "l2"), ("x", "queries", 3, "f.npy", 4)),
        ((BASE, QUERIES, "l3"), ("'l3'", "l2, cosine, ip")),
        ((BASE, QUERIES, "l2", np.arange(49)), ("x: labels", "(49,)", "50 rows")),
        ((BASE, QUERIES, "l2", np.zeros((50, 2), int)), ("x: labels", "(50, 2)", "50 rows")),
        ((BASE, QUERIES, "l2", np.zeros(50)), ("x: labels", "float64")),
    ],
)
def test_bad_arrays_are_refused_with_file_and_row(arguments, named):
    with refused(*named):
        checked("x", *arguments, files={"base": "f.npy"})


def test_zero_rows_are_fine_where_they_have_a_distance():
    assert checked("x", changed(3, 0), QUERIES, "l2").n == 50


def test_a_bad_row_far_down_a_large_base_is_counted_right(monkeypatch):
    monkeypatch.setattr("bench.data.arrays.BLOCK_VALUES", 12)
    with refused("x", "base", "row 44"):
        checked("x", changed(44, np.nan), QUERIES, "l2")


def test_byte_labels_become_text():
    assert checked("x", BASE, QUERIES, "l2", np.array([b"a", b"b"] * 25)).labels.dtype.kind == "U"


def test_many_rows_are_taken_on_disk_and_are_the_same(monkeypatch):
    dataset = checked("x", BASE, QUERIES, "l2", np.arange(50))
    in_memory = limit(dataset, 20)
    monkeypatch.setattr("bench.data.arrays.BLOCK_VALUES", 12)
    on_disk = limit(dataset, 20)
    assert in_memory.fingerprint == on_disk.fingerprint
    assert np.array_equal(in_memory.base, on_disk.base)
    assert isinstance(on_disk.base, np.memmap)
    assert not isinstance(in_memory.base, np.memmap)
    assert not in_memory.labels.flags.writeable


def test_rows_that_have_no_room_on_disk_are_reported(monkeypatch):
    monkeypatch.setattr("bench.data.arrays.BLOCK_VALUES", 12)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1000, 990, 10))
    with refused("x", "21 rows", "336 bytes", "10 bytes", "BENCH_CACHE"):
        limit(checked("x", BASE, QUERIES, "l2"), 21)


def test_given_neighbours_are_kept_until_the_base_changes():
    neighbors = np.zeros((5, 3), np.uint32)
    dataset = checked("x", BASE, QUERIES, "l2", neighbors=neighbors)
    assert dataset.neighbors.dtype == np.int64
    assert not dataset.neighbors.flags.writeable
    assert dataset.fingerprint == checked("x", BASE, QUERIES, "l2").fingerprint
    assert limit(dataset, 50).neighbors is not None
    with warned("x"):
        assert limit(dataset, 49).neighbors is None
    for bad, named in (
        (neighbors[:4], ("(4, 3)", "5 queries")),
        (neighbors[0], ("(3,)", "5 queries")),
        (neighbors[:, :0], ("(5, 0)", "5 queries")),
        (neighbors.astype(float), ("float64",)),
    ):
        with refused("x", "neighbors", *named):
            checked("x", BASE, QUERIES, "l2", neighbors=bad)


def test_groups_of_queries_are_numbers_by_sorted_label_and_part_of_the_fingerprint():
    plain = checked("x", BASE, QUERIES, "l2")
    texts = checked("x", BASE, QUERIES, "l2", query_groups=np.array(["b", "a", "b", "c", "a"]))
    numbers = checked("x", BASE, QUERIES, "l2", query_groups=np.array([7, -1, 7, 9, -1]))
    assert texts.query_groups.tolist() == numbers.query_groups.tolist() == [1, 0, 1, 2, 0]
    assert texts.query_groups.dtype == np.int64
    assert not texts.query_groups.flags.writeable
    assert texts.fingerprint == numbers.fingerprint != plain.fingerprint
    assert limit(texts, 20).query_groups is texts.query_groups


def test_a_fingerprint_without_groups_is_what_it_was_before_there_were_any():
    """Baselines and the cache depend on it."""
    plain = checked("x", np.arange(12).reshape(6, 2), np.arange(4).reshape(2, 2), "l2", np.arange(6))
    assert plain.fingerprint == "6acaa8d2bfcf596a486d54cb580990a1f8f8e269279adf61be2883fcfe08d872"


def test_queries_that_are_all_of_one_group_are_refused_and_groups_of_one_query_are_none():
    with refused("x", "query_groups"):
        checked("x", BASE, QUERIES, "l2", query_groups=np.zeros(5, int))
    assert checked("x", BASE, QUERIES, "l2", query_groups=np.arange(5)[::-1]).query_groups is None
    assert checked("x", BASE, QUERIES[:1], "l2", query_groups=np.zeros(1, int)).query_groups is None


@pytest.mark.parametrize(
    ("groups", "named"),
    [
        (np.zeros(4, int), ("(4,)", "5 queries")),
        (np.zeros((5, 2), int), ("(5, 2)", "5 queries")),
        (np.array([0, 1, np.nan, 1, 0]), ("float64",)),
        (np.array([b"a", b"\xff", b"a", b"b", b"b"]), ("UTF-8",)),
    ],
)
def test_bad_groups_of_queries_are_refused_with_their_file(groups, named):
    with refused("g.txt", *named):
        checked("x", BASE, QUERIES, "l2", query_groups=groups, files={"query_groups": "g.txt"})


def test_a_limit_draws_rows_in_their_given_order_and_renames():
    labels = np.arange(50)
    dataset = checked("x", np.repeat(labels[:, None], 4, axis=1), QUERIES, "l2", labels)
    part = limit(dataset, 10)
    assert part.name == "x[10]"
    assert part.n == 10
    assert (np.diff(part.base[:, 0]) > 0).all()
    assert np.array_equal(part.base[:, 0], part.labels)
    assert np.array_equal(part.queries, dataset.queries)
    assert limit(dataset, 50) is dataset
