"""A private folder for what an engine keeps on disk, and the processes it starts: both gone when this process is.

A watchdog sees to it, a process of its own that waits at a pipe: it hears when this one ends, also by `kill -9`.
"""

import os
import subprocess
import sys
import weakref
from pathlib import Path
from tempfile import mkdtemp

# Reads ids of processes, a line each; at the end of the pipe it ends these processes, and removes the folder.
_WATCHDOG = """
import os, shutil, signal, sys, time
pids = [int(line) for line in sys.stdin]
for pid in pids:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
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
            [sys.executable, "-I", "-S", "-c", _WATCHDOG, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
            cwd="/" if os.name == "posix" else None,
        )
        self._finalizer = weakref.finalize(self, _close, self._watchdog)

    def end_with_it(self, pid: int) -> None:
        """Let a process be killed before the folder is removed."""
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(f"{pid}\n".encode())
        self._watchdog.stdin.flush()

    def close(self) -> None:
        """Remove the folder now; a second call does nothing."""
        self._finalizer()


def _close(watchdog: "subprocess.Popen[bytes]") -> None:
    watchdog.communicate()
