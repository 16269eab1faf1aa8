import shutil
import subprocess
import sys

import numpy as np
import pytest
from support import writers
from support.messages import refused, warned
from support.writers import ROWS, written

from bench import cache
from bench.data import formats
from bench.data.formats import read_vectors
from bench.data.formats.array import vectors


@pytest.mark.parametrize("name", ["npy", "hdf5", "fbin"])
def test_float32_in_one_piece_is_mapped_and_no_copy_is_kept(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    read_vectors(written(tmp_path, name, np.ones((5, 3), np.float32)))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["fvecs", "npz", "hdf5, chunked", "parquet"])
def test_a_conversion_is_computed_once_for_a_content(tmp_path, monkeypatch, name):
    rows = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    first = read_vectors(written(tmp_path, name, rows))
    assert isinstance(first, np.memmap)
    path = written(tmp_path, name, rows + 1)  # the same name, size, and perhaps time
    assert np.array_equal(read_vectors(path), rows + 1)
    monkeypatch.setattr(cache, "_write", lambda *_: pytest.fail("converted again"))
    assert np.array_equal(read_vectors(path), rows + 1)


def test_float64_beyond_float32_becomes_infinite_for_the_check_to_find(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 1e300]]))
    with warned("x.npy", "float64"):
        assert np.isinf(read_vectors(tmp_path / "x.npy")[0, 1])


@pytest.mark.parametrize("name", writers.WRITERS)
@pytest.mark.parametrize("values", [1 << 24, 8])
def test_chosen_rows_are_those_of_the_whole_file(tmp_path, monkeypatch, name, values):
    monkeypatch.setattr("bench.data.arrays.BLOCK_VALUES", values)
    monkeypatch.setattr("bench.data.formats.array._BLOCK_BYTES", 100)
    rows = np.random.default_rng(0).integers(0, 100, (50, 5)).astype(writers.WRITERS[name][2].split()[0])
    source = formats.get(formats.read(written(tmp_path, name, rows)), "base")
    chosen = np.array([0, 3, 4, 17, 48, 49])
    assert np.array_equal(vectors(source, chosen), rows[chosen].astype(np.float32))
    assert np.array_equal(vectors(source, np.arange(50)), rows.astype(np.float32))


def test_a_conversion_that_has_no_room_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with refused("x.fvecs", "160 bytes", "10 bytes", "BENCH_CACHE"):
        read_vectors(written(tmp_path, "fvecs", ROWS))


LARGE = """
import resource, struct, sys
from pathlib import Path
import numpy as np
from bench.data import dataset
from bench.data.loading import load, load_whole
from bench.data.parts import Parts
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
    part = load(Parts(folder / "big.fbin", limit=590_000))
    assert (part.n, len(part.queries)) == (590_000, 1000)
    assert dataset.limit(load_whole(Parts(folder / "big.fbin")), 500_000).n == 500_000
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
