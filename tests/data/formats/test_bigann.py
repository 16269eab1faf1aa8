import struct

import numpy as np
import pytest
from support.messages import refused

from bench.data import formats
from bench.data.formats import read_vectors


def test_ground_truth_of_big_ann_gives_its_ids(tmp_path):
    ids, path = np.arange(6, dtype=np.int32).reshape(2, 3), tmp_path / "gt.ibin"
    path.write_bytes(struct.pack("<II", 2, 3) + ids.tobytes() + np.ones((2, 3), np.float32).tobytes())
    ids_read = formats.get(formats.read(path), "neighbors")
    assert np.array_equal(ids_read.memory_map, ids)
    with refused("gt.ibin", "neighbors"):
        read_vectors(path)


VALUES = np.arange(40, dtype=np.float32).reshape(10, 4)


@pytest.mark.parametrize("header", ["<II", "<QQ"])
@pytest.mark.parametrize("stated", [10, 1000])
def test_a_crop_has_the_rows_that_its_name_states(tmp_path, header, stated):
    path = tmp_path / "base.1B.fbin.crop_nb_10"
    path.write_bytes(struct.pack(header, stated, 4) + VALUES.tobytes())
    assert np.array_equal(read_vectors(path), VALUES)
    assert isinstance(read_vectors(path), np.memmap)


@pytest.mark.parametrize(
    ("name", "named"),
    [("x.fbin.crop_nb_12", (10, 12)), ("x.fbin.crop_nb_9", (10, 9)), ("x.fbin", (1000, 16008, 168))],
)
def test_a_crop_of_other_rows_than_its_name_states_is_refused(tmp_path, name, named):
    path = tmp_path / name
    path.write_bytes(struct.pack("<II", 1000 if name == "x.fbin" else 10, 4) + VALUES.tobytes())
    with refused(name, *named):
        read_vectors(path)


def test_ground_truth_with_a_header_of_64_bits_gives_its_ids(tmp_path):
    ids, path = np.arange(6, dtype=np.int32).reshape(2, 3), tmp_path / "gt.ibin"
    path.write_bytes(struct.pack("<QQ", 2, 3) + ids.tobytes() + np.ones((2, 3), np.float32).tobytes())
    assert np.array_equal(formats.get(formats.read(path), "neighbors").memory_map, ids)
