import numpy as np
import pytest
from support.messages import refused
from support.writers import uneven

from bench.data import formats
from bench.data.formats.array import vectors


def test_rows_are_checked_for_one_dimension_when_they_are_read(tmp_path, monkeypatch):
    uneven(tmp_path / "x.fvecs", bytes(8))
    monkeypatch.setattr("bench.data.formats.texmex.spans", lambda *_: pytest.fail("read"))
    source = formats.get(formats.read(tmp_path / "x.fvecs"), "base")
    assert source.shape == (15, 2)
    assert vectors(source, np.arange(13)).shape == (13, 2)
    with refused("x.fvecs", "row 13", "dimension 3"):
        vectors(source, np.array([2, 13]))
