"""Orders by a user: a file of row numbers, and the part of it that a dataset has."""

import numpy as np
import pytest
from support.datasets import checked, from_files
from support.messages import refused, warned

from bench import orders
from bench.data.dataset import limit
from bench.data.formats import ids
from bench.geometry import Geometry
from bench.orders.own import of_source

N = 40


@pytest.fixture
def rows(tmp_path):
    """A file of N rows, no two alike."""
    np.save(tmp_path / "rows.npy", np.arange(2 * N, dtype=np.float32).reshape(N, 2))
    return tmp_path / "rows.npy"


def own(dataset, path):
    """The order that a file gives of a dataset, as trials get it."""
    params = orders.parameters("file", {"file": str(path)})
    orders.check("file", params, dataset)
    [found] = orders.expand("file", params, dataset)
    return orders.make("file", found, dataset, Geometry(dataset), 1)


def save(path, numbers):
    path.write_bytes(ids.written(np.asarray(numbers), path))
    return path


@pytest.mark.parametrize("suffix", [".npy", ".txt", ".parquet"])
def test_an_order_comes_back_from_every_format_as_it_was_written(tmp_path, rows, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    dataset = from_files(rows, rows)
    permutation = np.random.default_rng(0).permutation(N)
    assert np.array_equal(own(dataset, save(tmp_path / f"mine{suffix}", permutation)), permutation)


def test_rows_held_out_as_queries_and_left_out_by_a_limit_are_dropped_from_an_order(tmp_path, rows):
    permutation = np.random.default_rng(1).permutation(N)
    mine = save(tmp_path / "mine.npy", permutation)
    vectors = np.load(rows)
    for dataset in (
        from_files(rows),
        from_files(rows, limit=15),
        limit(from_files(rows), 15),
        limit(from_files(rows), 7),
    ):
        assert dataset.n < N
        inserted = dataset.base[own(dataset, mine)]
        stays = {tuple(row) for row in dataset.base}
        assert [tuple(row) for row in inserted] == [tuple(row) for row in vectors[permutation] if tuple(row) in stays]


@pytest.fixture
def without_zeros(tmp_path):
    """A dataset of 12 rows of which 3 and 8 are left out, being all zeros."""
    vectors = np.eye(12, dtype=np.float32)
    vectors[[3, 8]] = 0
    np.save(tmp_path / "rows.npy", vectors)
    np.save(tmp_path / "queries.npy", vectors[:1])
    with warned("rows.npy", "2 of 12"):
        return from_files(tmp_path / "rows.npy", tmp_path / "queries.npy", metric="cosine")


def test_rows_of_zeros_that_are_left_out_are_dropped_from_an_order(tmp_path, without_zeros):
    backwards = own(without_zeros, save(tmp_path / "mine.txt", np.arange(12)[::-1]))
    whole = np.delete(np.eye(12), [3, 8], axis=0)
    assert np.array_equal(without_zeros.base[backwards], whole[::-1])


def test_an_order_by_the_rows_of_the_source_has_those_that_the_base_lacks_at_its_end(tmp_path, small, without_zeros):
    backwards = of_source(without_zeros, np.arange(10)[::-1])
    assert backwards.tolist() == [11, 10, 9, 7, 6, 5, 4, 2, 1, 0, 3, 8]
    assert own(without_zeros, save(tmp_path / "mine.npy", backwards)).tolist() == list(range(9, -1, -1))
    assert of_source(small, np.arange(small.n)).tolist() == list(range(small.n))


def test_a_dataset_that_is_no_part_of_a_file_is_ordered_by_its_own_rows(tmp_path, small):
    permutation = np.random.default_rng(2).permutation(small.n)
    assert np.array_equal(own(small, save(tmp_path / "mine.npy", permutation)), permutation)


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ([*range(N - 1), 0], ("row 0", "2 times", "40 rows")),
        (range(N - 1), ("39 rows", "row 39", "40 rows")),
        (range(N + 1), ("row 40", "40 rows", 0, 39)),
        ([-1, *range(1, N)], ("row -1", "40 rows")),
        ([], ("0 rows", "row 0", "40 rows")),
    ],
)
def test_numbers_that_are_no_permutation_are_refused_with_the_row(tmp_path, rows, numbers, named):
    path = tmp_path / "mine.npy"
    np.save(path, np.array(list(numbers), dtype=np.int64))
    with refused("mine.npy", *named):
        own(from_files(rows), path)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("mine.txt", b"0\n1\ntwo\n", ("'two'", "number 3")),
        ("mine.txt", b"0 1 2.5", ("'2.5'", "number 3")),
        ("mine.txt", b"\xff\xfe0", ("UTF-8",)),
        ("mine.npy", b"\x93NUMPY", ()),
        ("mine.csv", b"0\n", ("'.csv'", ".npy, .txt, .parquet")),
        ("nowhere/mine.npy", None, (".npy, .txt, .parquet",)),
    ],
)
def test_a_file_that_is_no_order_is_named(tmp_path, small, name, content, named):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with refused(tmp_path / name, *named):
        own(small, tmp_path / name)


def test_numbers_that_are_not_whole_or_not_one_row_are_refused(tmp_path, small):
    for array in (np.arange(4.0), np.zeros((2, 2), dtype=int)):
        np.save(tmp_path / "mine.npy", array)
        with refused("mine.npy", str(array.shape), array.dtype):
            own(small, tmp_path / "mine.npy")


def test_the_order_of_a_file_needs_one(small):
    with refused("--orders ./mine.npy", 'file = "mine.npy"'):
        orders.check("file", orders.parameters("file", {}), small)
    with refused("--orders ./mine.npy", 'file = "mine.npy"'):
        orders.check("file", orders.parameters("file", {"sha256": "f" * 64}), small)


def test_the_same_numbers_are_one_order_and_others_another(tmp_path):
    dataset = checked("x", np.eye(5), np.eye(5)[:1], "l2")

    def expanded(numbers):
        params = orders.parameters("file", {"file": str(save(tmp_path / "mine.npy", numbers))})
        return orders.expand("file", params, dataset)

    assert expanded([0, 1, 2, 3, 4]) == expanded([0, 1, 2, 3, 4]) != expanded([4, 3, 2, 1, 0])
