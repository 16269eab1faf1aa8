"""A folder, and processes, that are gone when the process that has them is, whatever ends it."""

import os
import signal
import stat
import subprocess
import sys

import pytest
from support.processes import alive, gone

from bench.indexes.scratch import Scratch

PROGRAM = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background is started without
from bench.indexes.scratch import Scratch
scratch = Scratch()
(scratch.path / "file").write_text("x")
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
scratch.end_with_it(other)
print(scratch.path, other.pid, flush=True)
time.sleep(600) if "wait" in sys.argv else sys.exit(1)
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_nothing_is_left_behind_however_the_process_ends(ending):
    words = [sys.executable, "-c", PROGRAM] + ["wait"] * (ending is not None)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        path, pid = process.stdout.readline().split()
        if ending:
            assert os.path.exists(path)
            assert alive(pid)
            process.send_signal(ending)
    assert gone(path, pid)


FORKED = """
import os, signal, subprocess, sys, time
from bench.indexes.scratch import Scratch
scratch = Scratch()
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
scratch.end_with_it(other)
child = os.fork()
if not child:
    time.sleep(600) if "lives" in sys.argv else sys.exit()
if "lives" not in sys.argv:
    os.waitpid(child, 0)
print(scratch.path, other.pid, child, other.poll(), os.path.exists(scratch.path), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("child", ["exits", "lives"])
def test_a_forked_child_ends_nothing_and_keeps_nothing(child):
    words = [sys.executable, "-c", FORKED, child]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        path, pid, forked, ended, exists = process.stdout.readline().split()
    try:
        assert (ended, exists) == ("None", "True")
        assert gone(path, pid)
        assert alive(forked) == (child == "lives")
    finally:
        if child == "lives":
            os.kill(int(forked), signal.SIGKILL)


def test_without_its_watchdog_it_is_all_gone_when_it_is_closed():
    scratch = Scratch()
    (scratch.path / "file").write_text("x")
    scratch._watchdog.kill()
    scratch._watchdog.wait()
    process = answers_by("signal.SIG_DFL")
    scratch.end_with_it(process, signal.SIGQUIT)
    scratch.close()
    assert process.returncode == -signal.SIGQUIT
    assert not scratch.path.exists()


def test_a_folder_goes_when_it_is_closed_or_nobody_has_it():
    scratch = Scratch()
    path = scratch.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    scratch.close()
    assert not path.exists()
    scratch.close()
    scratch = Scratch()
    path = scratch.path
    del scratch
    assert not path.exists()


def answers_by(what):
    """A process that does this when it gets the signal to end, once it is ready to."""
    program = f"import signal, sys, time\nsignal.signal(signal.SIGQUIT, {what})\nprint(flush=True)\ntime.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    return process


def test_a_process_ends_by_the_signal_that_lets_it_clear_up():
    scratch = Scratch()
    process = answers_by("lambda *_: sys.exit(7)")
    scratch.end_with_it(process, signal.SIGQUIT)
    scratch.close()
    assert process.returncode == 7
    assert not scratch.path.exists()


def test_a_process_that_does_not_heed_its_signal_is_killed(monkeypatch):
    monkeypatch.setattr("bench.indexes.scratch._SECONDS", 0.2)
    scratch = Scratch()
    process = answers_by("signal.SIG_IGN")
    scratch.end_with_it(process, signal.SIGQUIT)
    scratch.close()
    assert process.returncode == -signal.SIGKILL
    assert not scratch.path.exists()


def test_a_process_that_has_ended_is_no_hindrance():
    scratch = Scratch()
    process = subprocess.Popen([sys.executable, "-c", ""])
    scratch.end_with_it(process)
    process.wait()
    scratch.close()
    assert not scratch.path.exists()
