"""Builds side by side, each in a process that may raise, die or hang without harm to the others.

A pool of our own, since joblib's names no culprit and ends the whole run, and pebble's takes a process that exits in
peace for one that still works, and gives a job's results all at once: what finished before a death is kept here.
"""

import os
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import msgspec

from bench.errors import Log
from bench.indexes import INDEXES, imports
from bench.study.execution import processes
from bench.study.execution.build import Job, check_code, measure
from bench.study.outcome import Failure, Outcome


class Workers(msgspec.Struct, frozen=True):
    """Processes that build.

    count: how many, side by side.
    timeout: seconds that a build and its searches may take, or None.
    """

    count: int = 1
    timeout: float | None = None


def in_workers(jobs: Iterable[Job], workers: Workers, log: Log) -> Iterator[Outcome | Failure]:
    """Yield the result of each trial of the jobs as it arrives. Workers take the next job when they are free.

    A job whose worker dies is tried again alone, in a new one, unless it was that worker's first: what an earlier job
    left behind may be to blame. Where it dies again, or reaches the time limit, its trials that are not finished come
    to Failures that say so. Exceptions of our own code are raised here. log: called with a line of progress.
    """
    waiting, again = iter(jobs), deque[Job]()
    pool: list[_Worker] = []
    try:
        while True:
            pool = [worker for worker in pool if worker.job or worker.process.is_alive()]
            _hand_out(waiting, again, pool, workers)
            busy = [worker for worker in pool if worker.job]
            if not busy:
                return
            wait([*(worker.pipe for worker in busy), *(worker.process.sentinel for worker in busy)], _patience(busy))
            for worker in busy:
                ended = not worker.process.is_alive()  # before its results are read: those of its last moment count
                yield from worker.results(log)
                if worker.job and (reason := worker.end(workers.timeout, ended)):
                    if worker.jobs_before and not worker.late:
                        again.append(worker.job)
                    else:
                        yield from (Failure(trial=trial, reason=reason) for trial in worker.job.trials)
                    worker.close()
                    pool.remove(worker)
    finally:
        for worker in pool:
            worker.close()


def _hand_out(waiting: Iterator[Job], again: "deque[Job]", pool: "list[_Worker]", workers: Workers) -> None:
    """A job for every worker that is free, and for new ones up to their number; those tried again go to new ones."""
    while sum(bool(worker.job) for worker in pool) < workers.count:
        job = again.popleft() if again else next(waiting, None)
        if job is None:
            return
        free = next((worker for worker in pool if not worker.job), None)
        if free and (job.tried or not free.suits(job) or not free.process.is_alive()):
            free.close()
            pool.remove(free)
            free = None
        if free is None:
            free = _Worker(workers.count)
            pool.append(free)
        free.begin(job, workers.timeout)


def _patience(busy: "list[_Worker]") -> float | None:
    """Return the seconds until the first time limit, None without a limit."""
    deadlines = [worker.deadline for worker in busy if worker.deadline]
    return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None


class _Worker:
    """A process that measures one job after the other, and the job that it is at."""

    def __init__(self, count: int) -> None:
        self.pipe, theirs = processes.CONTEXT.Pipe()
        threads = max(1, (os.cpu_count() or 1) // count)
        self.process = processes.CONTEXT.Process(target=_serve, args=(theirs, os.getpid(), threads), daemon=True)
        with processes.no_program():
            self.process.start()
        theirs.close()
        self.job: Job | None = None
        self.jobs_before = -1
        self._threads: dict[str, int] = {}  # per engine, the number of threads that the process has loaded it with
        self.deadline: float | None = None
        self.late = False

    def suits(self, job: Job) -> bool:
        """Return whether its process can build on the job's threads."""
        index = job.trials[0].index
        return self._threads.get(index.engine, index.threads) == index.threads

    def begin(self, job: Job, timeout: float | None) -> None:
        """Give it a job."""
        self.job = job
        index = job.trials[0].index
        if INDEXES[index.engine].threads_by_process:
            self._threads[index.engine] = index.threads
        self.jobs_before += 1
        self.deadline = time.monotonic() + timeout if timeout else None
        with suppress(OSError):  # it has just died, which `end` notices
            self.pipe.send((job, imports.noted(job.engine)))

    def results(self, log: Log) -> Iterator[Outcome | Failure]:
        """Yield the results that the worker has sent; `job` is then the rest of its job, or None."""
        with suppress(EOFError, OSError):
            while self.job and self.pipe.poll():
                kind, content = self.pipe.recv()
                if kind == "line":
                    log(content)
                elif kind == "result":
                    left = [trial for trial in self.job.trials if trial != content.trial]
                    self.job = msgspec.structs.replace(self.job, trials=left)
                    yield content
                elif kind == "error":
                    raise content
                else:
                    self.job = None

    def end(self, timeout: float | None, ended: bool) -> str:
        """Return why it will send no more results, or an empty text if it may.

        ended: whether its process had ended before its results were last read.
        """
        assert self.job is not None
        if ended:
            self.job = msgspec.structs.replace(self.job, tried=True)
            return f"worker {processes.death(self.process.exitcode or 0)}"
        if self.deadline and time.monotonic() >= self.deadline:
            self.late = True
            return f"time limit of {timeout:g} s reached"
        return ""

    def close(self) -> None:
        """End it, whatever it does."""
        processes.end(self.process)
        self.pipe.close()


def _serve(pipe: "Connection[object, tuple[Job, dict[str, str]]]", parent: int, threads: int) -> None:
    """Run a worker: measure jobs until there are no more."""
    import faiss

    processes.settle(parent)
    faiss.omp_set_num_threads(threads)
    with suppress(EOFError):
        while True:
            job, imported = pipe.recv()
            try:
                imports.note(job.engine, imported)
                check_code(job)
                for result in measure(job, lambda line: pipe.send(("line", line))):
                    pipe.send(("result", result))
            except Exception as error:  # noqa: BLE001 - the parent raises it
                error.add_note(f"in a worker: {traceback.format_exc()}")
                pipe.send(("error", error))
            pipe.send(("done", None))
