"""Builds side by side, each in a process that may raise, die or hang without harm to the others.

A pool of our own, since joblib's names no culprit and ends the whole run, and pebble's takes a process that exits in
peace for one that still works, and gives a job's results all at once: what finished before a death is kept here.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

import msgspec
import psutil

from bench.errors import Log
from bench.indexes import INDEXES
from bench.streams import print_to_error
from bench.study.build import Job, check_code, measure
from bench.study.outcome import Failure, Outcome

_POLL_SECONDS = 0.5  # between two looks at whether the parent lives
_CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy the locks of numeric libraries' threads


class Workers(msgspec.Struct, frozen=True):
    """Processes that build.

    count: how many, side by side.
    timeout: seconds that a build and its searches may take, or None.
    """

    count: int = 1
    timeout: float | None = None


def in_workers(jobs: Iterable[Job], workers: Workers, log: Log) -> Iterator[Outcome | Failure]:
    """What every trial of the jobs comes to, as it does. Jobs are taken as workers become free.

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
                yield from worker.results(log)
                if worker.job and (reason := worker.end(workers.timeout)):
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
    """Seconds until the first time limit, None where there is none."""
    deadlines = [worker.deadline for worker in busy if worker.deadline]
    return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None


@contextmanager
def _no_program() -> Iterator[None]:
    """Let processes that start here not import the program that runs, which would run it again: all they do is here.

    A program need not guard what it does by `if __name__ == "__main__"` then, and may come from standard input.
    """
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


class _Worker:
    """A process that measures one job after the other, and the job that it is at."""

    def __init__(self, count: int) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        threads = max(1, (os.cpu_count() or 1) // count)
        self.process = _CONTEXT.Process(target=_serve, args=(theirs, os.getpid(), threads), daemon=True)
        with _no_program():
            self.process.start()
        theirs.close()
        self.job: Job | None = None
        self.jobs_before = -1
        self._threads: dict[str, int] = {}  # of engines that a process has loaded with so many
        self.deadline: float | None = None
        self.late = False

    def suits(self, job: Job) -> bool:
        """Whether its process can build on the job's threads."""
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
            self.pipe.send(job)

    def results(self, log: Log) -> Iterator[Outcome | Failure]:
        """What it has sent; `job` is then what is left of its job, or None."""
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

    def end(self, timeout: float | None) -> str:
        """Why it will send nothing more, or nothing where it may."""
        assert self.job is not None
        if not self.process.is_alive() and not self._has_more():
            self.job = msgspec.structs.replace(self.job, tried=True)
            return f"worker {_death(self.process.exitcode or 0)}"
        if self.deadline and time.monotonic() >= self.deadline:
            self.late = True
            return f"time limit of {timeout:g} s reached"
        return ""

    def _has_more(self) -> bool:
        """Whether something is in the pipe: at its end, that is nothing."""
        with suppress(OSError):
            return self.pipe.poll() and self.process.exitcode is None
        return False

    def close(self) -> None:
        """End it, whatever it does."""
        _end(self.process)
        self.pipe.close()


def _end(process: BaseProcess) -> None:
    """Kill a process, where it lives, and its children, which would slow down the builds that follow.

    Those in a session of their own are left: servers and what watches them end by themselves, see `scratch`.
    """
    begun: list[psutil.Process] = []
    if process.is_alive():  # else its number may be another's
        with suppress(psutil.Error):
            begun = psutil.Process(process.pid).children(recursive=True)
    for one in (one for one in begun if _in_our_session(one.pid)):
        with suppress(psutil.Error):
            one.kill()
    process.kill()
    process.join()


def _in_our_session(pid: int) -> bool:
    with suppress(OSError):
        return os.getsid(pid) == os.getsid(0)
    return False


def _death(exitcode: int) -> str:
    """How a process ended, in words."""
    if exitcode >= 0:
        return f"exited with code {exitcode}"
    names = {one.value: one.name for one in signal.Signals}
    name = names.get(-exitcode, f"signal {-exitcode}")
    return f"killed by {name}" + (", as when memory runs out" if name == "SIGKILL" else "")


class DiedError(Exception):
    """A process ended, or was ended, before its work was done; its argument says how, in words."""


def apart(work: Callable[..., Iterator[Any]], arguments: tuple[Any, ...], timeout: float | None) -> Iterator[Any]:
    """What a generator function yields, in a process of its own, as it does.

    work: a function of a module, and its arguments, which another process can be sent. timeout: seconds from one value
    to the next. Raises DiedError where the process ends before the function does, and what the function raises.
    """
    pipe, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_yield_all, args=(theirs, os.getpid(), work, arguments), daemon=True)
    with _no_program():
        process.start()
    theirs.close()
    try:
        while True:
            if not wait([pipe, process.sentinel], timeout):
                raise DiedError(f"time limit of {timeout:g} s reached")
            if not pipe.poll():
                raise EOFError
            kind, content = pipe.recv()
            if kind == "error":
                raise content
            if kind == "done":
                return
            yield content
    except (EOFError, ConnectionError):
        process.join()
        raise DiedError(_death(process.exitcode or 0)) from None
    finally:
        _end(process)
        pipe.close()


def _yield_all(
    pipe: "Connection[object, object]", parent: int, work: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]
) -> None:
    """What a process of `apart` does."""
    _settle(parent)
    try:
        for value in work(*arguments):
            pipe.send(("value", value))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        error.add_note(f"in a worker: {traceback.format_exc()}")
        pipe.send(("error", error))
    pipe.send(("done", None))


def _settle(parent: int) -> None:
    """Make this process one that works for its parent, and ends with it."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    print_to_error()  # what an engine prints is no result


def _serve(pipe: "Connection[object, Job]", parent: int, threads: int) -> None:
    """What a worker does: measure jobs until there are no more."""
    import faiss

    _settle(parent)
    faiss.omp_set_num_threads(threads)
    with suppress(EOFError):
        while True:
            job = pipe.recv()
            try:
                check_code(job)
                for result in measure(job, lambda line: pipe.send(("line", line))):
                    pipe.send(("result", result))
            except Exception as error:  # noqa: BLE001 - the parent raises it
                error.add_note(f"in a worker: {traceback.format_exc()}")
                pipe.send(("error", error))
            pipe.send(("done", None))


def end_with(parent: int) -> None:
    """End this process when its parent ends, also where that is killed.

    On Linux the kernel sees to it, even while a library holds Python's lock for long; elsewhere a thread does.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # it was quicker
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """End this process when it has another parent."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
