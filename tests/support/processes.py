"""Processes and their folders: are they gone?"""

import os
import time
from contextlib import suppress
from multiprocessing.connection import wait


def gone(path, *pids):
    """Whether a folder and processes are gone within thirty seconds."""
    end = time.monotonic() + 30
    while os.path.exists(path) or any(map(alive, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def wait_until_hanging(path):
    """A `wait` for `apart` in whose eyes a time limit is reached when a process that hangs has made a file.

    So a test neither waits for a limit nor reaches it early where the machine is busy. The file goes, for the next one.
    """

    def waited(of, seconds):
        while not (ready := wait(of, 0.05)):
            if seconds is not None and path.exists():
                path.unlink()
                return wait(of, 0)  # what was sent before
        return ready

    return waited


def alive(pid):
    """A process whose parent has not asked for its end yet is no more."""
    try:
        return _state_and_parent(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    """The processes that one has started, as text."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        with suppress(FileNotFoundError, ProcessLookupError):
            if _state_and_parent(one)[1] == str(pid):
                found.append(one)
    return found


def _state_and_parent(pid):
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[:2]
