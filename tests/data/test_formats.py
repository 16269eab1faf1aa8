import json

import numpy as np
import pytest

from bench.data.formats import read_npy, read_records, read_vectors
from bench.errors import BenchError, BenchWarning


@pytest.fixture
def npy(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(600, dtype=np.float32).reshape(100, 6))
    return path


def test_vectors_are_mapped_not_read(npy):
    array = read_vectors(npy)
    assert isinstance(array.base, np.memmap)
    assert not array.flags.writeable
    assert array[99, 5] == 599


def test_another_type_is_told(npy):
    np.save(npy, np.arange(6, dtype=np.float16).reshape(2, 3))
    with pytest.warns(BenchWarning, match=r"a\.npy holds float16; converted to float32"):
        read_vectors(npy)


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.05, 0.5, 0.999])
def test_a_truncated_file_is_told(npy, keep):
    content = npy.read_bytes()
    npy.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(BenchError, match=r"a\.npy is (truncated or damaged|not a \.npy file)"):
        read_npy(npy)


def test_a_missing_file_and_another_kind_of_file_are_told(tmp_path):
    with pytest.raises(BenchError, match="not there"):
        read_npy(tmp_path / "b.npy")
    with pytest.raises(BenchError, match="not there"):
        read_npy(tmp_path)
    (tmp_path / "c.npy").write_text("1,2,3\n")
    with pytest.raises(BenchError, match=r"not a \.npy file"):
        read_npy(tmp_path / "c.npy")


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "o.npy", np.array([Trap(), Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(BenchError, match="never unpickled"):
        read_npy(tmp_path / "o.npy")


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "r.jsonl"
    rows = [{"split": s, "label": f"l{i}"} for i, s in enumerate(["train", "test", "val", "test", "train", "test"])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(tmp_path / "v.npy", np.arange(6, dtype=np.float32)[:, None])
    return path


def test_records_split_rows_in_file_order(records, tmp_path):
    base, queries, labels = read_records(tmp_path / "v.npy", records, "split", ["test"], 2, "label")
    assert base[:, 0].tolist() == [0, 2, 4]
    assert queries[:, 0].tolist() == [1, 3]
    assert labels.tolist() == ["l0", "l2", "l4"]


def test_records_of_some_labels_are_taken_queries_too(records, tmp_path):
    rows = [("train", "a"), ("test", "b"), ("train", "b"), ("test", "a"), ("test", "c"), ("train", "c")]
    records.write_text("".join(json.dumps({"split": s, "label": label}) + "\n" for s, label in rows))
    arguments = tmp_path / "v.npy", records, "split", ["test"], 9, "label"
    base, queries, labels = read_records(*arguments, ["c", "a"])
    assert base[:, 0].tolist() == [0, 5]
    assert queries[:, 0].tolist() == [3, 4]
    assert labels.tolist() == ["a", "c"]
    with pytest.raises(BenchError, match=r"unknown label in .*r\.jsonl 'd'; known: a, b, c"):
        read_records(*arguments, ["a", "d"])


@pytest.mark.parametrize("line", ["{", "[]", '{"split": "train"}'])
def test_a_bad_record_is_told_with_its_line(records, tmp_path, line):
    records.write_text(records.read_text().replace('{"split": "val", "label": "l2"}', line))
    with pytest.raises(BenchError, match=r"r\.jsonl: line 3"):
        read_records(tmp_path / "v.npy", records, "split", ["test"], 2, "label")


def test_records_must_match_rows(records, tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((5, 1), np.float32))
    with pytest.raises(BenchError, match=r"6 lines, .* 5 rows"):
        read_records(tmp_path / "v.npy", records, "split", ["test"], 2)
