import json

import msgspec
import numpy as np
import pytest
from support.messages import refused

from bench.data.records import Records, read

ROWS = [("train", "a"), ("test", "b"), ("train", "b"), ("test", "a"), ("test", "c"), ("train", "c")]


def source(**changed):
    plain = Records(
        vectors="v",
        records="r",
        split_field="split",
        query_splits=["test"],
        max_queries=9,
        sha256={},
        label_field="label",
    )
    return msgspec.structs.replace(plain, **changed)


@pytest.fixture
def files(tmp_path):
    """Vectors that hold the number of their row, and what describes them."""
    vectors, records = tmp_path / "v.npy", tmp_path / "r.jsonl"
    np.save(vectors, np.arange(len(ROWS), dtype=np.float32)[:, None])
    records.write_text("".join(json.dumps({"split": split, "label": label}) + "\n" for split, label in ROWS))
    return vectors, records


def numbers(rows):
    return rows[:, 0].tolist()


def test_splits_part_rows_in_file_order(files):
    base, queries, labels, _ = read(*files, source(max_queries=2))
    assert (numbers(base), numbers(queries), labels.tolist()) == ([0, 2, 5], [1, 3], ["a", "b", "c"])


def test_without_a_label_field_there_are_no_labels(files):
    base, queries, labels, _ = read(*files, source(label_field=None))
    assert (numbers(base), numbers(queries), labels) == ([0, 2, 5], [1, 3, 4], None)


def test_records_of_some_labels_are_taken_queries_too(files):
    base, queries, labels, _ = read(*files, source(labels=["c", "a"]))
    assert (numbers(base), numbers(queries), labels.tolist()) == ([0, 5], [3, 4], ["a", "c"])


def test_queries_may_have_labels_of_their_own(files):
    base, queries, *_ = read(*files, source(labels=["c", "a"], query_labels=["b"]))
    assert (numbers(base), numbers(queries)) == ([0, 5], [1])
    base, queries, *_ = read(*files, source(query_labels=["b"]))
    assert (numbers(base), numbers(queries)) == ([0, 2, 5], [1])


def test_queries_have_the_groups_that_a_field_of_their_records_states(files):
    contents = read(*files, source(max_queries=2, query_group_field="label"))
    assert (numbers(contents.queries), contents.query_groups.tolist()) == ([1, 3], ["b", "a"])
    assert read(*files, source()).query_groups is None
    with refused("r.jsonl", "line 1", "split", "label", "intent"):
        read(*files, source(query_group_field="intent"))


def test_the_base_may_be_some_of_the_splits_alone(files):
    base, queries, *_ = read(*files, source(query_splits=["train"], base_splits=["test"]))
    assert (numbers(base), numbers(queries)) == ([1, 3, 4], [0, 2, 5])
    base, queries, *_ = read(*files, source(query_splits=["none"], base_splits=["test"]))
    assert (numbers(base), numbers(queries)) == ([1, 3, 4], [])


@pytest.mark.parametrize("part", ["labels", "query_labels"])
def test_an_unknown_label_is_reported_with_the_known_ones(files, part):
    with refused("r.jsonl", "'d'", "a, b, c"):
        read(*files, source(**{part: ["a", "d"]}))


@pytest.mark.parametrize("line", ["{", "[]", '{"split": "train"}'])
def test_a_bad_record_is_reported_with_its_line(files, line):
    files[1].write_text(files[1].read_text().replace('{"split": "train", "label": "b"}', line))
    with refused("r.jsonl", "line 3", "split", "label"):
        read(*files, source())


def test_records_must_match_rows(files):
    np.save(files[0], np.zeros((5, 1), np.float32))
    with refused("r.jsonl", "6 lines", "v.npy", "5 rows"):
        read(*files, source())
