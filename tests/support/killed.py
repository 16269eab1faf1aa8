"""A build that is killed, and what it leaves behind."""

import os
import signal
import subprocess
import sys
import time

_PROGRAM = """
import sys, numpy as np
from bench.indexes import INDEXES
engine = INDEXES[{engine!r}]
base = np.random.default_rng(0).standard_normal((20_000, 64)).astype(np.float32)
engine.build(base[:500], np.arange(500), engine.metrics[0], engine.params(), 1)
print("now", flush=True)
engine.build(base, np.arange(20_000), engine.metrics[0], engine.params(), 1)
print("built", flush=True)
"""


def left_behind_when_killed(engine, folder, seconds=0.5):
    """The content of a temporary folder after a build of 20,000 rows was killed when it had run so long: names.

    It is known that something was there, and that the build was not done.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(engine=engine)],
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "now\n"
        time.sleep(seconds)
        before = os.listdir(folder)
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == ""
    assert before
    for _ in range(300):
        if not os.listdir(folder):
            break
        time.sleep(0.1)
    return os.listdir(folder)
