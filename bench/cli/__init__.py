"""The commands. The only room that prints or exits.

Results go to standard output, progress and warnings to standard error. Heavy imports stand where they
are used, so that `bench --help` is quick.
"""

import io
import os
import signal
import sys
import traceback
import warnings
from typing import Any, TextIO

import typer

from bench.cli import data, gates, results, studies
from bench.cli.terminal import CRASHED, INTERRUPTED, USER_MISTAKE, say
from bench.errors import BenchError, BenchWarning

# Typer carries its own click, or uses the installed one, by version: this finds the one in use.
UsageError: Any = typer.BadParameter.__mro__[1]

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
    results.rankings,
    results.export,
    gates.gate,
    data.order,
    data.lid,
    data.fetch,
    data.embed,
):
    app.command()(command)
app.command(name="list")(data.list_)
app.add_typer(gates.baseline_app, name="baseline")


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

    Exit 0 done, 1 a check failed, 2 the user's mistake, 3 interrupted, 4 some trials failed, 70 a bug of ours.
    """
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", BenchWarning)
    warnings.showwarning = _warn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack some signs
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is as good as Ctrl-C
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, signal.default_int_handler)  # and so is a terminal that is closed
    try:
        # Typer turns Ctrl-C into this code, which without standalone mode it hands back.
        if app(sys.argv[1:] or ["--help"], standalone_mode=False) == 130:
            raise KeyboardInterrupt
    except BenchError as error:
        say(f"bench: {error}")
        raise SystemExit(USER_MISTAKE) from None
    except UsageError as error:
        say(f"bench: {error.format_message()} See `bench --help`.")
        raise SystemExit(USER_MISTAKE) from None
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted: nothing is half written")
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        _stop_writing()
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):  # which Typer turns into an exit with 1
            raise
        _stop_writing()
    except BaseException:  # noqa: BLE001 - Python would exit with 1, by which a gate says that recall has fallen
        traceback.print_exc()
        raise SystemExit(CRASHED) from None


def _stop_writing() -> None:
    """As in `bench export | head`: the reader has what it wants."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
