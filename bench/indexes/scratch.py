"""A private folder for what an engine keeps on disk, and the processes it starts: both gone when this process is.

A watchdog sees to it, a process of its own that waits at a pipe: it hears when this one ends, also by `kill -9`.
"""

import os
import subprocess
import sys
import weakref
from pathlib import Path
from signal import SIGTERM
from tempfile import mkdtemp

_SECONDS = 5  # that a process has to end in, before it is killed

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

    path: the folder; short, since sockets may lie in it.
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
        self._processes: list[tuple[subprocess.Popen[bytes], int]] = []
        self._finalizer = weakref.finalize(self, _close, self._watchdog, self._processes)

    def end_with_it(self, process: "subprocess.Popen[bytes]", signal: int = SIGTERM) -> None:
        """Let a process be ended before the folder is removed: by a signal, and killed where it does not heed it."""
        self._processes.append((process, signal))
        _tell(self._watchdog, process.pid, signal)

    def close(self) -> None:
        """Remove the folder now; a second call does nothing."""
        self._finalizer()


def _close(watchdog: "subprocess.Popen[bytes]", processes: "list[tuple[subprocess.Popen[bytes], int]]") -> None:
    for process, signal in processes:
        process.send_signal(signal)  # does nothing where it has ended
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _tell(watchdog, process.pid, 0)  # the id may be another's from now on
    watchdog.communicate()


def _tell(watchdog: "subprocess.Popen[bytes]", pid: int, signal: int) -> None:
    assert watchdog.stdin is not None
    watchdog.stdin.write(f"{pid} {int(signal)}\n".encode())
    watchdog.stdin.flush()
