from unittest import mock

from support.examples import outcome

from bench.study.execution import workers
from bench.study.execution.processes import CONTEXT


def test_a_result_that_a_worker_sent_last_is_read_before_it_counts_as_dead():
    worker = object.__new__(workers._Worker)
    worker.pipe, theirs = CONTEXT.Pipe()
    worker.process = mock.Mock(exitcode=-9, **{"is_alive.return_value": False})
    last = outcome([10, 7, 0])
    worker.job = workers.Job(trials=[last.trial], data=mock.Mock(), engine="hnswlib", side_by_side=1)
    worker.deadline = None
    theirs.send(("result", last))  # after its results were read, and before it ended
    theirs.close()
    assert worker.end(None, ended=False) == ""
    [read] = worker.results(print)
    assert read.trial == last.trial
    assert worker.job.trials == []
    assert worker.end(None, ended=True)
