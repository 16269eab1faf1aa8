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
from bench.study.execution.build import check_code, measure

SCRIPT = str(Path(sys.executable).parent / "bench")
READ = object()  # a stream that is read
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def in_process(words, folder, environment, workers=False, stdout=READ, stderr=READ):
    """Call a command in a folder with more environment variables: its code, stdout and stderr.

    It builds in this process too, or in workers. What it changes in its process is as before afterwards.
    stdout, stderr: the path or number of a file that takes the stream, or None for a stream that is closed.
    """
    with ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        into = [
            read if stream is READ else None if stream is None else stack.enter_context(open(stream, "wb", 0))
            for stream, read in ((stdout, out), (stderr, err))
        ]
        stack.enter_context(chdir(folder))
        stack.enter_context(mock.patch.dict(os.environ, environment))
        stack.enter_context(mock.patch.dict(INDEXES))
        stack.enter_context(mock.patch.object(sys, "argv", ["bench", *words]))
        if not workers:
            stack.enter_context(mock.patch("bench.study.run.in_workers", _here))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_signals())
        stack.enter_context(_streams(into))
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
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
def _streams(files):
    """Lead standard output and error, also what libraries write to them, to files; None closes one."""
    before, kept = (sys.stdout, sys.stderr), [os.dup(number) for number in (1, 2)]
    for stream in before:
        stream.flush()
    try:
        for number, file in enumerate(files, 1):
            if file:
                os.dup2(file.fileno(), number)
            else:
                os.close(number)
        sys.stdout, sys.stderr = (stream if file else None for stream, file in zip(before, files, strict=True))
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
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
