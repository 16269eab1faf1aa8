import shutil
import struct
import subprocess
import sys
import warnings
import zipfile

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support import writers

from bench import cache, cli
from bench.data import formats, from_files
from bench.data.formats import read_labels, read_vectors
from bench.data.formats.array import vectors
from bench.data.formats.npy import open_npy
from bench.errors import BenchError, BenchWarning

EACH = [(name, dtype) for name, (_, _, types) in writers.WRITERS.items() for dtype in types.split()]


def written(folder, name, rows):
    suffix, write, _ = writers.WRITERS[name]
    path = folder / f"x{suffix}"
    write(path, rows)
    return path


@pytest.mark.parametrize(("name", "dtype"), EACH)
@pytest.mark.parametrize("in_blocks", [True, False])
def test_every_format_reads_back_what_was_written(tmp_path, monkeypatch, name, dtype, in_blocks):
    if in_blocks:
        monkeypatch.setattr("bench.data.formats.array._BLOCK_BYTES", 100)
        monkeypatch.setattr("bench.data.formats.parquet._BATCH_ROWS", 3)
    rows = np.random.default_rng(0).integers(0, 100, (50, 5)).astype(dtype)
    if rows.dtype.kind == "f":
        rows = (rows / np.float32(7)).astype(dtype)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read = read_vectors(written(tmp_path, name, rows))
    assert read.dtype == np.float32
    assert read.flags.c_contiguous
    assert not read.flags.writeable
    assert np.array_equal(read, rows.astype(np.float32))
    told = [str(warning.message) for warning in caught if warning.category is BenchWarning]
    assert len(told) == (rows.dtype != np.float32)
    assert all(f"holds {rows.dtype}; converted to float32" in line for line in told)


def test_every_suffix_is_tested():
    assert {suffix for suffix, _, _ in writers.WRITERS.values()} == set(formats.READERS)


@pytest.mark.parametrize("name", ["npy", "hdf5", "fbin"])
def test_float32_in_one_piece_is_mapped_and_no_copy_is_kept(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    read_vectors(written(tmp_path, name, np.ones((5, 3), np.float32)))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["fvecs", "npz", "hdf5, chunked", "parquet"])
def test_a_conversion_is_made_once_for_a_content(tmp_path, monkeypatch, name):
    rows = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    first = read_vectors(written(tmp_path, name, rows))
    assert isinstance(first, np.memmap)
    path = written(tmp_path, name, rows + 1)  # the same name, size, and perhaps time
    assert np.array_equal(read_vectors(path), rows + 1)
    monkeypatch.setattr(cache, "_write", lambda *_: pytest.fail("converted again"))
    assert np.array_equal(read_vectors(path), rows + 1)


@settings(max_examples=25, deadline=None)
@given(rows=arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 9)), elements=st.floats(width=32)))
def test_any_float32_survives_every_format_bit_by_bit(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("bits")
    for name in ("fvecs", "fbin", "hdf5", "npz", "parquet"):
        assert read_vectors(written(folder, name, rows)).tobytes() == rows.tobytes()


def test_float64_beyond_float32_becomes_infinite_for_the_check_to_find(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 1e300]]))
    with pytest.warns(BenchWarning, match="float64"):
        assert np.isinf(read_vectors(tmp_path / "x.npy")[0, 1])


def test_ground_truth_of_big_ann_gives_its_ids(tmp_path):
    ids, path = np.arange(6, dtype=np.int32).reshape(2, 3), tmp_path / "gt.ibin"
    path.write_bytes(struct.pack("<II", 2, 3) + ids.tobytes() + np.ones((2, 3), np.float32).tobytes())
    found = formats.get(formats.read(path), "neighbors")
    assert np.array_equal(found.mapped, ids)
    with pytest.raises(BenchError, match=r"gt\.ibin has no base or train; it holds: neighbors"):
        read_vectors(path)


def test_a_bundle_gives_parts_by_either_name(tmp_path):
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.savez(tmp_path / "a.npz", train=rows, test=rows[:2], labels=np.array(["a", "b", "c", "d"]))
    np.savez(tmp_path / "b.npz", base=rows, queries=rows[:2])
    for name in ("a.npz", "b.npz"):
        assert np.array_equal(read_vectors(tmp_path / name), rows)
        assert np.array_equal(read_vectors(tmp_path / name, "queries"), rows[:2])
    assert read_labels(tmp_path / "a.npz").tolist() == ["a", "b", "c", "d"]
    np.savez(tmp_path / "c.npz", base=rows, train=rows)
    with pytest.raises(BenchError, match=r"c\.npz holds base and train: leave one of them out"):
        read_vectors(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", test=rows)
    with pytest.raises(BenchError, match=r"d\.npz has no base or train; it holds: test"):
        read_vectors(tmp_path / "d.npz")


def test_an_array_of_a_bundle_goes_by_its_name(tmp_path):
    hdf5_of_groups(tmp_path / "x.h5")
    np.save(tmp_path / "x.npy", ROWS)
    parquet_with(tmp_path / "x.parquet", a=ROWS.tolist(), b=pa.array([[2.0]] * 10, pa.list_(pa.float32())))
    assert np.array_equal(read_vectors(tmp_path / "x.h5#a/b"), ROWS)
    assert np.array_equal(read_vectors(tmp_path / "x.h5#c", "queries"), ROWS)
    assert read_vectors(tmp_path / "x.parquet#b").tolist() == [[2.0]] * 10
    with pytest.raises(BenchError, match=r"unknown array in .*x\.h5 'd'; known: a/b, c$"):
        read_vectors(tmp_path / "x.h5#d")
    with pytest.raises(BenchError, match=r"unknown array in .*x\.npy 'a'; known: none"):
        read_vectors(tmp_path / "x.npy#a")
    np.save(tmp_path / "c#.npy", ROWS)  # a name that has one itself
    assert np.array_equal(read_vectors(tmp_path / "c#.npy"), ROWS)
    with pytest.raises(BenchError, match=r"y\.h5 does not exist"):
        read_vectors(tmp_path / "y.h5#a")


def test_learn_of_vibe_is_searched_with_where_it_is_named(tmp_path):
    rng = np.random.default_rng(0)
    base, learn, test = (rng.standard_normal((n, 4)).astype(np.float32) for n in (30, 9, 5))
    nearest = ((learn[:, None] - base) ** 2).sum(axis=2).argsort(axis=1)[:, :3]
    with h5py.File(tmp_path / "v.hdf5", "w") as file:
        file["train"], file["test"], file["learn"], file["learn_neighbors"] = base, test, learn, nearest
        file["neighbors"] = np.zeros((5, 3), np.int32)
        file.attrs["distance"] = "euclidean"
    path = tmp_path / "v.hdf5"
    assert np.array_equal(from_files.from_files(path).queries, test)
    found = from_files.from_files(
        path, tmp_path / "v.hdf5#learn", metric="l2", neighbors=tmp_path / "v.hdf5#learn_neighbors"
    )
    assert np.array_equal(found.queries, learn)
    assert np.array_equal(found.neighbors, nearest)
    assert found.name == "v"


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
        made = h5py.h5d.create(file.id, b"train", bfloat16, h5py.h5s.create_simple(ROWS.shape))
        h5py.Dataset(made)[...] = ROWS
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
        file["there/rows"] = ROWS
        file["train"] = h5py.SoftLink("/there/rows")
        file["test"] = h5py.ExternalLink("other.hdf5", "/train")
        file["nowhere"], file["missing"] = h5py.SoftLink("/no"), h5py.ExternalLink("no.hdf5", "/no")
        file["circle"] = h5py.SoftLink("/circle")
    assert sorted(formats.read(tmp_path / "x.hdf5").arrays) == ["test", "there/rows", "train"]
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5"), ROWS)
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5", "queries"), ROWS + 1)
    writers.hdf5_chunked(tmp_path / "other.hdf5", ROWS + 2)
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5", "queries"), ROWS + 2)
    writers.hdf5_chunked(tmp_path / "other.hdf5", ROWS + 3)  # what is kept goes by its content
    assert np.array_equal(read_vectors(tmp_path / "x.hdf5", "queries"), ROWS + 3)


def test_rows_of_one_dimension_are_looked_for_when_they_are_read(tmp_path, monkeypatch):
    uneven(tmp_path / "x.fvecs", bytes(8))
    monkeypatch.setattr("bench.data.formats.texmex.spans", lambda *_: pytest.fail("read"))
    found = formats.get(formats.read(tmp_path / "x.fvecs"), "base")
    assert found.shape == (15, 2)
    assert vectors(found, np.arange(13)).shape == (13, 2)
    with pytest.raises(BenchError, match="dimension 3 in row 13"):
        vectors(found, np.array([2, 13]))


@pytest.mark.parametrize("name", writers.WRITERS)
@pytest.mark.parametrize("values", [1 << 24, 8])
def test_chosen_rows_are_those_of_the_whole_file(tmp_path, monkeypatch, name, values):
    monkeypatch.setattr("bench.data.dataset._BLOCK_VALUES", values)
    monkeypatch.setattr("bench.data.formats.array._BLOCK_BYTES", 100)
    rows = np.random.default_rng(0).integers(0, 100, (50, 5)).astype(writers.WRITERS[name][2].split()[0])
    found = formats.get(formats.read(written(tmp_path, name, rows)), "base")
    chosen = np.array([0, 3, 4, 17, 48, 49])
    assert np.array_equal(vectors(found, chosen), rows[chosen].astype(np.float32))
    assert np.array_equal(vectors(found, np.arange(50)), rows.astype(np.float32))


def test_a_conversion_that_has_no_room_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(BenchError, match=r"x\.fvecs, as float32, needs 160 bytes, .* has 10 bytes free: make room"):
        read_vectors(written(tmp_path, "fvecs", ROWS))


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    for name in ("npy", "npz", "hdf5", "fvecs", "fbin", "parquet"):
        path = written(tmp_path, name, ROWS)
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.open", refuse)
            with pytest.raises(BenchError, match=rf"cannot read {path}: Permission denied; allow it, or name another"):
                read_vectors(path)
    (tmp_path / "l.txt").write_text("a\n")
    monkeypatch.setattr("pathlib.Path.stat", refuse)  # as of a file in a folder that may not be entered
    for read, name in ((read_vectors, "x.npy#a"), (read_labels, "l.txt")):
        with pytest.raises(BenchError, match=r"cannot read .*: Permission denied"):
            read(tmp_path / name)


def test_an_array_of_objects_is_refused_where_it_is_asked_for(tmp_path):
    np.savez(tmp_path / "x.npz", base=ROWS, extra=ROWS[:2], labels=np.array([Trap()] * 10, dtype=object))
    assert np.array_equal(read_vectors(tmp_path / "x.npz"), ROWS)
    assert np.array_equal(read_vectors(tmp_path / "x.npz#extra"), ROWS[:2])
    with pytest.raises(BenchError, match=r"x\.npz: labels holds Python objects, which are never unpickled"):
        read_labels(tmp_path / "x.npz")


def test_any_version_of_a_header_is_read_from_npz(tmp_path):
    for version in [(1, 0), (2, 0), (3, 0)]:
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive, archive.open("base.npy", "w") as stream:
            np.lib.format.write_array(stream, ROWS, version)
        assert np.array_equal(read_vectors(tmp_path / "x.npz"), ROWS)


def test_labels_are_lines_of_text_or_strings_of_any_array(tmp_path):
    (tmp_path / "l.txt").write_text("red\ngreen blue\n\nÄ\n", encoding="utf-8")
    assert read_labels(tmp_path / "l.txt").tolist() == ["red", "green blue", "", "Ä"]
    with h5py.File(tmp_path / "l.hdf5", "w") as file:
        file["labels"] = ["red", "Ä"]
    assert read_labels(tmp_path / "l.hdf5").tolist() == [b"red", "Ä".encode()]
    (tmp_path / "m.txt").write_text("red\nblue\n", encoding="utf-8-sig")
    assert read_labels(tmp_path / "m.txt").tolist() == ["red", "blue"]
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(BenchError, match=r"b\.txt is not UTF-8"):
        read_labels(tmp_path / "b.txt")
    with pytest.raises(BenchError, match=r"no\.txt does not exist"):
        read_labels(tmp_path / "no.txt")


ROWS = np.arange(40, dtype=np.float32).reshape(10, 4)


MORE = [[1.0, 2.0]] * 9  # rows, so that queries can be held out


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


def hdf5_with(path, data=ROWS, name="train", **attributes):
    with h5py.File(path, "w") as file:
        file[name] = data
        file.attrs.update(attributes)


def hdf5_of_groups(path):
    with h5py.File(path, "w") as file:
        file["a/b"], file["c"], file["count"] = ROWS, ROWS, 3


def parquet_with(path, **columns):
    pq.write_table(pa.table(columns), path)


def uneven(path, more=b""):
    path.write_bytes(struct.pack("<i2f", 2, 0, 0) * 13 + struct.pack("<i3f", 3, 0, 0, 0) + more)


def cut_in_half(path, name):
    writers.WRITERS[name][1](path, ROWS)
    cut(path, path.stat().st_size // 2)


def flip(path, write, before, place):
    """Writes ROWS, then sets a byte so far behind the last of such bytes to one that nothing states."""
    write(path, ROWS)
    content = bytearray(path.read_bytes())
    content[content.rindex(before) + place] = 0xFF
    path.write_bytes(content)


def restated(path, write, said, instead):
    write(path, ROWS)
    path.write_bytes(path.read_bytes().replace(said, instead))


def minus_rows(path):
    """A .npz file with a whole member whose header states a negative number of rows."""
    restated(path.with_suffix(".npy"), writers.npy, b"(10, 4)", b"(-9, 4)")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".npy"), "base.npy")


def encrypted(path):
    flip(path, writers.npz, b"PK\x01\x02", 8)


def hollow(path):
    """A .npz file without 4 kB in its middle."""
    writers.npz(path, np.zeros((2000, 4), np.float32))
    content = path.read_bytes()
    path.write_bytes(content[:8000] + content[12096:])


def flipped(path, write):
    """Writes ROWS, then changes a byte in the middle of the values."""
    write(path, ROWS)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)


BAD = {
    "no suffix": ("x", lambda p: p.write_bytes(b"1"), r"x: unknown suffix ''; known: \.npy, \.npz, \.hdf5"),
    "unknown suffix": ("x.csv", lambda p: p.write_bytes(b"1"), r"x\.csv: unknown suffix '\.csv'; known: \.npy"),
    **{
        f"empty {suffix}": (f"x{suffix}", lambda p: p.write_bytes(b""), rf"x\{suffix} is empty")
        for suffix in formats.READERS
    },
    "half npy": ("x.npy", lambda p: cut_in_half(p, "npy"), r"x\.npy is truncated or damaged"),
    "two npy": ("x.npy", lambda p: (np.save(p, ROWS), p.write_bytes(p.read_bytes() * 2)), "288 bytes more than its"),
    "half npz": ("x.npz", lambda p: cut_in_half(p, "npz"), r"x\.npz is not a whole \.npz"),
    "npz of objects": ("x.npz", lambda p: writers.objects(p, ROWS), r"x\.npz: base holds Python objects, .* never"),
    "npz changed": ("x.npz", lambda p: flipped(p, writers.npz), r"x\.npz is truncated or damaged"),
    "npz of scipy": (
        "x.npz",
        lambda p: np.savez(p, indices=[0], indptr=[0], shape=[1], data=[1], format=b"csr"),
        r"x\.npz holds a sparse matrix",
    ),
    "npz of nothing": ("x.npz", lambda p: np.savez(p), r"x\.npz has no base or train; it holds: no arrays"),
    "npz of others": ("x.npz", lambda p: np.savez(p, a=ROWS, b=ROWS), r"it holds: a, b; name one as .*x\.npz#NAME$"),
    "half hdf5": ("x.hdf5", lambda p: cut_in_half(p, "hdf5"), r"x\.hdf5 is truncated or damaged"),
    "no hdf5": ("x.h5", lambda p: p.write_text("hello"), r"x\.h5 is not an HDF5 file"),
    "hdf5 of others": (
        "x.h5",
        hdf5_of_groups,
        r"x\.h5 has no base or train; it holds: a/b, c; name one as .*x\.h5#NAME$",
    ),
    "hdf5 without": ("x.h5", lambda p: hdf5_with(p, name="test"), r"x\.h5 has no base or train; it holds: test"),
    "hamming": (
        "x.h5",
        lambda p: hdf5_with(p, distance="hamming", point_type="bit"),
        "holds bits under hamming, .* not",
    ),
    "binary": ("x.h5", lambda p: hdf5_with(p, distance="hamming", point_type="binary"), "holds bits under hamming"),
    "jaccard": ("x.h5", lambda p: hdf5_with(p, distance="jaccard"), "under jaccard, which is not supported"),
    "sparse": ("x.h5", lambda p: hdf5_with(p, ROWS[0], type="sparse", distance="jaccard"), "holds sparse sets"),
    "hdf5 of text": ("x.h5", lambda p: hdf5_with(p, ["a", "b"]), r"x\.h5: train has shape \(2,\)"),
    "hdf5 of bool": ("x.h5", lambda p: hdf5_with(p, ROWS > 1), "x.h5: train has type bool"),
    "cut fvecs": (
        "x.fvecs",
        lambda p: (writers.vecs(p, ROWS), cut(p, 7 * 20 + 3)),
        r"x\.fvecs is truncated in row 7: a row of dimension 4 takes 20 bytes, 3 are left",
    ),
    "short fvecs": ("x.fvecs", lambda p: (writers.vecs(p, ROWS), cut(p, 11)), r"x\.fvecs is truncated in row 0"),
    "tiny fvecs": ("x.fvecs", lambda p: p.write_bytes(b"12"), "starts with a row of dimension 0: is it fvecs"),
    "odd fvecs": ("x.fvecs", lambda p: p.write_bytes(b"\xff" * 40), "starts with a row of dimension -1"),
    "uneven fvecs": ("x.fvecs", uneven, r"x\.fvecs has dimension 3 in row 13, 2 before"),
    # Whose size is that of whole rows
    "even size": ("x.fvecs", lambda p: uneven(p, bytes(8)), r"x\.fvecs has dimension 3 in row 13, 2 before"),
    "empty list": ("x.parquet", lambda p: parquet_with(p, a=[[], *MORE]), r"x\.parquet has an empty list in row 0"),
    "npz of coo": (
        "x.npz",
        lambda p: np.savez(p, row=[0], col=[0], shape=[1, 1], data=[1], format=b"coo"),
        r"x\.npz holds a sparse matrix",
    ),
    "npz with a password": ("x.npz", encrypted, r"x\.npz is encrypted: unpack it"),
    "npz of another version": ("x.npz", lambda p: flip(p, writers.npz, b"PK\x01\x02", 6), r"x\.npz is not a whole"),
    "npz cut inside": ("x.npz", hollow, r"x\.npz is truncated or damaged"),
    "npz of minus rows": ("x.npz", minus_rows, r"x\.npz is truncated or damaged"),
    "npy of minus rows": ("x.npy", lambda p: restated(p, writers.npy, b"(10, 4)", b"(-9, 4)"), "truncated or damaged"),
    "npy of no Python": ("x.npy", lambda p: restated(p, writers.npy, b"'shape'", b"'shape("), "truncated or damaged"),
    "parquet of no text": (
        "x.parquet",
        lambda p: restated(p, writers.parquet_lists, b"emb", b"\xff\xffb"),
        r"x\.parquet is not a whole parquet file",
    ),
    "cut fbin": (
        "x.fbin",
        lambda p: (writers.bins(p, ROWS), cut(p, 100)),
        r"x\.fbin states 10 rows of dimension 4, which take 168 bytes, but it holds 100: truncated",
    ),
    "long fbin": (
        "x.fbin",
        lambda p: (writers.bins(p, ROWS), p.write_bytes(p.read_bytes() + b"1")),
        "it holds 169: not",
    ),
    "tiny fbin": ("x.fbin", lambda p: p.write_bytes(b"1234567"), "its header takes 8 bytes, it holds 7"),
    "huge fbin": (
        "x.fbin",
        lambda p: p.write_bytes(b"\xff" * 8),
        "states 4,294,967,295 rows of dimension 4,294,967,295",
    ),
    "flat fbin": ("x.fbin", lambda p: p.write_bytes(struct.pack("<II", 5, 0)), "has rows of no values"),
    "half parquet": ("x.parquet", lambda p: cut_in_half(p, "parquet"), r"x\.parquet is not a whole parquet file"),
    "no lists": (
        "x.parquet",
        lambda p: parquet_with(p, id=[1, 2], text=["a", "b"], tags=[["a"], ["b"]]),
        r"x\.parquet has no column of lists of numbers; it has: id, text, tags",
    ),
    "two lists": (
        "x.parquet",
        lambda p: parquet_with(p, a=[[1.0]], b=[[1]], c=[1]),
        "it holds: a, b; name one as .*#NAME$",
    ),
    "uneven lists": (
        "x.parquet",
        lambda p: parquet_with(p, a=[[1.0, 2.0]] * 5 + [[1.0]] + MORE),
        r"x\.parquet has dimension 1 in row 5, 2 before",
    ),
    "no rows": (
        "x.parquet",
        lambda p: parquet_with(p, a=pa.array([], pa.list_(pa.float32()))),
        r"x\.parquet has no rows",
    ),
    "null list": ("x.parquet", lambda p: parquet_with(p, a=[[1.0, 2.0]] * 5 + [None] + MORE), "has a null in row 5"),
    "null value": (
        "x.parquet",
        lambda p: parquet_with(p, a=[[1.0, 2.0]] * 5 + [[3.0, None]] + MORE),
        "has a null in row 5",
    ),
    "null fixed list": (
        "x.parquet",
        lambda p: parquet_with(p, a=pa.array([[1.0, 2.0]] * 5 + [None] + MORE, pa.list_(pa.float32(), 2))),
        "has a null in row 5",
    ),
}


@pytest.mark.filterwarnings("ignore::bench.errors.BenchWarning")
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_told_with_what_is_wrong_and_nothing_is_kept(tmp_path, monkeypatch, capsys, kind):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("bench.data.formats.parquet._BATCH_ROWS", 4)
    name, write, message = BAD[kind]
    write(tmp_path / name)
    with pytest.raises(BenchError, match=message) as error:
        read_vectors(tmp_path / name)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob(".building*"))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", "compare", str(tmp_path / name)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with warnings.catch_warnings(), pytest.raises(SystemExit) as left:
        cli.main()
    told = capsys.readouterr()
    assert (left.value.code, told.out) == (2, "")
    assert told.err.splitlines()[-1] == f"bench: {error.value}"
    assert not (tmp_path / "results").exists()


def test_parquet_without_pyarrow_tells_the_extra(tmp_path, monkeypatch):
    written(tmp_path, "parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BenchError, match=r"pip install 'hnsw-order-bench\[parquet\]'"):
        read_vectors(tmp_path / "x.parquet")


LARGE = """
import resource, struct, sys
from pathlib import Path
import numpy as np
from bench.data import dataset, from_files
from bench.geometry import knn

folder, n, d = Path(sys.argv[1]), 600_000, 128
with (folder / "big.fbin").open("wb") as file:  # all zeros: no block of it is on disk
    file.write(struct.pack("<II", n, d))
    file.truncate(8 + n * d * 4)
used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + 180_000_000, -1))
try:
    np.ones((n, d), np.float32)
except MemoryError:
    found = from_files.from_files(folder / "big.fbin", limit=590_000)
    assert (found.n, len(found.queries)) == (590_000, 1000)
    assert dataset.limit(from_files.whole_file(folder / "big.fbin"), 500_000).n == 500_000
    print("opened")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory that is not a file's, which Linux counts")
def test_a_base_larger_than_memory_opens(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)],
        capture_output=True,
        text=True,
        env={"BENCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.stdout == "opened\n", done.stderr


@pytest.fixture
def npy(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(600, dtype=np.float32).reshape(100, 6))
    return path


def test_vectors_are_mapped_not_read(npy):
    array = read_vectors(npy)
    assert isinstance(array.base, np.memmap)
    assert not array.flags.writeable
    assert array[99, 5] == 599


def test_another_type_is_told(npy):
    np.save(npy, np.arange(6, dtype=np.float16).reshape(2, 3))
    with pytest.warns(BenchWarning, match=r"a\.npy holds float16; converted to float32"):
        read_vectors(npy)


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.05, 0.5, 0.999])
def test_a_truncated_file_is_told(npy, keep):
    content = npy.read_bytes()
    npy.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(BenchError, match=r"a\.npy is (truncated or damaged|not a \.npy file)"):
        open_npy(npy)


def test_a_missing_file_and_another_kind_of_file_are_told(tmp_path):
    with pytest.raises(BenchError, match="does not exist"):
        open_npy(tmp_path / "b.npy")
    with pytest.raises(BenchError, match="does not exist"):
        open_npy(tmp_path)
    (tmp_path / "c.npy").write_text("1,2,3\n")
    with pytest.raises(BenchError, match=r"not a \.npy file"):
        open_npy(tmp_path / "c.npy")


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "o.npy", np.array([Trap(), Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(BenchError, match="never unpickled"):
        open_npy(tmp_path / "o.npy")
