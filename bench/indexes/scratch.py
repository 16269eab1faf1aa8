"""A private folder for what an engine keeps on disk, and the processes it starts: both gone when this process is.

A watchdog sees to it, a process of its own that waits at a pipe: it hears when this one ends, also by `kill -9`.
Forked children have no part in it: they let go of the pipe, and end nothing.
"""

import os
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from signal import SIGTERM
from tempfile import mkdtemp

_SECONDS = 5  # that a process has to end in, before it is killed
_pipes: set[int] = set()  # this process's ends of those to its watchdogs

# Reads the id of a process and the signal that ends it, a line each, 0 for one that has ended; at the end of the pipe
# it ends those that are left, and removes the folder.
_WATCHDOG = """
import os, shutil, sys, time

def send(pid, signal):
    try:
        os.kill(pid, signal)
    except OSError:
        return False
    return True

signals = {}
for line in sys.stdin:
    pid, signal = map(int, line.split())
    signals[pid] = signal
running = [pid for pid, signal in signals.items() if signal and send(pid, signal)]
end = time.monotonic() + float(sys.argv[2])
while running and time.monotonic() < end:
    time.sleep(0.02)
    running = [pid for pid in running if send(pid, 0)]
for pid in running:
    send(pid, 9)
for _ in range(50):
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    if not os.path.exists(sys.argv[1]):
        break
    time.sleep(0.1)
"""


class Scratch:
    """A folder that only this user may open, removed when `close` is called, this object goes or the process ends.

    path: the folder; short, since it may hold sockets.
    """

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="bench-"))
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCHDOG, str(self.path), str(_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
            cwd="/" if os.name == "posix" else None,
        )
        assert self._watchdog.stdin is not None
        _pipes.add(self._watchdog.stdin.fileno())
        self._processes: list[tuple[subprocess.Popen[bytes], int]] = []
        self._finalizer = weakref.finalize(self, _close, os.getpid(), self.path, self._watchdog, self._processes)

    def end_with_it(self, process: "subprocess.Popen[bytes]", signal: int = SIGTERM) -> None:
        """Let a process be ended before the folder is removed: by a signal, and killed if it ignores the signal."""
        self._processes.append((process, signal))
        _tell(self._watchdog, process.pid, signal)

    def close(self) -> None:
        """Remove the folder now; a second call does nothing."""
        self._finalizer()


def _close(
    owner: int,
    path: Path,
    watchdog: "subprocess.Popen[bytes]",
    processes: "list[tuple[subprocess.Popen[bytes], int]]",
) -> None:
    if os.getpid() != owner:  # a forked child's copy
        return
    for process, signal in processes:
        process.send_signal(signal)  # does nothing if it has ended
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _tell(watchdog, process.pid, 0)  # the id may be another's from now on
    assert watchdog.stdin is not None
    _pipes.discard(watchdog.stdin.fileno())
    watchdog.communicate()
    rmtree(path, ignore_errors=True)  # in case the watchdog was killed


def _tell(watchdog: "subprocess.Popen[bytes]", pid: int, signal: int) -> None:
    assert watchdog.stdin is not None
    with suppress(BrokenPipeError):  # it was killed
        watchdog.stdin.write(f"{pid} {int(signal)}\n".encode())
        watchdog.stdin.flush()


def _let_go() -> None:
    """Put nothing in place of a forked child's ends of the pipes, at which watchdogs wait for the end of its parent."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    while _pipes:
        os.dup2(nothing, _pipes.pop(), inheritable=False)  # the number stays taken: an object will close it
    os.close(nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
