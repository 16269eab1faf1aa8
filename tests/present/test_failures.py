from support.examples import TRIAL
from support.messages import names

from bench.present.failures import LINES, LONGEST, failures_flat, failures_text
from bench.present.text import Layout
from bench.study.outcome import Failure
from bench.study.trial import FIELDS, changed


def failure(reason, **fields):
    return Failure(trial=changed(TRIAL, **fields), reason=reason)


def test_failures_are_counted_by_engine_and_reason_most_first():
    failures = [failure("worker killed by SIGKILL", engine="faiss")]
    failures += [failure("build: RuntimeError: no memory", build_seed=seed) for seed in (1, 2, 3)]
    failures += [failure("build: RuntimeError: no memory", engine="faiss", build_seed=seed) for seed in (1, 2)]
    first, *groups = failures_text(failures, 1200, Layout()).splitlines()
    assert names(first, "6 of 1,200 trials")
    expected = [("hnswlib", 3, "no memory"), ("faiss", 2, "no memory"), ("faiss", 1, "SIGKILL")]
    assert [names(line, *named) for line, named in zip(groups, expected, strict=True)] == [True] * 3


def test_the_sequence_of_failures_does_not_matter():
    failures = [failure(reason) for reason in "cabab"]
    assert failures_text(failures, 9, Layout()) == failures_text(failures[::-1], 9, Layout())


def test_many_and_long_reasons_take_a_few_lines():
    failures = [failure(f"reason {number:03} {'x' * 500}\nand more") for number in range(100)]
    lines = failures_text(failures, 100, Layout()).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 1 + LINES * (LONGEST // 78 + 2) + 1
    assert sum(line.endswith("x…") for line in lines) == LINES
    assert names(lines[-1], 100 - LINES)


def test_without_failures_nothing_is_printed():
    assert failures_text([], 10, Layout()) == ""
    assert failures_flat([]) == []


def test_json_has_a_row_a_failed_trial_with_its_fields_and_reason():
    [row] = failures_flat([failure("time limit of 5 s reached", ef_search=40)])
    assert row.keys() == {*FIELDS, "reason"}
    assert (row["engine"], row["ef_search"], row["reason"]) == ("hnswlib", 40, "time limit of 5 s reached")
