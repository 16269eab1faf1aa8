"""Processes of our own: how they begin, work for their parent, and end, whatever an engine does in them."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

import psutil

from bench.streams import print_to_error

_POLL_SECONDS = 0.5  # between two looks at whether the parent lives
CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy the locks of numeric libraries' threads


@contextmanager
def no_program() -> Iterator[None]:
    """Let processes that start here not import the program that runs, which would run it again: all they do is here.

    A program need not guard what it does by `if __name__ == "__main__"` then, and may come from standard input.
    """
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def end(process: BaseProcess) -> None:
    """Kill a process, if it is alive, and its children, which would slow down the builds that follow.

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


def death(exitcode: int) -> str:
    """How a process ended, in words."""
    if exitcode >= 0:
        return f"exited with code {exitcode}"
    names = {one.value: one.name for one in signal.Signals}
    name = names.get(-exitcode, f"signal {-exitcode}")
    return f"killed by {name}" + (", as when memory runs out" if name == "SIGKILL" else "")


class DiedError(Exception):
    """A process ended, or was ended, before its work was done; its argument says how, in words."""


def apart(work: Callable[..., Iterator[Any]], arguments: tuple[Any, ...], timeout: float | None) -> Iterator[Any]:
    """Run a generator function in a separate process and yield each value as soon as it is there.

    work: a function of a module, and its arguments, which another process can be sent. timeout: seconds from one value
    to the next. Raises DiedError if the process ends before the function does, and any exception of the function.
    """
    pipe, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_yield_all, args=(theirs, os.getpid(), work, arguments), daemon=True)
    with no_program():
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
        raise DiedError(death(process.exitcode or 0)) from None
    finally:
        end(process)
        pipe.close()


def _yield_all(
    pipe: "Connection[object, object]", parent: int, work: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]
) -> None:
    """Run the function in the process that `apart` starts."""
    settle(parent)
    try:
        for value in work(*arguments):
            pipe.send(("value", value))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        error.add_note(f"in a worker: {traceback.format_exc()}")
        pipe.send(("error", error))
    pipe.send(("done", None))


def settle(parent: int) -> None:
    """Make this process one that works for its parent, and ends with it."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    print_to_error()  # text that an engine prints is no result


def end_with(parent: int) -> None:
    """End this process when its parent ends, even if the parent is killed.

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
