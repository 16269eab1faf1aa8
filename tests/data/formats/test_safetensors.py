import json
import struct

import numpy as np
import pytest
from support import writers
from support.datasets import from_files
from support.messages import refused
from support.writers import ROWS

from bench.data.formats import read_vectors

QUERIES = np.arange(8, dtype=np.float32).reshape(2, 4)


def with_header(path, header):
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(content)) + content + ROWS.tobytes())


def test_files_of_its_library_are_mapped(tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    library.save_file({"base": ROWS, "queries": QUERIES, "other": np.zeros(3)}, tmp_path / "x.safetensors")
    lines = []
    dataset = from_files(tmp_path / "x.safetensors", log=lines.append)
    assert np.array_equal(dataset.base, ROWS)
    assert np.array_equal(dataset.queries, QUERIES)
    assert isinstance(dataset.base.base, np.memmap)
    assert lines[-1].endswith(": other")


def test_bfloat16_is_read(tmp_path):
    halves = (ROWS.view(np.uint32) >> 16).astype(np.uint16)  # small whole numbers are exact in it
    writers.safetensors(tmp_path / "x.safetensors", halves, "BF16")
    assert np.array_equal(read_vectors(tmp_path / "x.safetensors"), ROWS)


def test_tensors_of_a_type_that_numpy_lacks_are_named_as_unused(tmp_path):
    scales = {"dtype": "F8_E4M3", "shape": [0], "data_offsets": [160, 160]}
    with_header(tmp_path / "x.safetensors", {"base": ENTRY, "scales": scales})
    lines = []
    assert from_files(tmp_path / "x.safetensors", log=lines.append).n == 9
    assert [line for line in lines if line.endswith(": scales")]


ENTRY = {"dtype": "F32", "shape": [10, 4], "data_offsets": [0, 160]}
BAD = {
    "no JSON": b"{",
    "no object": b"[1]",
    "cut": {"emb": ENTRY | {"shape": [11, 4], "data_offsets": [0, 176]}},
    "another size": {"emb": ENTRY | {"shape": [9, 4]}},
    "minus rows": {"emb": ENTRY | {"shape": [-10, -4]}},
    "before its start": {"emb": ENTRY | {"data_offsets": [-160, 0]}},
    "no place": {"emb": {"dtype": "F32", "shape": [10, 4]}},
    "type unknown": {"emb": ENTRY | {"dtype": "F8_E4M3"}},
    "nothing": {},
}


@pytest.mark.parametrize("kind", BAD)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, kind):
    with_header(tmp_path / "x.safetensors", BAD[kind])
    with refused("x.safetensors"):
        read_vectors(tmp_path / "x.safetensors")


@pytest.mark.parametrize("content", [b"1234", b"\xff" * 20, bytes(20)])
def test_a_file_without_its_header_is_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with refused("x.safetensors"):
        read_vectors(tmp_path / "x.safetensors")
