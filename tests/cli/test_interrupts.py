"""Ctrl-C, once and twice in a row."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

ENGINE = """
import time
from pathlib import Path

def build(base, order, metric, params, seed):
    if len(base) == int(Path("sleeps").read_text()):
        Path("begun").touch()
        time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("signs", "base"),
    [
        ([signal.SIGINT] * 2, 50),  # in the first build, of this number of rows
        ([signal.SIGINT] * 2, 180),
        ([signal.SIGINT] * 3, 180),
        ([signal.SIGTERM, signal.SIGINT], 180),
    ],
)
def test_two_interrupts_in_a_row_are_as_good_as_one(bench_script, tmp_path, signs, base):
    np.save(tmp_path / "x.npy", np.eye(200, dtype=np.float32))
    (tmp_path / "slow.py").write_text(ENGINE)
    (tmp_path / "sleeps").write_text(str(base))
    words = ["compare", "x.npy", "--engines", "./slow.py", "--orders", "given,random", "--ef-search", "10"]
    process = subprocess.Popen(
        [bench_script, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    for sign in signs:
        os.kill(process.pid, sign)
        time.sleep(0.01)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 3, said
    assert "Traceback" not in said
    if len(signs) == 2 and base > 50:
        assert said.strip().splitlines()[-1].startswith("interrupted: 0 of")


LATE = """
import os, signal, sys
from bench.cli import main

class Late:
    def __init__(self):
        self.interrupt = lambda kill=os.kill, process=os.getpid(), sign=signal.SIGINT: kill(process, sign)

    def __del__(self):
        self.interrupt()

late = Late()  # goes when Python has given signals back to the system
sys.argv = ["bench", "list", "orders"]
main()
"""


def test_an_interrupt_after_the_command_has_ended_leaves_its_exit_code():
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
