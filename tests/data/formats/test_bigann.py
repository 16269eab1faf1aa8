import struct

import numpy as np
import pytest

from bench.data import formats
from bench.data.formats import read_vectors
from bench.errors import BenchError


def test_ground_truth_of_big_ann_gives_its_ids(tmp_path):
    ids, path = np.arange(6, dtype=np.int32).reshape(2, 3), tmp_path / "gt.ibin"
    path.write_bytes(struct.pack("<II", 2, 3) + ids.tobytes() + np.ones((2, 3), np.float32).tobytes())
    ids_read = formats.get(formats.read(path), "neighbors")
    assert np.array_equal(ids_read.memory_map, ids)
    with pytest.raises(BenchError, match=r"gt\.ibin has no base or train; it holds: neighbors"):
        read_vectors(path)
