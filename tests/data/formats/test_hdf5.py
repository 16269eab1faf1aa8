import h5py
import numpy as np
import pytest
from support import writers
from support.datasets import from_files
from support.messages import refused, warned
from support.writers import ROWS

from bench.data import formats
from bench.data.formats import read_vectors


def test_learn_of_vibe_is_searched_with_where_it_is_named(tmp_path):
    rng = np.random.default_rng(0)
    base, learn, test = (rng.standard_normal((n, 4)).astype(np.float32) for n in (30, 9, 5))
    nearest = ((learn[:, None] - base) ** 2).sum(axis=2).argsort(axis=1)[:, :3]
    with h5py.File(tmp_path / "v.hdf5", "w") as file:
        file["train"], file["test"], file["learn"], file["learn_neighbors"] = base, test, learn, nearest
        file["neighbors"] = np.zeros((5, 3), np.int32)
        file.attrs["distance"] = "euclidean"
    path = tmp_path / "v.hdf5"
    assert np.array_equal(from_files(path).queries, test)
    dataset = from_files(path, tmp_path / "v.hdf5#learn", metric="l2", neighbors=tmp_path / "v.hdf5#learn_neighbors")
    assert np.array_equal(dataset.queries, learn)
    assert np.array_equal(dataset.neighbors, nearest)
    assert dataset.name == "v"


@pytest.mark.parametrize(
    ("stated", "metric"),
    [
        ("euclidean", "l2"),
        ("angular", "cosine"),
        (b"cosine", "cosine"),
        ("normalized", "cosine"),
        ("ip", "ip"),
        ("Inner_Product", "ip"),
        ("dot-product", "ip"),
        ("mips", "ip"),
        ("sqeuclidean", "l2"),
        (np.bytes_(b"cos \0\0"), "cosine"),
        (np.array([b"angular"]), "cosine"),
        ("", None),
        (h5py.Empty("S4"), None),
        ("Manhattan", "manhattan"),
    ],
)
def test_hdf5_states_its_metric(tmp_path, stated, metric):
    writers.hdf5(tmp_path / "x.hdf5", np.ones((3, 2), np.float32))
    assert formats.read(tmp_path / "x.hdf5").metric is None
    with h5py.File(tmp_path / "x.hdf5", "a") as file:
        file.attrs["distance"] = stated
    assert formats.read(tmp_path / "x.hdf5").metric == metric


def test_hdf5_floats_that_numpy_does_not_have_are_converted_not_mapped(tmp_path):
    bfloat16 = h5py.h5t.IEEE_F32LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_size(2)
    bfloat16.set_ebias(127)
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        created = h5py.h5d.create(file.id, b"train", bfloat16, h5py.h5s.create_simple(ROWS.shape))
        h5py.Dataset(created)[...] = ROWS
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5"), ROWS)


def test_arrays_of_types_that_numpy_lacks_are_left_alone(tmp_path):
    writers.hdf5(tmp_path / "x.hdf5", ROWS)
    with h5py.File(tmp_path / "x.hdf5", "a") as file:
        h5py.h5d.create(file.id, b"times", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((3,)))
    assert list(formats.read(tmp_path / "x.hdf5").arrays) == ["train"]


def test_links_of_hdf5_are_followed_to_where_the_array_lies(tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["before"], file["train"] = np.ones(99), ROWS + 1
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["group/rows"] = ROWS
        file["train"] = h5py.SoftLink("/group/rows")
        file["test"] = h5py.ExternalLink("other.hdf5", "/train")
        file["nowhere"], file["missing"] = h5py.SoftLink("/no"), h5py.ExternalLink("no.hdf5", "/no")
        file["circle"] = h5py.SoftLink("/circle")
    assert sorted(formats.read(tmp_path / "x.hdf5").arrays) == ["group/rows", "test", "train"]
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5"), ROWS)
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5", "queries"), ROWS + 1)
    writers.hdf5_chunked(tmp_path / "other.hdf5", ROWS + 2)
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5", "queries"), ROWS + 2)
    writers.hdf5_chunked(tmp_path / "other.hdf5", ROWS + 3)  # the conversion depends on its content
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5", "queries"), ROWS + 3)


def lists(path, name, rows, dtype=np.float32):
    """Adds an array of lists of any length, as h5py writes them."""
    with h5py.File(path, "a") as file:
        array = file.create_dataset(name, (len(rows),), h5py.vlen_dtype(dtype))
        for place, row in enumerate(rows):
            array[place] = row


@pytest.mark.parametrize("block_bytes", [1 << 24, 40])
def test_lists_of_one_length_are_rows(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr("bench.data.formats.array._BLOCK_BYTES", block_bytes)
    path = tmp_path / "x.h5"
    lists(path, "train", ROWS)
    lists(path, "test", ROWS[:5] + 1)
    lists(path, "neighbors", np.arange(10).reshape(5, 2), np.int32)
    lists(path, "labels", [[row % 3] for row in range(10)], np.int64)
    dataset = from_files(path)
    assert np.array_equal(dataset.base, ROWS)
    assert np.array_equal(dataset.queries, ROWS[:5] + 1)
    assert np.array_equal(dataset.neighbors, np.arange(10).reshape(5, 2))
    assert dataset.labels.tolist() == [row % 3 for row in range(10)]
    assert np.array_equal(read_vectors(path), ROWS)


@pytest.mark.filterwarnings("ignore:.*converted to float32")
@pytest.mark.parametrize("part", ["train", "test", "labels"])
@pytest.mark.parametrize(
    ("rows", "dtype", "named"),
    [
        ([[1, 2, 3, 4]] * 9 + [[1, 2, 3]], np.int32, ("row 9",)),
        ([[]] * 10, np.float32, ("(10, 0)",)),
        ([["a"]] * 10, h5py.string_dtype(), ()),
    ],
)
def test_other_lists_are_refused_with_their_array(tmp_path, part, rows, dtype, named):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.update({name: ROWS for name in ("train", "test") if name != part})
    lists(tmp_path / "x.h5", part, rows, dtype)
    with refused("x.h5", part, *named) as error:
        from_files(tmp_path / "x.h5")
    assert "\n" not in str(error.value)


UNUSABLE = {
    "float": np.zeros((5, 3)),
    "3-d": np.zeros((5, 3, 1), int),
    "text": ["a"] * 5,
    "one row short": np.zeros((4, 3), int),
    "no columns": np.zeros((5, 0), int),
}


@pytest.mark.parametrize("kind", [*UNUSABLE, "lists of other lengths", "no queries"])
def test_unusable_neighbours_of_a_file_are_left_out_but_refused_if_they_are_named(tmp_path, kind):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["train"], file["test" if kind != "no queries" else "other"] = np.repeat(ROWS, 2, axis=0), ROWS[:5]
        if kind in UNUSABLE:
            file["neighbors"] = UNUSABLE[kind]
    if kind not in UNUSABLE:
        lists(path, "neighbors", [[1, 2], [1]] * 5, np.int32)
    with warned("x.h5", "neighbors"):
        assert from_files(path).neighbors is None
    with refused("x.h5", "neighbors"):
        from_files(path, neighbors=tmp_path / "x.h5#neighbors")
