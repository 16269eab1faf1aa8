import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import writers
from support.datasets import from_files
from support.messages import refused, warned
from support.writers import ROWS, parquet_with, written

from bench.data.formats import read_vectors


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    written(tmp_path, "parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with refused("x.parquet", "pip install 'hnsw-order-bench[parquet]'"):
        read_vectors(tmp_path / "x.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path):
    pq.write_table(pa.table([ROWS.tolist(), ROWS.tolist()], names=["emb", "emb"]), tmp_path / "x.parquet")
    with refused("x.parquet", "'emb'"):
        read_vectors(tmp_path / "x.parquet")


def shards(folder, name="train", rows=ROWS, count=3, suffix=".parquet", spelling="{name}-{place:05}-of-{count:05}"):
    """Writes rows as shards of unequal sizes."""
    folder.mkdir(exist_ok=True)
    write = writers.parquet_lists if suffix == ".parquet" else writers.arrow_stream
    for place, part in enumerate(np.array_split(rows, count)):
        write(folder / f"{spelling.format(name=name, place=place, count=count)}{suffix}", part)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize("spelling", ["{name}-{place:05}-of-{count:05}", "part.{place}"])
def test_a_folder_of_shards_is_one_file(tmp_path, suffix, spelling):
    rows = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    shards(tmp_path / "data", rows=rows, count=12, suffix=suffix, spelling=spelling)
    assert np.array_equal(read_vectors(tmp_path / "data"), rows)
    part = from_files(tmp_path / "data", limit=20)
    assert part.name == "data[20]"
    assert np.array_equal(part.base, rows[part.source_rows])


def test_a_conversion_of_shards_goes_by_the_content_of_all(tmp_path):
    for add in (0, 1):
        shards(tmp_path / "data", rows=np.concatenate([ROWS[:8], ROWS[8:] + add]))
        assert np.array_equal(read_vectors(tmp_path / "data")[8:], ROWS[8:] + add)


def test_shards_of_two_sets_are_base_and_queries(tmp_path):
    shards(tmp_path / "data")
    shards(tmp_path / "data", "test", ROWS[:4] + 1, count=1)
    dataset = from_files(tmp_path / "data")
    assert np.array_equal(dataset.base, ROWS)
    assert np.array_equal(dataset.queries, ROWS[:4] + 1)


def test_one_shard_is_read_with_a_warning_that_it_is_one(tmp_path):
    shards(tmp_path / "data")
    with warned("train-00001-of-00003.parquet", 3):
        rows = read_vectors(tmp_path / "data" / "train-00001-of-00003.parquet")
    assert np.array_equal(rows, ROWS[4:7])
    (tmp_path / "data" / "train-00000-of-00003.parquet").unlink()
    with warned(tmp_path / "data", 2, 3):
        assert np.array_equal(read_vectors(tmp_path / "data"), ROWS[4:])


def test_shards_that_differ_are_refused_with_the_one_that_does(tmp_path):
    shards(tmp_path / "data")
    other = tmp_path / "data" / "train-00002-of-00003.parquet"
    for column in (ROWS[7:].astype(np.float64), ROWS[7:, :3]):
        parquet_with(other, emb=list(column))
        with refused(other):
            read_vectors(tmp_path / "data")
    other.write_bytes(other.read_bytes()[:50])
    with refused(other):
        read_vectors(tmp_path / "data")


def test_a_folder_without_shards_is_reported_with_those_that_have_some(tmp_path):
    shards(tmp_path / "data")
    with refused(tmp_path, "data"):
        read_vectors(tmp_path)


COLUMNS = {
    "frame": {str(place): column for place, column in enumerate(ROWS.T)},
    "from 1": {f"x{place}": column for place, column in enumerate(ROWS.T, 1)},
    "more than ten": {f"v{place}": ROWS[:, 0] + place for place in (10, 11, *range(10))},
    "names": dict(zip("abcd", ROWS.T, strict=True)),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_numbers_are_dimensions_in_the_order_of_their_numbers(tmp_path, kind):
    expected = ROWS if kind != "more than ten" else ROWS[:, :1] + np.arange(12, dtype=np.float32)
    parquet_with(tmp_path / "x.parquet", id=range(10), text=["a"] * 10, **COLUMNS[kind])
    assert np.array_equal(read_vectors(tmp_path / "x.parquet"), expected)
    lines = []
    from_files(tmp_path / "x.parquet", log=lines.append)
    assert [line for line in lines if line.endswith(": id, text")]


def test_frames_of_pandas_and_polars_are_read_as_they_write_them(tmp_path):
    frame = pd.DataFrame({"id": range(10), "embedding": list(ROWS)})
    frame.to_parquet(tmp_path / "x.parquet")
    frame.to_feather(tmp_path / "x.feather")
    pd.DataFrame(ROWS).to_parquet(tmp_path / "y.parquet")
    for name in ("x.parquet", "x.feather", "y.parquet"):
        assert np.array_equal(read_vectors(tmp_path / name), ROWS)
    polars = pytest.importorskip("polars", reason="polars is not installed")
    for kind in (polars.List(polars.Float32), polars.Array(polars.Float32, 4)):
        frame = polars.DataFrame({"id": ["a"] * 10, "embedding": polars.Series(ROWS.tolist(), dtype=kind)})
        frame.write_parquet(tmp_path / "z.parquet")
        frame.write_ipc(tmp_path / "z.arrow", compression="lz4")
        for name in ("z.parquet", "z.arrow"):
            assert np.array_equal(read_vectors(tmp_path / name), ROWS)


def test_tensors_and_slices_of_structs_are_read(tmp_path):
    pq.write_table(pa.table({"emb": pa.FixedShapeTensorArray.from_numpy_ndarray(ROWS)}), tmp_path / "x.parquet")
    assert np.array_equal(read_vectors(tmp_path / "x.parquet"), ROWS)
    struct = pa.StructArray.from_arrays([pa.array(column) for column in ROWS.T], list("abcd"))
    with pa.OSFile(str(tmp_path / "y.arrow"), "wb") as sink:
        table = pa.table({"emb": struct.slice(2)})
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    assert np.array_equal(read_vectors(tmp_path / "y.arrow"), ROWS[2:])


def test_a_table_without_its_suffix_is_known_by_its_content(tmp_path):
    for name in ("parquet", "arrow", "npy", "hdf5"):
        path = written(tmp_path, name, ROWS).rename(tmp_path / "x.data")
        assert np.array_equal(read_vectors(path), ROWS)
