"""The commands. The only room that prints or exits.

Results go to standard output, progress and warnings to standard error. Heavy imports stand where they
are used, so that `bench --help` is quick.
"""

import errno
import os
import signal
import sys
import traceback
import warnings
from typing import Annotated, Any, TextIO

import typer

from bench import streams
from bench.cli import data, doctor, gates, results, studies
from bench.cli.terminal import CRASHED, INTERRUPTED, USER_MISTAKE, say
from bench.errors import BenchError, BenchWarning

# Typer carries its own click, or uses the installed one, by version: this finds the one in use.
UsageError: Any = typer.BadParameter.__mro__[1]
# Errors of the operating system about the place of a file, whatever code opens it
_OF_A_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC, errno.EDQUOT)
# Packages whose versions a bug report names, next to Python's
_PACKAGES = ("hnswlib", "faiss-cpu", "numpy")

app = typer.Typer(
    name="bench",
    help="How much does the order in which vectors are inserted change the recall of an HNSW index?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    studies.run,
    studies.compare,
    results.table,
    results.report,
    results.rankings,
    results.export,
    gates.gate,
    doctor.doctor,
    data.order,
    data.lid,
    data.fetch,
    data.embed,
):
    app.command()(command)
app.command(name="list")(data.list_)
app.add_typer(gates.baseline_app, name="baseline")


def _print_versions(wanted: bool) -> None:
    if not wanted:
        return
    import platform

    print(f"bench {_version('hnsw-order-bench')}")
    print(f"python {platform.python_version()} on {platform.platform()}")
    for package in _PACKAGES:
        print(f"{package} {_version(package)}")
    raise typer.Exit


def _version(package: str) -> str:
    """Return the version of an installed package, without importing it."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "is not installed"


@app.callback()
def _bench(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_versions, help="Print versions, for a report, and exit."
        ),
    ] = False,
) -> None:
    pass  # only declares the option that all commands share


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    say(f"warning: {message}")


def main() -> None:
    """Run the command line.

    Exit 0 done, 1 a check failed, 2 the user's mistake, 3 interrupted, 4 some trials failed, 70 a bug in bench.
    """
    streams.secure()
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", BenchWarning)
    warnings.showwarning = _warn
    interrupt = _Interrupt()
    signal.signal(signal.SIGTERM, interrupt)  # a scheduler's stop is as good as Ctrl-C
    for number in (signal.SIGINT, signal.SIGHUP):  # and so is a terminal that is closed
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background, or under nohup
            signal.signal(number, interrupt)
    code = _exit_code(sys.argv[1:] or ["--help"])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # as Python ends, one would kill it with another code
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(code)


class _Interrupt:
    """A handler of signals: the first interrupts, the second is ignored while the command ends, the third exits."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, number: int, frame: object) -> None:
        self._count += 1
        if self._count == 1:
            raise KeyboardInterrupt
        if self._count > 2:
            os._exit(INTERRUPTED)


def _exit_code(words: list[str]) -> int:
    """Run the command that `words` name, report any error, and return the exit code."""
    try:
        try:
            _run(words)
        finally:
            sys.stdout.flush()  # a result that is not written is not done, whatever else the command came to
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted: nothing is half written")
        return INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - also a library's SystemExit: 1 means that recall fell
        if mistake := _mistake(error):
            say(f"bench: {' '.join(mistake.splitlines())}")
            return USER_MISTAKE
        traceback.print_exc()
        return CRASHED
    return 0


def _run(words: list[str]) -> None:
    """Run the command that `words` name, without Typer's `main`, which exits with 1 if any pipe breaks."""
    with typer.main.get_command(app).make_context("bench", words) as context:
        context.command.invoke(context)


def _mistake(error: BaseException) -> str:
    """Return the message for an exception that is not a bug in bench; empty for a bug."""
    if isinstance(error, BenchError):
        return str(error)
    if isinstance(error, UsageError):
        command = error.ctx.command_path if error.ctx else "bench"
        return f"{error.format_message().rstrip('.')}. See `{command} --help`."
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":  # of a name that Python read
        part = error.object[max(error.start - 40, 0) : error.end + 40]
        return f"{part!r} has a name that is not UTF-8; bench can only write UTF-8: rename it"
    if isinstance(error, OSError) and error.errno in _OF_A_PLACE:
        return f"{error.filename or 'a file'}: {error.strerror}; name another place, or repair this one"
    return ""
