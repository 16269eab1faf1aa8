"""A generator function in a process of its own: what it yields, and how it ends."""

import pytest
from support.apart import counts
from support.messages import refused
from support.processes import wait_until_hanging

from bench.study.execution import processes
from bench.study.execution.processes import DiedError, apart


def test_values_arrive_as_they_are_yielded():
    assert list(apart(counts, (3,), None)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("then", "timeout", "reason"),
    [
        ("dies", None, "SIGSEGV"),
        ("exits", None, "code 3"),
        ("hangs", 20.0, "20 s"),
    ],
)
def test_a_process_that_ends_early_is_an_error_after_its_values(tmp_path, monkeypatch, then, timeout, reason):
    monkeypatch.setattr(processes, "wait", wait_until_hanging(tmp_path / "hanging"))
    values = apart(counts, (2, then, tmp_path / "hanging"), timeout)
    assert [next(values), next(values)] == [0, 1]
    with refused(reason, error=DiedError):
        next(values)


def test_an_exception_is_raised_here():
    with pytest.raises(LookupError, match="nothing"):
        list(apart(counts, (1, "raises"), None))
