"""What opening data imports: no HTTP client, nothing that one system lacks, no library that the file does not need."""

import json
import subprocess
import sys

import numpy as np
import pytest
from support.datasets import load

LISTED = """
import json, sys
from pathlib import Path
{code}
print(json.dumps(sorted(sys.modules)))
"""
FILE = """
from bench.data.loading import load
from bench.data.parts import Parts
assert load(Parts(Path(sys.argv[1]))).n == 90
"""
GENERATOR = """
from bench.data.loading import load
from bench.data.parts import Parts
assert load(Parts("subspace-small")).n
"""
UNNEEDED = {
    *("pooch", "requests", "urllib3", "http.client", "ssl"),
    *("fcntl", "filelock"),
    *("h5py", "pyarrow", "sklearn", "skdim", "pandas", "scipy", "joblib", "tomli_w"),
    *("hnswlib", "faiss", "sentence_transformers", "ir_measures", "typer"),
}


@pytest.mark.parametrize("code", [FILE, GENERATOR])
def test_opening_a_file_or_a_generator_imports_what_it_needs_alone(tmp_path, code):
    np.save(tmp_path / "x.npy", np.ones((100, 4), np.float32))
    load("subspace-small")  # made once, under a lock of the cache; what is looked at is opening it
    done = subprocess.run(
        [sys.executable, "-c", LISTED.format(code=code), str(tmp_path / "x.npy")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert UNNEEDED & set(json.loads(done.stdout)) == set()
