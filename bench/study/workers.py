"""Builds side by side, each in a process that may raise, die or hang without harm to the others."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice

import msgspec

from bench.study.build import Job, measure
from bench.study.outcome import Failure, Outcome

_POLL_SECONDS = 0.5  # between two looks at whether the parent lives


class Workers(msgspec.Struct, frozen=True):
    """count: processes that build side by side. timeout: seconds that a build and its searches may take, or None."""

    count: int = 1
    timeout: float | None = None


def in_workers(jobs: Iterable[Job], workers: Workers) -> Iterator[list[Outcome | Failure]]:
    """What every job came to, as they finish. Jobs are taken as workers become free.

    A job whose worker dies, or takes longer than the time limit, comes to Failures that say so; the worker is replaced,
    and the others go on. Exceptions of our own code are raised here.
    """
    from pebble import ProcessExpired, ProcessPool

    waiting = iter(jobs)
    threads = max(1, (os.cpu_count() or 1) // workers.count)
    pool = ProcessPool(
        max_workers=workers.count,
        initializer=_start,
        initargs=(os.getpid(), threads),
        context=multiprocessing.get_context("spawn"),  # a fork would copy the locks of numeric libraries' threads
    )
    running: dict[Future[list[Outcome | Failure]], Job] = {}
    try:
        while True:
            for job in islice(waiting, workers.count + 1 - len(running)):  # one more than can run, so that none waits
                running[pool.schedule(measure, args=(job,), timeout=workers.timeout)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                try:
                    results = future.result()
                except ProcessExpired as expired:
                    results = _failures(job, f"worker {_death(expired.exitcode)}")
                except TimeoutError:
                    results = _failures(job, f"time limit of {workers.timeout:g} s reached")
                yield results
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _failures(job: Job, reason: str) -> list[Outcome | Failure]:
    return [Failure(trial=trial, reason=reason) for trial in job.trials]


def _death(exitcode: int) -> str:
    """How a process ended, in words."""
    if exitcode >= 0:
        return f"exited with code {exitcode}"
    names = {one.value: one.name for one in signal.Signals}
    name = names.get(-exitcode, f"signal {-exitcode}")
    return f"killed by {name}" + (", as when memory runs out" if name == "SIGKILL" else "")


def _start(parent: int, threads: int) -> None:
    """What a worker does first: end when its parent ends, and share the cores."""
    import faiss

    end_with(parent)
    faiss.omp_set_num_threads(threads)


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
