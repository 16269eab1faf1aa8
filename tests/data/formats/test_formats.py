import gzip
import pickle
import struct
import sys
import warnings

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support import writers
from support.datasets import from_files, read_labels
from support.messages import names, refused
from support.writers import (
    ROWS,
    cut,
    cut_in_half,
    encrypted,
    flip,
    flipped,
    hdf5_of_groups,
    hdf5_with,
    hollow,
    minus_rows,
    parquet_with,
    restated,
    uneven,
    written,
)

from bench import cli
from bench.data import formats
from bench.data.formats import read_vectors, suffixes
from bench.errors import BenchWarning

EACH = [(name, dtype) for name, (_, _, types) in writers.WRITERS.items() for dtype in types.split()]


@pytest.mark.parametrize(("name", "dtype"), EACH)
@pytest.mark.parametrize("in_blocks", [True, False])
def test_every_format_reads_back_its_rows(tmp_path, monkeypatch, name, dtype, in_blocks):
    if in_blocks:
        monkeypatch.setattr("bench.data.formats.array._BLOCK_BYTES", 100)
        monkeypatch.setattr("bench.data.formats.columns._BATCH_ROWS", 3)
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
    lines = [str(warning.message) for warning in caught if warning.category is BenchWarning]
    assert len(lines) == (rows.dtype != np.float32)
    assert all(names(line, rows.dtype, "float32") for line in lines)


@pytest.mark.filterwarnings("ignore::bench.errors.BenchWarning")
@pytest.mark.parametrize("name", writers.WRITERS)
def test_every_format_is_read_from_a_file_whose_name_is_not_utf8(tmp_path, name):
    path = written(tmp_path, name, ROWS.astype(writers.WRITERS[name][2].split()[0]))
    try:
        path = path.rename(tmp_path / f"caf\udce9{path.suffix}")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    assert np.array_equal(read_vectors(path), ROWS)


def test_every_suffix_is_tested():
    assert {suffix for suffix, _, _ in writers.WRITERS.values()} == set(formats.READERS)


@settings(max_examples=25, deadline=None)
@given(rows=arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 9)), elements=st.floats(width=32)))
def test_any_float32_survives_every_format_bit_by_bit(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("bits")
    for name in ("fvecs", "fbin", "hdf5", "npz", "parquet"):
        assert read_vectors(written(folder, name, rows)).tobytes() == rows.tobytes()


def test_a_bundle_gives_parts_by_either_name(tmp_path):
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.savez(tmp_path / "a.npz", train=rows, test=rows[:2], labels=np.array(["a", "b", "c", "d"]))
    np.savez(tmp_path / "b.npz", base=rows, queries=rows[:2])
    for name in ("a.npz", "b.npz"):
        assert np.array_equal(read_vectors(tmp_path / name), rows)
        assert np.array_equal(read_vectors(tmp_path / name, "queries"), rows[:2])
    assert read_labels(tmp_path / "a.npz").tolist() == ["a", "b", "c", "d"]
    np.savez(tmp_path / "c.npz", base=rows, train=rows)
    with refused("c.npz", "base", "train"):
        read_vectors(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", test=rows)
    with refused("d.npz", "test"):
        read_vectors(tmp_path / "d.npz")


def test_an_array_of_a_bundle_goes_by_its_name(tmp_path):
    hdf5_of_groups(tmp_path / "x.h5")
    np.save(tmp_path / "x.npy", ROWS)
    parquet_with(tmp_path / "x.parquet", a=ROWS.tolist(), b=pa.array([[2.0]] * 10, pa.list_(pa.float32())))
    assert np.array_equal(read_vectors(tmp_path / "x.h5#a/b"), ROWS)
    assert np.array_equal(read_vectors(tmp_path / "x.h5#c", "queries"), ROWS)
    assert read_vectors(tmp_path / "x.parquet#b").tolist() == [[2.0]] * 10
    with refused("x.h5", "'d'", "a/b, c"):
        read_vectors(tmp_path / "x.h5#d")
    with refused("x.npy", "'a'", "none"):
        read_vectors(tmp_path / "x.npy#a")
    np.save(tmp_path / "c#.npy", ROWS)  # a name that has one itself
    assert np.array_equal(read_vectors(tmp_path / "c#.npy"), ROWS)
    with refused(tmp_path / "y.h5"):
        read_vectors(tmp_path / "y.h5#a")


def test_a_file_that_may_not_be_read_is_reported(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    for name in ("npy", "npz", "hdf5", "fvecs", "fbin", "parquet"):
        path = written(tmp_path, name, ROWS)
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.open", refuse)
            with refused(path, "Permission denied"):
                read_vectors(path)
    (tmp_path / "l.txt").write_text("a\n")
    monkeypatch.setattr("pathlib.Path.stat", refuse)  # as of a file in a folder that may not be entered
    for read, name in ((read_vectors, "x.npy#a"), (read_labels, "l.txt")):
        with refused(tmp_path / name.split("#")[0], "Permission denied"):
            read(tmp_path / name)


def test_labels_are_lines_of_text_or_strings_of_any_array(tmp_path):
    (tmp_path / "l.txt").write_text("red\ngreen blue\n\nÄ\n", encoding="utf-8")
    assert read_labels(tmp_path / "l.txt").tolist() == ["red", "green blue", "", "Ä"]
    with h5py.File(tmp_path / "l.hdf5", "w") as file:
        file["labels"] = ["red", "Ä"]
    assert read_labels(tmp_path / "l.hdf5").tolist() == [b"red", "Ä".encode()]
    (tmp_path / "m.txt").write_text("red\nblue\n", encoding="utf-8-sig")
    assert read_labels(tmp_path / "m.txt").tolist() == ["red", "blue"]
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\n")
    with refused("b.txt", "UTF-8"):
        read_labels(tmp_path / "b.txt")
    with refused("no.txt"):
        read_labels(tmp_path / "no.txt")


@pytest.mark.parametrize("suffix", suffixes.PICKLES)
def test_pickles_are_refused(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(pickle.dumps(writers.Trap()))
    with refused(path, "pickle", "numpy.save"):
        read_vectors(path)


@pytest.mark.parametrize("name", ["npy", "fvecs", "fbin", "parquet"])
def test_packed_files_of_values_are_refused(tmp_path, name):
    path = written(tmp_path, name, ROWS)
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with refused(packed):
        read_vectors(packed)


def test_a_bundle_may_say_query_and_groundtruth(tmp_path):
    near = np.arange(6).reshape(2, 3)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["base"], file["query"], file["groundtruth"] = ROWS, ROWS[:2] + 1, near
        file["groundtruth_distances"] = near
    lines = []
    dataset = from_files(tmp_path / "x.h5", log=lines.append)
    assert np.array_equal(dataset.queries, ROWS[:2] + 1)
    assert np.array_equal(dataset.neighbors, near)
    assert names(lines[-1], "x.h5", "groundtruth_distances")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file["neighbors"] = near[::-1]
    assert np.array_equal(from_files(tmp_path / "x.h5", log=lines.append).neighbors, near[::-1])
    assert lines[-1].endswith(": groundtruth, groundtruth_distances")


MORE = [[1.0, 2.0]] * 9  # rows, so that queries can be held out


BAD = {
    "no suffix": ("x", lambda p: p.write_bytes(b"1"), ("''", ".npy, .npz, .hdf5")),
    "unknown suffix": ("x.xyz", lambda p: p.write_bytes(b"1"), ("'.xyz'", ".npy")),
    **{f"empty {suffix}": (f"x{suffix}", lambda p: p.write_bytes(b""), ("empty",)) for suffix in formats.READERS},
    "half npy": ("x.npy", lambda p: cut_in_half(p, "npy"), ()),
    "two npy": ("x.npy", lambda p: (np.save(p, ROWS), p.write_bytes(p.read_bytes() * 2)), (288,)),
    "half npz": ("x.npz", lambda p: cut_in_half(p, "npz"), ()),
    "npz of objects": ("x.npz", lambda p: writers.objects(p, ROWS), ("base",)),
    "npz changed": ("x.npz", lambda p: flipped(p, writers.npz), ()),
    "npz of scipy": (
        "x.npz",
        lambda p: np.savez(p, indices=[0], indptr=[0], shape=[1], data=[1], format=b"csr"),
        ("sparse",),
    ),
    "npz of nothing": ("x.npz", lambda p: np.savez(p), ("no arrays",)),
    "npz of others": ("x.npz", lambda p: np.savez(p, a=ROWS, b=ROWS), ("a, b", "x.npz#NAME")),
    "half hdf5": ("x.hdf5", lambda p: cut_in_half(p, "hdf5"), ()),
    "no hdf5": ("x.h5", lambda p: p.write_text("hello"), ("HDF5",)),
    "hdf5 of others": (
        "x.h5",
        hdf5_of_groups,
        ("a/b, c", "x.h5#NAME"),
    ),
    "hdf5 without": ("x.h5", lambda p: hdf5_with(p, name="test"), ("test",)),
    "hamming": (
        "x.h5",
        lambda p: hdf5_with(p, distance="hamming", point_type="bit"),
        ("hamming",),
    ),
    "binary": ("x.h5", lambda p: hdf5_with(p, distance="hamming", point_type="binary"), ("hamming",)),
    "jaccard": ("x.h5", lambda p: hdf5_with(p, distance="jaccard"), ("jaccard",)),
    "sparse": ("x.h5", lambda p: hdf5_with(p, ROWS[0], type="sparse", distance="jaccard"), ("sparse",)),
    "hdf5 of text": ("x.h5", lambda p: hdf5_with(p, ["a", "b"]), ("train", "(2,)")),
    "hdf5 of bool": ("x.h5", lambda p: hdf5_with(p, ROWS > 1), ("train", "bool")),
    "cut fvecs": (
        "x.fvecs",
        lambda p: (writers.vecs(p, ROWS), cut(p, 7 * 20 + 3)),
        ("row 7", "20 bytes", 3),
    ),
    "short fvecs": ("x.fvecs", lambda p: (writers.vecs(p, ROWS), cut(p, 11)), ("row 0",)),
    "tiny fvecs": ("x.fvecs", lambda p: p.write_bytes(b"12"), ("dimension 0",)),
    "odd fvecs": ("x.fvecs", lambda p: p.write_bytes(b"\xff" * 40), ("dimension -1",)),
    "uneven fvecs": ("x.fvecs", uneven, ("dimension 3", "row 13", 2)),
    # Whose size is that of whole rows
    "even size": ("x.fvecs", lambda p: uneven(p, bytes(8)), ("dimension 3", "row 13", 2)),
    "empty list": ("x.parquet", lambda p: parquet_with(p, a=[[], *MORE]), ("row 0",)),
    "npz of coo": (
        "x.npz",
        lambda p: np.savez(p, row=[0], col=[0], shape=[1, 1], data=[1], format=b"coo"),
        ("sparse",),
    ),
    "npz with a password": ("x.npz", encrypted, ("encrypted",)),
    "npz of another version": ("x.npz", lambda p: flip(p, writers.npz, b"PK\x01\x02", 6), ()),
    "npz cut inside": ("x.npz", hollow, ()),
    "npz of minus rows": ("x.npz", minus_rows, ()),
    "npy of minus rows": ("x.npy", lambda p: restated(p, writers.npy, b"(10, 4)", b"(-9, 4)"), ()),
    "npy of no Python": ("x.npy", lambda p: restated(p, writers.npy, b"'shape'", b"'shape("), ()),
    "parquet of no text": (
        "x.parquet",
        lambda p: restated(p, writers.parquet_lists, b"emb", b"\xff\xffb"),
        (),
    ),
    "cut fbin": (
        "x.fbin",
        lambda p: (writers.bins(p, ROWS), cut(p, 100)),
        ("10 rows", "dimension 4", "168 bytes", 100),
    ),
    "long fbin": (
        "x.fbin",
        lambda p: (writers.bins(p, ROWS), p.write_bytes(p.read_bytes() + b"1")),
        ("168 bytes", 169),
    ),
    "tiny fbin": ("x.fbin", lambda p: p.write_bytes(b"1234567"), ("8 bytes", 7)),
    "huge fbin": (
        "x.fbin",
        lambda p: p.write_bytes(b"\xff" * 8),
        ("4,294,967,295 rows", "dimension 4,294,967,295", 8),
    ),
    "flat fbin": ("x.fbin", lambda p: p.write_bytes(struct.pack("<II", 5, 0)), ("(5, 0)",)),
    "half parquet": ("x.parquet", lambda p: cut_in_half(p, "parquet"), ()),
    "no lists": (
        "x.parquet",
        lambda p: parquet_with(p, id=[1, 2], text=["a", "b"], tags=[["a"], ["b"]]),
        ("id, text, tags",),
    ),
    "two lists": (
        "x.parquet",
        lambda p: parquet_with(p, a=[[1.0]], b=[[1]], c=[1]),
        ("a, b", "x.parquet#NAME"),
    ),
    "uneven lists": (
        "x.parquet",
        lambda p: parquet_with(p, a=[[1.0, 2.0]] * 5 + [[1.0]] + MORE),
        ("dimension 1", "row 5", 2),
    ),
    "no rows": (
        "x.parquet",
        lambda p: parquet_with(p, a=pa.array([], pa.list_(pa.float32()))),
        ("no rows",),
    ),
    "null list": ("x.parquet", lambda p: parquet_with(p, a=[[1.0, 2.0]] * 5 + [None] + MORE), ("null", "row 5")),
    "null value": (
        "x.parquet",
        lambda p: parquet_with(p, a=[[1.0, 2.0]] * 5 + [[3.0, None]] + MORE),
        ("null", "row 5"),
    ),
    "half arrow": ("x.arrow", lambda p: cut_in_half(p, "arrow"), ()),
    "half stream": ("x.arrow", lambda p: cut_in_half(p, "arrow, stream"), ()),
    "half feather": ("x.feather", lambda p: cut_in_half(p, "feather"), ()),
    "no arrow": ("x.arrow", lambda p: p.write_text("hello"), ()),
    "half safetensors": ("x.safetensors", lambda p: cut_in_half(p, "safetensors"), ()),
    "half f16bin": ("x.f16bin", lambda p: cut_in_half(p, "f16bin"), ("10 rows",)),
    "half 64 bits": ("x.fbin", lambda p: cut_in_half(p, "fbin, 64 bits"), ("10 rows",)),
    "null in a struct": (
        "x.parquet",
        lambda p: parquet_with(p, a=[{"x": 1.0, "y": 2.0}] * 5 + [None] * 9),
        ("null", "row 5"),
    ),
    "null in a field": (
        "x.parquet",
        lambda p: parquet_with(p, a=[{"x": 1.0, "y": 2.0}] * 5 + [{"x": 1.0, "y": None}] * 9),
        ("null", "row 5"),
    ),
    "null in a column": (
        "x.parquet",
        lambda p: parquet_with(p, x0=[1.0] * 10, x1=[1.0] * 5 + [None] * 5),
        ("null", "row 5"),
    ),
    "null fixed list": (
        "x.parquet",
        lambda p: parquet_with(p, a=pa.array([[1.0, 2.0]] * 5 + [None] + MORE, pa.list_(pa.float32(), 2))),
        ("null", "row 5"),
    ),
}


@pytest.mark.filterwarnings("ignore::bench.errors.BenchWarning")
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_by_its_path_and_nothing_is_kept(tmp_path, monkeypatch, capfd, kind):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("bench.data.formats.columns._BATCH_ROWS", 4)
    name, write, named = BAD[kind]
    write(tmp_path / name)
    with refused(tmp_path / name, *named) as error:
        read_vectors(tmp_path / name)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob(".building*"))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", "compare", str(tmp_path / name)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, getattr(sys, stream))  # put back what the command puts in its place
    with warnings.catch_warnings(), pytest.raises(SystemExit) as left:
        cli.main()
    output = capfd.readouterr()
    assert (left.value.code, output.out) == (2, "")
    assert output.err.splitlines()[-1] == f"bench: {error.value}"
    assert not (tmp_path / "results").exists()
