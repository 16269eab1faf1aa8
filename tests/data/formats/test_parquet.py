import sys

import pytest
from support.writers import ROWS, written

from bench.data.formats import read_vectors
from bench.errors import BenchError


def test_parquet_without_pyarrow_tells_the_extra(tmp_path, monkeypatch):
    written(tmp_path, "parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BenchError, match=r"pip install 'hnsw-order-bench\[parquet\]'"):
        read_vectors(tmp_path / "x.parquet")
