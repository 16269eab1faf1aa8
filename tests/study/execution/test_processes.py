"""A generator function in a process of its own: what it yields, and how it ends."""

import pytest
from support.apart import counts
from support.processes import wait_until_hanging

from bench.study.execution import processes
from bench.study.execution.processes import DiedError, apart


def test_values_arrive_as_they_are_yielded():
    assert list(apart(counts, (3,), None)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("then", "timeout", "reason"),
    [
        ("dies", None, "killed by SIGSEGV"),
        ("exits", None, "exited with code 3"),
        ("hangs", 20.0, "time limit of 20 s reached"),
    ],
)
def test_a_process_that_ends_early_is_told_after_its_values(tmp_path, monkeypatch, then, timeout, reason):
    monkeypatch.setattr(processes, "wait", wait_until_hanging(tmp_path / "hanging"))
    values = apart(counts, (2, then, tmp_path / "hanging"), timeout)
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(DiedError, match=reason):
        next(values)


def test_an_exception_is_raised_here():
    with pytest.raises(LookupError, match="nothing"):
        list(apart(counts, (1, "raises"), None))
