"""Values in memory as arrays of a file: numpy arrays, values that convert to them, and pandas frames and series."""

import sys
from typing import Any

import numpy as np

from bench.data.arrays import refuse_masked
from bench.data.formats.array import FileArray, from_memory, stacked
from bench.errors import BenchError
from bench.labels import listed


def vectors_of(values: Any, name: str) -> FileArray:
    """(n, d) numbers: an array, rows of lists, a frame's columns, or one column of lists or arrays.

    A BenchError names the argument, by its `name`, where it is no array. What else may be wrong with it is found where
    arrays of files are checked.
    """
    pandas = sys.modules.get("pandas")  # whoever has a frame has imported it
    if pandas and isinstance(values, pandas.DataFrame) and len(values.columns) == 1:
        column = values[values.columns[0]]
        values = column if getattr(column.dtype, "kind", "O") == "O" else values
    if pandas and isinstance(values, pandas.DataFrame):
        kinds = [getattr(dtype, "kind", "O") for dtype in values.dtypes]
        if text := [str(column) for column, kind in zip(values.columns, kinds, strict=True) if kind not in "fiu"]:
            what = f"{name} has columns that are no numbers: {listed(text, ', ')}"
            raise BenchError(f"{what}; leave them out, or give the one that has arrays")
        sizes = {np.dtype(f"{kind}{dtype.itemsize}") for kind, dtype in zip(kinds, values.dtypes, strict=True)}
        values = values.to_numpy(np.result_type(np.float32, *sizes), na_value=np.nan)
    array = array_of(values, name)
    if array.dtype.hasobject and array.size and array.shape in ((array.size,), (array.size, 1)):  # a column of arrays
        array = stacked(array.ravel().tolist(), name)
    return from_memory(name, array)


def check_columns(queries: Any, vectors: Any) -> None:
    """Raises BenchError if two frames have the same columns in different orders: columns would be mixed up."""
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(queries, pandas.DataFrame) and isinstance(vectors, pandas.DataFrame):
        names, wanted = ([str(name) for name in frame.columns] for frame in (queries, vectors))
        if names != wanted and sorted(names) == sorted(wanted):
            raise BenchError("queries has the columns of vectors in a different order: give both the same order")


def labels_of(values: Any, name: str) -> FileArray:
    """(n,) labels, of a series of text too."""
    array = array_of(values, name)
    if array.dtype.hasobject and all(isinstance(value, str) for value in array.flat):
        array = array.astype(str)
    return from_memory(name, array)


def array_of(values: Any, name: str) -> np.ndarray:
    """Return values as an array. Raises BenchError that names the argument if they cannot become one.

    A masked array is refused.
    """
    refuse_masked(values, name)
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # as of rows of unequal lengths, or on another device
        raise BenchError(f"{name} cannot become an array: {str(error).splitlines()[0]}") from None
