"""Vectors that a program has in memory."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support.messages import refused
from support.writers import ROWS

import bench
from bench.data.formats.values import vectors_of

FRAME = pd.DataFrame({"embedding": list(ROWS), "text": "a"})
VALUES = {
    "column of arrays": FRAME["embedding"],
    "frame of one column of arrays": FRAME[["embedding"]],
    "column of lists": pd.Series(ROWS.tolist()),
    "column of Arrow": pd.Series(list(ROWS), dtype=pd.ArrowDtype(pa.list_(pa.float32()))),
    "Arrow": pa.array(list(ROWS)),
    "Arrow in chunks": pa.chunked_array([pa.array(list(ROWS[:4])), pa.array(list(ROWS[4:]))]),
    "Arrow of one length": pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), 4),
    "list of lists": ROWS.tolist(),
    "list of arrays": list(ROWS),
}


@pytest.mark.parametrize("kind", VALUES)
def test_rows_of_lists_and_columns_of_arrays_are_vectors(kind):
    array = vectors_of(VALUES[kind], "vectors").memory_map
    assert array.dtype.kind == "f"
    assert np.array_equal(array, ROWS)


def test_a_series_of_polars_is_vectors():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    for values in (polars.Series(ROWS.tolist()), polars.DataFrame({"embedding": ROWS.tolist()})):
        assert np.array_equal(vectors_of(values, "vectors").memory_map, ROWS)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (pd.Series([[1.0, 2.0], [3.0]]), ("row 1",)),
        (pd.Series([[1.0, 2.0], None]), ("row 1",)),
        (pa.array([[1.0, 2.0], None]), ("row 1",)),
        (pd.Series(["a", "b"]), ("row 0",)),
        (pd.Series([[["a"]], [["b"]]]), ()),
        (FRAME, ("embedding", "text")),
        ([[1, 2], [3]], ()),
    ],
)
def test_other_values_are_refused_with_their_argument_and_row(values, named):
    with refused("queries", *named) as error:
        vectors_of(values, "queries")
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:.*converted to float32")
def test_a_column_of_arrays_gives_the_order_of_its_array():
    rows = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    frame = pd.DataFrame({"embedding": list(rows)})
    assert np.array_equal(bench.order(frame["embedding"], "norm-ascending"), bench.order(rows, "norm-ascending"))
