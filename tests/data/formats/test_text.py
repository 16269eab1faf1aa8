"""Vectors in text: JSON Lines and CSV, as they are, packed, and damaged."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from support import writers
from support.datasets import from_files, read_labels
from support.messages import refused
from support.writers import ROWS, written

from bench.data.formats import read_vectors

TEXT = [name for name, (suffix, _, _) in writers.WRITERS.items() if suffix in (".jsonl", ".ndjson", ".csv", ".tsv")]


@pytest.mark.parametrize("name", [name for name in TEXT if "packed" not in name])
def test_packed_text_is_read_by_either_name(tmp_path, name):
    path = written(tmp_path, name, ROWS)
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed)
    path.with_name(f"{path.name}.gz").write_bytes(packed)
    for place in (path, path.with_name(f"{path.name}.gz")):
        assert np.array_equal(read_vectors(place), ROWS)


@pytest.mark.parametrize("name", TEXT)
def test_packed_text_that_breaks_off_is_refused(tmp_path, name):
    rows = np.random.default_rng(0).standard_normal((3000, 4)).astype(np.float32)
    path = written(tmp_path, name, rows)
    content = path.read_bytes()
    packed = content if "packed" in name else gzip.compress(content)
    for damaged in (packed[: len(packed) // 2], packed[:-4], packed[:200] + b"\0\0\0\0" + packed[204:]):
        path.write_bytes(damaged)
        with refused(path.name):
            read_vectors(path)


def test_labels_may_be_packed(tmp_path):
    (tmp_path / "l.txt.gz").write_bytes(gzip.compress(b"a\r\nb\r\n"))
    assert read_labels(tmp_path / "l.txt.gz").tolist() == ["a", "b"]


def test_lists_of_one_key_among_others_are_the_vectors(tmp_path):
    lines = [{"id": 1, "a": row, "b": row[:2], "tags": []} for row in ROWS.tolist()]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert np.array_equal(read_vectors(tmp_path / "x.jsonl#b"), ROWS[:, :2])
    with refused("x.jsonl", "a, b"):
        read_vectors(tmp_path / "x.jsonl")
    printed = []
    from_files(tmp_path / "x.jsonl#a", log=printed.append)
    assert not [line for line in printed if "tags" in line]  # one array was named


BAD_JSON = {
    "[1, 2]\n[1, 2, 3]\n": ("row 1",),
    "[1, 2]\n[1, null]\n": ("line 2",),
    "[1, 2]\n\n[1, 2]\n": ("line 2",),
    "[1, 2]\n[1, 2\n": ("line 2",),
    "[1, NaN]\n": ("line 1",),
    '{"a": [1]}\n{"b": [1]}\n': ("line 2",),
    '{"text": "a", "id": 1}\n': ("text, id",),
    "7\n": ("line 1",),
    "[[1, 2], [3, 4]]\n": ("line 1",),
}


CSV = {
    "1,2.5\n3,4e-1\n": [[1, 2.5], [3, 0.4]],
    "a,b\n1,2.5\n": [[1, 2.5]],
    "id;a;b\n7;1;2\n": [[1, 2]],
    "1 2\n3  4\n": [[1, 2], [3, 4]],
    "0,1,2\n5,6,7\n": [[5, 6, 7]],
    ",0,1,2\n0,5,6,7\n": [[5, 6, 7]],
    "word,1,2\nother,3,4\n": [[1, 2], [3, 4]],
    "\ufeffa,b\r\n1,2\r\n": [[1, 2]],
    'title,x1,x2\n"a, ""b""\nc",1,2\n': [[1, 2]],
    'text,embedding\na,"[1, 2]"\nb,"[3, 4]"\n': [[1, 2], [3, 4]],
    "value\n1\n2\n": [[1], [2]],
}


@pytest.mark.parametrize("content", CSV)
def test_csv_is_read_with_and_without_a_header(tmp_path, content):
    (tmp_path / "x.csv").write_text(content, encoding="utf-8", newline="")
    assert read_vectors(tmp_path / "x.csv").tolist() == np.array(CSV[content], np.float32).tolist()


BAD_CSV = {
    "1,2\n3\n": ("row 1",),
    "1,2\n3,4,5\n": ("line 2",),
    "1,2\n3,x\n": ("row 1",),
    "1,2\n3,\n": ("row 1",),
    "a,b\n": ("no rows",),
    "\n": ("no rows",),
    "a,b\nc,d\n": ("a, b",),
    'a,b\n1,"2\n': (),
    'a,"[1 2]"\n': ("row 0",),
    'a,"[1, 2]"\nb,"[1]"\n': ("row 1",),
    "a,b\n1\n": ("line 2",),
}


BAD = [(".jsonl", *case) for case in BAD_JSON.items()] + [(".csv", *case) for case in BAD_CSV.items()]


@pytest.mark.parametrize(("suffix", "content", "named"), BAD)
def test_bad_text_is_reported_with_its_place(tmp_path, suffix, content, named):
    path = tmp_path / f"x{suffix}"
    path.write_text(content)
    with refused(path.name, *named) as error:
        from_files(path, path)
    assert "\n" not in str(error.value)


def test_csv_that_is_not_utf8_is_reported(tmp_path):
    for content in (b"\xff\xfe1,2\n", b"a,b\n1,2\n\xff,3\n"):
        (tmp_path / "x.csv").write_bytes(content)
        with refused("x.csv"):
            read_vectors(tmp_path / "x.csv")


def test_frames_of_pandas_are_read_as_it_writes_them(tmp_path):
    frame = pd.DataFrame({"id": range(10), "embedding": ROWS.tolist()})
    frame.to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    frame.to_csv(tmp_path / "x.csv")
    for name in ("x.jsonl", "x.csv"):
        assert np.array_equal(read_vectors(tmp_path / name), ROWS)
