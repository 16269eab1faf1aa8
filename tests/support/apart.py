"""What runs in a process of its own, which imports it by this name."""

import os
import signal
import time
from pathlib import Path


def counts(most, then="", hanging=""):
    yield from range(most)
    if then == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if then == "exits":
        os._exit(3)
    if then == "hangs":
        Path(hanging).touch()
        time.sleep(1000)
    if then == "raises":
        raise LookupError("nothing")
