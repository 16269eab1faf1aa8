import struct
import warnings

import h5py
import numpy as np
import pytest
from support import writers
from support.datasets import from_files, whole_file
from support.messages import names, refused, warned

from bench import cache, digests
from bench.data.dataset import limit

ROWS = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
NEAR = np.arange(15).reshape(5, 3)
SMALL = np.arange(40, dtype=np.float32).reshape(20, 2) + 1


@pytest.fixture
def bundle(tmp_path):
    with h5py.File(tmp_path / "ann.hdf5", "w") as file:
        file["train"], file["test"], file["neighbors"] = ROWS, ROWS[:5] + 1, NEAR
        file["distances"], file["learn"] = np.zeros((5, 3)), ROWS
        file.attrs["distance"] = "angular"
    np.save(tmp_path / "q.npy", ROWS[:7])
    return tmp_path / "ann.hdf5"


def test_a_bundle_brings_queries_metric_and_neighbours(bundle):
    lines = []
    dataset = from_files(bundle, log=lines.append)
    assert (dataset.name, dataset.metric, dataset.n, len(dataset.queries)) == ("ann", "cosine", 60, 5)
    assert np.array_equal(dataset.base, ROWS)
    assert np.array_equal(dataset.queries, ROWS[:5] + 1)
    assert np.array_equal(dataset.neighbors, NEAR)
    assert [names(line, bundle, "cosine") for line in lines[:-1]] == [True]
    assert names(lines[-1], "distances, learn")  # arrays that are not used
    assert whole_file(bundle).metric == "cosine"
    assert len(whole_file(bundle).queries) == 0


def test_given_parts_replace_those_of_a_bundle(bundle, tmp_path):
    assert from_files(bundle, metric="cosine").neighbors is not None
    with warned("ann.hdf5", "cosine", "l2"):
        dataset = from_files(bundle, metric="l2")
    assert (dataset.metric, dataset.neighbors) == ("l2", None)
    with warned("ann.hdf5", "neighbors"):
        dataset = from_files(bundle, tmp_path / "q.npy")
    assert (dataset.metric, len(dataset.queries), dataset.neighbors) == ("cosine", 7, None)
    (tmp_path / "l.txt").write_text("a\nb\n" * 30)
    assert from_files(bundle, labels=tmp_path / "l.txt").labels.tolist() == ["a", "b"] * 30
    rows = b"".join(struct.pack("<4i", 3, *row) for row in NEAR[::-1])
    (tmp_path / "gt.ivecs").write_bytes(rows)
    assert np.array_equal(from_files(bundle, neighbors=tmp_path / "gt.ivecs").neighbors, NEAR[::-1])
    with refused("gt.ivecs", "(5, 3)", "7 queries"):
        from_files(bundle, tmp_path / "q.npy", neighbors=tmp_path / "gt.ivecs")


def test_an_empty_file_of_queries_is_named(tmp_path):
    np.save(tmp_path / "q.npy", ROWS[:0])
    np.savez(tmp_path / "b.npz", base=ROWS, queries=ROWS[:0])
    with refused("q.npy"):
        from_files(tmp_path / "b.npz", tmp_path / "q.npy")
    with refused("b.npz", "queries"):
        from_files(tmp_path / "b.npz")


def test_defaults_of_plain_files_are_printed(tmp_path):
    np.save(tmp_path / "b.npy", ROWS)
    lines = []
    dataset = from_files(tmp_path / "b.npy", log=lines.append)
    assert (dataset.metric, dataset.n, len(dataset.queries)) == ("l2", 54, 6)
    metric, held_out = lines
    assert names(metric, tmp_path / "b.npy", "l2")
    assert names(held_out, tmp_path / "b.npy", "6 rows", "queries")
    np.save(tmp_path / "gt.npy", NEAR)
    with refused("gt.npy", "queries"):
        from_files(tmp_path / "b.npy", neighbors=tmp_path / "gt.npy")


def test_labels_of_a_bundle_stay_with_their_rows(tmp_path):
    np.savez(tmp_path / "b.npz", base=ROWS, labels=np.arange(60))
    dataset = from_files(tmp_path / "b.npz")
    assert np.array_equal(dataset.base, ROWS[dataset.labels])


def test_errors_in_files_name_the_file_and_its_own_row(tmp_path):
    rows = np.ones((30, 4), np.float32)
    rows[20, 2] = np.nan
    np.save(tmp_path / "b.npy", rows)
    with refused("b.npy", "row 20"):
        from_files(tmp_path / "b.npy")


@pytest.mark.filterwarnings("ignore:.* those of other queries")
def test_errors_in_a_bundle_name_its_part_and_the_files_own_row(bundle, tmp_path):
    with h5py.File(bundle, "a") as file:
        file["test"][3, 1] = np.nan
    with refused("ann.hdf5", "test", "row 3"):
        from_files(bundle)
    np.save(tmp_path / "q.npy", ROWS[:7, :3])
    with refused("q.npy", 3, "ann.hdf5", "train", 4):
        from_files(bundle, tmp_path / "q.npy")


def test_rows_of_zeros_are_left_out_under_cosine(tmp_path):
    base, queries = SMALL.copy(), SMALL[:5].copy()
    base[3] = queries[1] = queries[2] = 0
    np.savez(tmp_path / "s.npz", base=base, queries=queries, neighbors=np.zeros((5, 1), dtype=np.int64))
    with (
        warned("s.npz", "base", "1 of 20"),
        warned("s.npz", "queries", "2 of 5"),
        warned("s.npz", "neighbors"),
    ):
        dataset = from_files(tmp_path / "s.npz", metric="cosine")
    assert (dataset.base == np.delete(base, 3, axis=0)).all()
    assert (dataset.queries == queries[[0, 3, 4]]).all()
    assert dataset.neighbors is None


def test_a_folder_without_vectors_is_refused(tmp_path):
    with refused(f"{tmp_path} is a folder"):
        from_files(tmp_path)


def test_labels_of_a_bundle_come_with_the_whole_file(tmp_path):
    np.savez(tmp_path / "s.npz", base=SMALL, labels=np.arange(20) % 3)
    assert (whole_file(tmp_path / "s.npz", "l2").labels == np.arange(20) % 3).all()
    np.savez(tmp_path / "s.npz", base=SMALL, labels=np.array([b"\xff"] * 20))
    with refused("s.npz", "labels", "UTF-8"):
        whole_file(tmp_path / "s.npz", "l2")


def test_rows_of_zeros_are_left_out_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.data.arrays.BLOCK_VALUES", 12)
    np.save(tmp_path / "b.npy", np.concatenate([SMALL, SMALL * 0]))
    np.save(tmp_path / "q.npy", SMALL)
    with warned("b.npy", "20 of 40"):
        dataset = from_files(tmp_path / "b.npy", tmp_path / "q.npy", metric="cosine")
    assert isinstance(dataset.base.base, np.memmap)
    assert np.array_equal(dataset.base, SMALL)


def test_held_out_queries_leave_the_base_in_its_order_and_keep_labels_aligned(tmp_path):
    rows = np.arange(200.0, dtype=np.float32)[:, None]
    np.savez(tmp_path / "x.npz", base=rows, labels=np.arange(200))
    held_out = from_files(tmp_path / "x.npz")
    base, queries, labels = held_out.base, held_out.queries, held_out.labels
    assert len(queries) == 20
    assert len(base) == 180
    assert np.array_equal(np.sort(np.concatenate([base, queries])[:, 0]), rows[:, 0])
    assert (np.diff(base[:, 0]) > 0).all()
    assert np.array_equal(base[:, 0], labels)
    # Another draw would part results from those in stores.
    assert queries[:5, 0].tolist() == [12, 17, 32, 36, 42]
    assert from_files(tmp_path / "x.npz", limit=20).base[:5, 0].tolist() == [0, 15, 22, 31, 41]
    assert np.array_equal(from_files(tmp_path / "x.npz").queries, queries)


def test_too_few_rows_to_hold_out_queries_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", ROWS[:9])
    with refused("x.npy", 9, 10):
        from_files(tmp_path / "x.npy")


@pytest.mark.parametrize("name", writers.WRITERS)
@pytest.mark.parametrize("values", [1 << 24, 8])
@pytest.mark.filterwarnings("ignore::bench.errors.BenchWarning")
def test_a_limit_takes_the_rows_that_it_takes_of_the_whole(tmp_path, monkeypatch, name, values):
    monkeypatch.setattr("bench.data.arrays.BLOCK_VALUES", values)
    suffix, write, types = writers.WRITERS[name]
    rows = np.random.default_rng(0).integers(0, 100, (50, 5)).astype(types.split()[0])
    write(tmp_path / f"x{suffix}", rows)
    np.save(tmp_path / "q.npy", ROWS[:3, :1] + np.zeros(5, np.float32))
    for queries in (None, tmp_path / "q.npy"):
        whole = limit(from_files(tmp_path / f"x{suffix}", queries), 20)
        part = from_files(tmp_path / f"x{suffix}", queries, limit=20)
        assert (part.name, part.fingerprint) == (whole.name, whole.fingerprint) == ("x[20]", part.fingerprint)
        assert from_files(tmp_path / f"x{suffix}", queries, limit=50).name == "x"


def test_few_rows_of_a_large_file_are_taken_without_converting_it(tmp_path, monkeypatch):
    """512 MB, whose conversion would take 2 GB; all zeros, so that no block of it is on disk."""
    with (tmp_path / "x.u8bin").open("wb") as file:
        file.write(struct.pack("<II", 4_000_000, 128))
        file.truncate(8 + 4_000_000 * 128)
    monkeypatch.setattr(cache, "_write", lambda *_: pytest.fail("converted"))
    monkeypatch.setattr(digests, "file_digest", lambda *_: pytest.fail("read whole"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        part = from_files(tmp_path / "x.u8bin", limit=500)
    assert (part.n, len(part.queries)) == (500, 1000)
    assert [names(warning.message, tmp_path / "x.u8bin", "uint8", "float32") for warning in caught] == [True]


def test_neighbours_of_all_rows_go_with_a_limit_and_that_is_reported(bundle):
    with warned("ann.hdf5", "neighbors"):
        assert from_files(bundle, limit=59).neighbors is None
    assert from_files(bundle, limit=60).neighbors is not None


def test_errors_in_a_part_of_a_file_count_its_rows(tmp_path):
    rows = ROWS.copy()
    np.save(tmp_path / "b.npy", rows)
    part = from_files(tmp_path / "b.npy", limit=20)
    for row in (part.base[7], part.queries[2]):
        number = int(np.flatnonzero((row == ROWS).all(axis=1))[0])
        rows = ROWS.copy()
        rows[number] = np.inf
        np.save(tmp_path / "b.npy", rows)
        with refused("b.npy", f"row {number}"):
            from_files(tmp_path / "b.npy", limit=20)


def test_a_distance_that_is_unknown_gives_way_to_the_requested_metric(bundle):
    with h5py.File(bundle, "a") as file:
        file.attrs["distance"] = "manhattan"
    with refused("ann.hdf5", "'manhattan'", "euclidean, l2"):
        from_files(bundle)
    with warned("ann.hdf5", "manhattan", "l2"):
        dataset = from_files(bundle, metric="l2")
    assert (dataset.metric, dataset.neighbors) == ("l2", None)


def test_a_dataset_of_one_array_of_a_file_has_the_files_name(tmp_path):
    with h5py.File(tmp_path / "groups.h5", "w") as file:
        file["a/train"] = ROWS
    assert from_files(tmp_path / "groups.h5#a/train").name == "groups"
    assert whole_file(tmp_path / "groups.h5#a/train").name == "groups"


def test_labels_may_be_one_column(tmp_path):
    np.save(tmp_path / "b.npy", ROWS)
    (tmp_path / "l.ivecs").write_bytes(b"".join(struct.pack("<2i", 1, row % 7) for row in range(60)))
    assert whole_file(tmp_path / "b.npy", labels=tmp_path / "l.ivecs").labels.tolist() == [n % 7 for n in range(60)]


GROUPS = ["u1", "u2", "u1", "u3", "u2"]


@pytest.fixture
def grouped(tmp_path):
    """A folder with a bundle of queries and their groups, other queries, and files of groups."""
    np.savez(tmp_path / "b.npz", base=ROWS, queries=ROWS[:5] + 1, query_groups=GROUPS)
    np.save(tmp_path / "base.npy", ROWS)
    np.save(tmp_path / "q.npy", ROWS[:4] + 2)
    (tmp_path / "g.txt").write_text("a\nb\nb\na\n")
    return tmp_path


def test_groups_of_queries_come_from_a_bundle_or_a_file(grouped):
    dataset = from_files(grouped / "b.npz")
    assert dataset.query_groups.tolist() == [0, 1, 0, 2, 1]
    assert dataset.fingerprint != from_files(grouped / "base.npy", grouped / "b.npz").fingerprint
    assert from_files(grouped / "b.npz", limit=30).query_groups.tolist() == [0, 1, 0, 2, 1]
    given = from_files(grouped / "base.npy", grouped / "q.npy", query_groups=grouped / "g.txt")
    assert given.query_groups.tolist() == [0, 1, 1, 0]
    assert whole_file(grouped / "b.npz").query_groups is None
    other = grouped / "b.npz#query_groups"
    assert from_files(grouped / "base.npy", grouped / "b.npz", query_groups=other).query_groups.tolist() == [
        0,
        1,
        0,
        2,
        1,
    ]


def test_groups_of_other_queries_are_left_out_with_a_warning(grouped):
    with warned("b.npz", "query_groups"):
        assert from_files(grouped / "b.npz", grouped / "q.npy").query_groups is None
    given = from_files(grouped / "b.npz", grouped / "q.npy", query_groups=grouped / "g.txt")
    assert given.query_groups.tolist() == [0, 1, 1, 0]


def test_groups_that_do_not_fit_the_queries_are_refused_with_their_file(grouped):
    with refused("g.txt", "(4,)", "5 queries"):
        from_files(grouped / "b.npz", query_groups=grouped / "g.txt")
    with refused("g.txt", "queries"):
        from_files(grouped / "base.npy", query_groups=grouped / "g.txt")
    (grouped / "g.txt").write_text("a\n" * 4)
    with refused("g.txt"):
        from_files(grouped / "base.npy", grouped / "q.npy", query_groups=grouped / "g.txt")


@pytest.mark.filterwarnings("ignore:.* all zeros")
def test_groups_stay_with_queries_where_others_are_dropped(tmp_path):
    queries = SMALL[:5].copy()
    queries[1] = 0
    np.savez(tmp_path / "s.npz", base=SMALL, queries=queries, query_groups=[4, 4, 6, 6, 8])
    dataset = from_files(tmp_path / "s.npz", metric="cosine")
    assert dataset.query_groups.tolist() == [0, 1, 1, 2]
