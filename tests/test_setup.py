"""`make setup`, with a Python that installs nothing: what it says, and what it shows when a step fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
case "$*" in
    "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"pip install"*) echo "a line of pip's" && echo "WARNING: of pip's" >&2 && exit "$FAILS" ;;
esac
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(folder, target, fails):
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    for name in ("Makefile", "requirements.lock", "requirements-engines.lock"):
        if not (folder / name).exists():  # a copy that is newer would be set up again
            shutil.copy(ROOT / name, folder)
    # As from a shell, although `make test` may run this
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")
    }
    return subprocess.run(
        ["make", target, f"PYTHON={folder / 'python'}"],
        cwd=folder,
        env={**environment, "FAILS": str(fails), "CXX": "sh"},
        capture_output=True,
        text=True,
    )


def test_setup_prints_one_line_that_names_its_duration(tmp_path):
    done = make(tmp_path, "setup", fails=0)
    assert (done.returncode, done.stdout) == (0, "")
    [line] = done.stderr.splitlines()
    assert "minutes" in line
    assert make(tmp_path, "setup", fails=0).stderr == ""


@pytest.mark.parametrize("target", ["setup", "engines"])
def test_failed_setup_shows_the_output_of_pip(tmp_path, target):
    if target == "engines":
        make(tmp_path, "setup", fails=0)
    done = make(tmp_path, target, fails=1)
    assert done.returncode == 2
    assert "WARNING: of pip's" in done.stderr
    assert ".venv/setup.log" in done.stderr
    assert not (tmp_path / ".venv" / ("done" if target == "setup" else "engines")).exists()
