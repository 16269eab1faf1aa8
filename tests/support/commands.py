"""Commands of `bench`: called in this process, as its script calls them, or as a process of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from unittest import mock

from bench import cli
from bench.indexes import INDEXES
from bench.study.build import check_code, measure

SCRIPT = str(Path(sys.executable).parent / "bench")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def in_process(words, folder, environment):
    """Call a command in a folder with more environment variables, and build here: its code, stdout and stderr.

    All that a command changes in its process is as before afterwards.
    """
    with ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        stack.enter_context(chdir(folder))
        stack.enter_context(mock.patch.dict(os.environ, environment))
        stack.enter_context(mock.patch.dict(INDEXES))
        stack.enter_context(mock.patch.object(sys, "argv", ["bench", *words]))
        stack.enter_context(mock.patch("bench.study.run.in_workers", _here))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_signals())
        stack.enter_context(_streams(out, err))
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        sys.stderr.flush()
        return subprocess.CompletedProcess(["bench", *words], code, *map(_text, (out, err)))


def as_script(words, folder, environment, **options):
    """Run a command as a process of its own; options: of `subprocess.run`."""
    return subprocess.run(
        [SCRIPT, *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        cwd=folder,
        env=os.environ | environment,
        timeout=300,
        **options,
    )


def _here(jobs, workers, log):
    """What `in_workers` gives, by builds in this process."""
    for job in jobs:
        check_code(job)
        yield from measure(job, log)


@contextmanager
def _streams(out, err):
    """Lead standard output and error, also what libraries write to them, to files."""
    before, kept = (sys.stdout, sys.stderr), [os.dup(number) for number in (1, 2)]
    for stream in before:
        stream.flush()
    try:
        for number, file in enumerate((out, err), 1):
            os.dup2(file.fileno(), number)
        yield
    finally:
        sys.stdout, sys.stderr = before
        for number, saved in enumerate(kept, 1):
            os.dup2(saved, number)
            os.close(saved)


@contextmanager
def _signals():
    """Leave what signals do as it was."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _text(file):
    """All that was written to a file, as `subprocess` reads it."""
    file.seek(0)
    text = file.read().decode(errors="surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")
