"""Rows of zeros under cosine: left out by all that reads a file, while row numbers stay the file's."""

import json

import numpy as np
import pytest
from support import writers
from support.datasets import from_files, load, whole_file
from support.messages import names, refused, warned

import bench
from bench import digests, orders
from bench.orders import own

ROWS = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
ZEROS = [3, 41]
ROWS[ZEROS] = 0
REST = np.delete(np.arange(60), ZEROS)


@pytest.fixture(params=["npy", "hdf5", "npz", "fbin", "parquet"])
def path(request, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.data.formats.array._BLOCK_BYTES", 100)
        yield writers.written(tmp_path, request.param, ROWS)


def test_rows_of_zeros_are_left_out_of_any_format_and_numbers_stay_the_files(path, tmp_path):
    labels = tmp_path / "l.txt"
    labels.write_text("".join(f"row {row}\n" for row in range(60)))
    with warned(path.name, "2 of 60"):
        dataset = whole_file(path, "cosine", labels)
    assert np.array_equal(dataset.base, ROWS[REST])
    assert (dataset.source_rows.tolist(), dataset.source_count) == (REST.tolist(), 60)
    assert dataset.labels.tolist() == [f"row {row}" for row in REST]
    with warned(path.name, "2 of 60"):
        held_out = from_files(path, labels=labels, metric="cosine")
    assert np.array_equal(held_out.base, ROWS[held_out.source_rows])
    assert [f"row {row}" for row in held_out.source_rows] == held_out.labels.tolist()
    assert whole_file(path, "l2").n == 60


@pytest.mark.filterwarnings("ignore:.* all zeros")
def test_an_order_of_all_rows_has_those_of_zeros_last_and_is_taken_back(path, tmp_path):
    dataset = whole_file(path, "cosine")
    rows = orders.of_all_rows("norm-ascending", {}, dataset, 1, lambda line: None)
    assert sorted(rows.tolist()) == list(range(60))
    assert rows[-2:].tolist() == ZEROS
    lengths = np.linalg.norm(ROWS[rows[:-2]], axis=1)
    assert (np.diff(lengths) >= 0).all()
    np.save(tmp_path / "mine.npy", rows)
    [params] = own.restricted(dataset, file=str(tmp_path / "mine.npy"))
    order = own.from_file(dataset, None, np.random.default_rng(0), **params)
    assert np.array_equal(dataset.source_rows[order], rows[:-2])


@pytest.mark.filterwarnings("ignore:.* all zeros")
def test_lid_has_a_value_for_each_row_of_the_file_and_none_for_zeros(path):
    estimates = bench.lid(path, k=10, metric="cosine")
    assert estimates.shape == (60,)
    assert np.flatnonzero(np.isnan(estimates)).tolist() == ZEROS


def test_arrays_in_memory_lose_their_rows_of_zeros_too():
    with warned("vectors", "2 of 60"):
        order = bench.order(ROWS, "random", metric="cosine")
    assert order[-2:].tolist() == ZEROS


def test_a_file_of_zeros_alone_is_refused(tmp_path):
    for name, rows in (("b.npy", ROWS), ("z.npy", ROWS * 0)):
        np.save(tmp_path / name, rows)
    with refused("z.npy", "60 of 60"):
        whole_file(tmp_path / "z.npy", "cosine")
    with warned("b.npy", "2 of 60"), refused("z.npy", "60 of 60"):
        from_files(tmp_path / "b.npy", tmp_path / "z.npy", metric="cosine")


@pytest.mark.filterwarnings("ignore:.* all zeros")
def test_neighbours_follow_the_queries_that_are_left(tmp_path):
    queries = ROWS[:5]  # of which row 3 is zeros
    near = np.arange(15).reshape(5, 3)
    np.savez(tmp_path / "b.npz", base=ROWS[REST], queries=queries, neighbors=near)
    dataset = from_files(tmp_path / "b.npz", metric="cosine")
    assert dataset.neighbors.tolist() == np.delete(near, 3, axis=0).tolist()


def test_rows_of_zeros_are_left_out_of_records_and_numbers_stay_those_of_the_base(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    is_query = np.arange(60) % 4 == 1  # row 41, of zeros, is one
    fields = [{"split": "test" if query else "train", "row": str(row)} for row, query in enumerate(is_query)]
    np.save(tmp_path / "zeros.npy", ROWS)
    (tmp_path / "r.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in fields))
    sums = "".join(f"'{file}' = '{digests.file_digest(tmp_path / file)}'\n" for file in ("zeros.npy", "r.jsonl"))
    (tmp_path / "my.toml").write_text(
        "title = 'x'\nmetric = 'cosine'\n[records]\nvectors = 'zeros.npy'\nrecords = 'r.jsonl'\nsplit_field = 'split'\n"
        f"query_splits = ['test']\nmax_queries = 99\nlabel_field = 'row'\n[records.sha256]\n{sums}"
    )
    for _ in range(2):  # made, and from the cache
        with warned("my.toml") as caught:
            dataset = load("my.toml", beside=tmp_path)
        of_base, of_queries = (one.message for one in caught)
        assert names(of_base, "base", "1 of 45")
        assert names(of_queries, "queries", "1 of 15")
        assert np.array_equal(dataset.base, np.delete(ROWS[~is_query], 2, axis=0))  # row 3 is the base's third
        assert (dataset.source_count, np.setdiff1d(np.arange(45), dataset.source_rows).tolist()) == (45, [2])
        assert dataset.labels.tolist() == np.delete(np.flatnonzero(~is_query), 2).astype(str).tolist()
        assert len(dataset.queries) == 14
