import zipfile

import numpy as np
import pytest
from support.datasets import read_labels
from support.messages import refused, warned
from support.writers import ROWS, Trap

from bench.data.formats import read_vectors
from bench.data.formats.npy import open_npy


def test_an_array_of_objects_is_refused_when_it_is_needed(tmp_path):
    np.savez(tmp_path / "x.npz", base=ROWS, extra=ROWS[:2], labels=np.array([Trap()] * 10, dtype=object))
    assert np.array_equal(read_vectors(tmp_path / "x.npz"), ROWS)
    assert np.array_equal(read_vectors(tmp_path / "x.npz#extra"), ROWS[:2])
    with refused("x.npz", "labels"):
        read_labels(tmp_path / "x.npz")


def test_any_version_of_a_header_is_read_from_npz(tmp_path):
    for version in [(1, 0), (2, 0), (3, 0)]:
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive, archive.open("base.npy", "w") as stream:
            np.lib.format.write_array(stream, ROWS, version)
        assert np.array_equal(read_vectors(tmp_path / "x.npz"), ROWS)


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


def test_another_type_is_reported(npy):
    np.save(npy, np.arange(6, dtype=np.float16).reshape(2, 3))
    with warned("a.npy", "float16", "float32"):
        read_vectors(npy)


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.05, 0.5, 0.999])
def test_a_truncated_file_is_reported(npy, keep):
    content = npy.read_bytes()
    npy.write_bytes(content[: int(len(content) * keep)])
    with refused(npy):
        open_npy(npy)


def test_a_missing_file_and_another_kind_of_file_are_reported(tmp_path):
    with refused(tmp_path / "b.npy"):
        open_npy(tmp_path / "b.npy")
    with refused(f"{tmp_path} is a folder"):
        open_npy(tmp_path)
    (tmp_path / "c.npy").write_text("1,2,3\n")
    with refused(tmp_path / "c.npy"):
        open_npy(tmp_path / "c.npy")


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "o.npy", np.array([Trap(), Trap()], dtype=object), allow_pickle=True)
    with refused(tmp_path / "o.npy"):
        open_npy(tmp_path / "o.npy")
