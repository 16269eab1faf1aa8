"""The command that tests how an engine treats the insertion order."""

from typing import Annotated

import typer

from bench.cli.terminal import (
    CHECK_FAILED,
    JsonOption,
    WideOption,
    print_json,
    say,
    terminal_layout,
)
from bench.errors import BenchError, unknown
from bench.streams import check_stdout

ALL = "all"


def doctor(
    engines: Annotated[
        list[str], typer.Argument(metavar="ENGINE...", help="Names of `bench list engines`, Python files, or all.")
    ],
    metric: Annotated[str | None, typer.Option(help="l2, cosine or ip; by default the engine's first.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that each check of an engine may take; a slower one fails.")
    ] = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Test by experiment how engines treat the order of insertion: exit 1 if one breaks a promise.

    \b
    Example:
      bench doctor hnswlib faiss
      bench doctor ./my_engine.py --metric cosine
      bench doctor all --json
    """
    from bench.features.doctor.diagnosis import diagnosis
    from bench.features.doctor.doctor_text import NOTE, diagnosis_values, text

    if timeout is not None and not timeout > 0:
        raise BenchError(f"--timeout {timeout:g}: give a positive number of seconds")
    named = _named(engines, metric)
    check_stdout()
    layout, found = terminal_layout(wide), []
    for engine in named:
        found.append(diagnosis(engine, metric, say, timeout))
        if not as_json:
            print(text(found[-1], layout) + "\n", flush=True)
    if as_json:
        print_json([diagnosis_values(one) for one in found])
    elif found:
        print(layout.note(NOTE))
    if any(one.broken for one in found):
        raise typer.Exit(CHECK_FAILED)


def _named(engines: list[str], metric: str | None) -> list[str]:
    """Engines that are installed and have the metric; of `all`, the others are named in a line each."""
    from bench.data.dataset import METRICS
    from bench.indexes import INDEXES, find, own
    from bench.indexes.engine import how_to_install, installed_version, version

    if metric is not None and metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    whole = {engine: INDEXES[find(engine)] for engine in engines if engine != ALL}
    for engine, of_one in whole.items():
        version(engine, of_one)
        if metric and metric not in of_one.metrics:
            raise BenchError(f"engine {engine!r} has no metric {metric}; it has {', '.join(of_one.metrics)}")
    if ALL in engines:
        for engine in dict.fromkeys([*(name for name, one in INDEXES.items() if not one.file), *own.entry_points()]):
            of_one = INDEXES[find(engine)]
            if installed_version(of_one) is None:
                say(f"{engine} is not installed: {how_to_install(of_one)}")
            elif metric and metric not in of_one.metrics:
                say(f"{engine} has no metric {metric}")
            else:
                whole.setdefault(engine, of_one)
    return list(whole)
