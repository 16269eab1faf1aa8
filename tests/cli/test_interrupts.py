"""Ctrl-C, once and twice in a row."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest

ENGINE = """
import time
from pathlib import Path

def build(base, order, metric, params, seed):
    Path("begun").touch()
    time.sleep(1000)
"""


@pytest.mark.parametrize("signs", [[signal.SIGINT] * 2, [signal.SIGINT] * 3, [signal.SIGTERM, signal.SIGINT]])
def test_two_interrupts_in_a_row_are_as_good_as_one(bench_script, tmp_path, signs):
    np.save(tmp_path / "x.npy", np.eye(50, dtype=np.float32))
    (tmp_path / "slow.py").write_text(ENGINE)
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
    if len(signs) == 2:
        assert said.strip().splitlines()[-1].startswith("interrupted: 0 of")
