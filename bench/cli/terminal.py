"""Options, input and output that all commands share."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.errors import BenchError
from bench.labels import split
from bench.outputs import is_standard
from bench.streams import say as say

if TYPE_CHECKING:
    from bench.present.text import Layout
    from bench.study.execution.workers import Workers
    from bench.study.outcome import Failure

CHECK_FAILED, USER_MISTAKE, INTERRUPTED, TRIALS_FAILED, CRASHED = 1, 2, 3, 4, 70

StoreOption = Annotated[Path, typer.Option("--store", help="The SQLite file that keeps results.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
JobsOption = Annotated[
    int, typer.Option(min=1, help="Processes that build at the same time. Recall stays the same; times get longer.")
]
TimeoutOption = Annotated[
    float | None, typer.Option(help="Seconds that a build and its searches may take; a slower one fails.")
]
MetricOption = Annotated[
    str | None,
    typer.Option(help="l2, cosine or ip; by default the metric that the file of vectors states, otherwise l2."),
]
LabelsOption = Annotated[Path | None, typer.Option(help="A file with one label per base row, .txt one per line.")]
WideOption = Annotated[
    bool,
    typer.Option(
        "--wide",
        help="Print all columns, as Markdown; otherwise those that fit the terminal (80 characters in a pipe).",
    ),
]
AllOption = Annotated[
    bool,
    typer.Option(
        "--all", help="Print every row of a long table, as for files and pipes; otherwise a terminal shows a summary."
    ),
]
WorthOption = Annotated[
    float | None,
    typer.Option(
        help="The smallest gain in recall that matters, in points; 1 by default. Smaller gains count as none."
    ),
]
STORE = Path("results/store.sqlite")


def workers(jobs: int, timeout: float | None) -> "Workers":
    """Return the processes that build, from the options."""
    from bench.study.execution.workers import Workers

    if timeout is not None and not timeout > 0:
        raise BenchError(f"--timeout {timeout:g}: give a positive number of seconds")
    return Workers(jobs, timeout)


def terminal_layout(wide: bool, every: bool = True) -> "Layout":
    """How tables are laid out: as wide as the terminal, or `COLUMNS`, or 80 if output goes elsewhere.

    every: whether a terminal gets every row of a long table, as files and pipes do.
    """
    from bench.present.text import NARROWEST, Layout

    width = max(shutil.get_terminal_size((NARROWEST, 24)).columns, NARROWEST)
    return Layout(width=width, wide=wide, brief=not every and sys.stdout.isatty())


def worth_of(points: float | None) -> float:
    """`--worth` as a share of recall."""
    from bench.api.arguments import share
    from bench.statistics.power import MARGIN

    return MARGIN if points is None else share(points, "--worth")


def exit_after(failures: "Sequence[Failure]") -> None:
    """Exit with code 4 if trials failed."""
    if failures:
        raise typer.Exit(TRIALS_FAILED)


def items(text: str, option: str) -> list[str]:
    items = [item.strip() for item in split(text, ",") if item.strip()]
    if not items:
        raise BenchError(f"{option} is empty: name at least one, with commas between")
    return items


def integer(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BenchError(f"{option}: {text!r} is not a whole number; give numbers with commas between") from None


@contextmanager
def beside(output: Path | None) -> Iterator[None]:
    """Print to standard error, in this context, if an output takes standard output."""
    with redirect_stdout(sys.stderr) if output and is_standard(output) else nullcontext():
        yield


def print_json(value: Any) -> None:
    import msgspec

    # msgspec writes NaN, which JSON has not, as null.
    print(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))
