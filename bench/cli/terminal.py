"""What all commands share: options of one meaning, and how they read and answer."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.errors import BenchError
from bench.labels import cut, split, unquoted

if TYPE_CHECKING:
    from bench.present.text import Layout
    from bench.study.outcome import Failure
    from bench.study.workers import Workers

CHECK_FAILED, USER_MISTAKE, INTERRUPTED, TRIALS_FAILED, CRASHED = 1, 2, 3, 4, 70

StoreOption = Annotated[Path, typer.Option("--store", help="The SQLite file that keeps results.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
JobsOption = Annotated[
    int, typer.Option(min=1, help="Processes that build side by side. Recall stays the same; times suffer.")
]
TimeoutOption = Annotated[
    float | None, typer.Option(help="Seconds that a build and its searches may take; one that takes longer has failed.")
]
MetricOption = Annotated[
    str | None, typer.Option(help="l2, cosine or ip; by default what the file of vectors states, else l2.")
]
LabelsOption = Annotated[Path | None, typer.Option(help="A file of one label a base row; .txt has one a line.")]
WideOption = Annotated[
    bool, typer.Option("--wide", help="All columns, as Markdown; without it those that fit a terminal (80 in a pipe).")
]
STORE = Path("results/store.sqlite")


@contextmanager
def progress(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """What to call with a line, and what to call at every outcome: a bar, or lines where no terminal is."""
    if not total:
        yield say, lambda: None
        return
    if not sys.stderr.isatty():
        from bench.present.progress import Lines

        lines = Lines(total, say)
        yield say, lines.step
        return
    from bench.present.progress import bar

    with bar(total) as (log, step):
        yield log, step


def workers(jobs: int, timeout: float | None) -> "Workers":
    """The processes that build, as options state them."""
    from bench.study.workers import Workers

    if timeout is not None and not timeout > 0:
        raise BenchError(f"--timeout {timeout:g}: give a positive number of seconds")
    return Workers(jobs, timeout)


def terminal_layout(wide: bool) -> "Layout":
    """How tables are laid out: as wide as the terminal, or `COLUMNS`, or 80 where output goes elsewhere."""
    from bench.present.text import NARROWEST, Layout

    return Layout(width=max(shutil.get_terminal_size((NARROWEST, 24)).columns, NARROWEST), wide=wide)


def exit_after(failures: "Sequence[Failure]") -> None:
    """Exit with a code of its own where trials failed."""
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


def order_table(text: str, option: str) -> dict[str, Any]:
    """An order as an experiment's table has it, from a file, or `name:key=value:...` with `+` between labels.

    A label that has one of `,:+` in it stands in double quotes.
    """
    from bench.orders import ORDERS, is_file, parameters

    name, *pairs = split(text, ":")
    if name not in ORDERS and is_file(text):
        return {"file": text}
    given: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BenchError(f"{option}: {cut(pair)!r} in {cut(text)!r} is not key=value")
        if key in given:
            raise BenchError(f"{option}: {key} is given twice in {cut(text)!r}")
        given[key] = [unquoted(label) for label in split(value, "+")] if key == "permutation" else value
    if name == "category" and "permutations" in given:  # which stands for orders, and is no parameter of one
        return {"name": name, **given, "permutations": integer(given["permutations"], f"{option}: permutations")}
    return {"name": name, **parameters(name, given, strict=False)}


def check_folder(path: Path) -> None:
    """A BenchError where a file cannot be written since its folder does not exist, before anything is computed."""
    if not path.absolute().parent.is_dir():
        raise BenchError(f"cannot write {path}: its folder does not exist; name another file with --output")


def print_json(value: Any) -> None:
    import msgspec

    # msgspec writes NaN, which JSON has not, as null.
    print(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
