"""Commands that keep a baseline and hold what is installed against it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.terminal import (
    CHECK_FAILED,
    INTERRUPTED,
    TRIALS_FAILED,
    JobsOption,
    JsonOption,
    TimeoutOption,
    WideOption,
    print_json,
    say,
    terminal_layout,
    workers,
)
from bench.convert import as_text, duration
from bench.errors import BenchError
from bench.outputs import Kind, check, writer
from bench.streams import check_stdout

if TYPE_CHECKING:
    from bench.study.execution.workers import Workers
    from bench.study.fill import Measure
    from bench.study.spec.study import Study

GateStoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Keep builds in this file, so that the same command continues after an interrupt."),
]

baseline_app = typer.Typer(
    help="Save baselines, with which `bench gate` compares later versions.", add_completion=False
)


@baseline_app.callback()
def _baseline() -> None:
    pass  # makes `save` a word of its own, though it is the only one


@baseline_app.command(name="save")
def baseline_save(
    name: Annotated[str, typer.Argument(help="A name in results/baselines, or the path of a .json file.")],
    reason: Annotated[str, typer.Option(help="Why later versions should be compared with these figures.")],
    experiment: Annotated[
        str, typer.Option(help="A shipped experiment's name, or the path of a TOML file.")
    ] = "default",
    builds: Annotated[
        int, typer.Option(help="Builds of each order, 5 or more; a gate adds at most the same number.")
    ] = 10,
    store: GateStoreOption = None,
    jobs: JobsOption = 1,
    timeout: TimeoutOption = None,
) -> None:
    """Measure an experiment and save it as the baseline for later versions.

    \b
    Example:
      bench baseline save default --reason "first release"
      bench baseline save mine --experiment mine.toml --builds 20 --reason "new embedding model"
    """
    from bench.features.gate.gate import found_by
    from bench.features.gate.gate_text import smallest_text
    from bench.study import baseline
    from bench.study.spec.study import read, with_builds

    path = baseline.path_of(name)
    if not reason.strip():
        raise BenchError("--reason is empty: say why later versions should be compared with these figures")
    if builds < baseline.LEAST_BUILDS:
        raise BenchError(f"--builds {builds}: give at least {baseline.LEAST_BUILDS}, since fewer show no fall")
    before = baseline.read(path) if path.exists() and path.stat().st_size else None
    study = read(experiment, log=say)
    first = study.experiment.build_seeds  # with which a gate begins
    study = with_builds(study, builds)
    for dataset in study.datasets.values():
        if len(dataset.queries) < baseline.LEAST_QUERIES:
            raise BenchError(
                f"dataset {dataset.name!r} has {len(dataset.queries)} queries: give at least {baseline.LEAST_QUERIES}, "
                "since fewer say nothing of others"
            )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}; name another place") from None
    write = writer(path, baseline.FILE, _files(experiment, store))
    purpose = {"command": "baseline save", "path": str(path), "reason": reason, "experiment": experiment}
    with _measuring(study, store, workers(jobs, timeout), purpose) as measure:
        outcomes = measure(study.trials)
    saved = baseline.create(
        as_text(path.stem), study, _from_here(experiment), as_text(" ".join(reason.split())), outcomes
    )
    write(baseline.text(saved).encode())
    replaced = f", in place of that of {before.saved} ({before.reason})" if before else ""
    print(f"{path}: {len(saved.outcomes)} outcomes{replaced}")
    print(terminal_layout(wide=False).note(smallest_text(found_by(saved, first))))


def gate(
    name: Annotated[str, typer.Argument(help="A baseline's name in results/baselines, or the path of its file.")],
    margin: Annotated[float, typer.Option(help="A fall in recall, in points, that is too small to matter.")] = 0.5,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time, as 90s, 10m or 2h, to continue building until every line is decided; by default at most as many"
            " builds as the baseline has."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail also if a line is undecided or left out.")] = False,
    store: GateStoreOption = None,
    jobs: JobsOption = 1,
    timeout: TimeoutOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build a baseline's graphs again with the installed packages: exit 1 if recall has fallen.

    \b
    Example:
      bench gate default
      bench gate default --margin 1 --json
      bench gate default --budget 10m --strict
    """
    from bench import digests
    from bench.features.gate.gate import check
    from bench.features.gate.gate_text import gate_values, text
    from bench.study import baseline
    from bench.study.spec.study import read, with_builds

    if not 0 < margin < 100:
        raise BenchError(f"--margin {margin}: give points of recall, above 0 and below 100")
    seconds = None if budget is None else duration(budget, "--budget")
    saved = baseline.read(baseline.path_of(name))
    if saved.experiment.endswith(".toml") and not Path(saved.experiment).is_file():
        raise BenchError(f"baseline {name}: its experiment {saved.experiment} does not exist: go to where it was saved")
    study = read(saved.experiment, log=say)
    first = study.experiment.build_seeds
    study = with_builds(study, saved.builds)
    content = digests.file_digest(baseline.path_of(name))
    purpose = {"command": "gate", "baseline": content, "margin": margin, "budget": budget, "strict": strict}
    with _measuring(study, store, workers(jobs, timeout), purpose) as measure:
        report = check(saved, study, measure, first, margin / 100, budget=seconds, strict=strict, timeout=timeout)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(summary), text(report, terminal_layout(wide=True)) + "\n", _files(saved.experiment, store))
    if as_json:
        print_json(gate_values(report))
    else:
        print(text(report, terminal_layout(wide)))
    if not report.passed:
        raise typer.Exit(CHECK_FAILED)


def _files(experiment: str, store: Path | None) -> list[Path]:
    """Return the files that a measurement reads by name."""
    return [*([Path(experiment)] if experiment.endswith(".toml") else []), *([store] if store else [])]


def _append(summary: Path, text: str, reads: list[Path]) -> None:
    """Add the gate's table to a file of text; if that cannot be done, the gate's result is not lost."""
    try:
        check(summary, Kind("file of text", lambda path: "\0" not in path.read_text("utf-8")), reads)
        with summary.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except (BenchError, OSError) as error:
        say(f"warning: no summary written to GITHUB_STEP_SUMMARY={summary}: {error}")


def _from_here(experiment: str) -> str:
    """Return the experiment's path, relative if it is below this folder, so that others can use the baseline."""
    path = Path(experiment)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else experiment


@contextmanager
def _measuring(
    study: "Study", path: Path | None, workers: "Workers", purpose: Mapping[str, object]
) -> "Iterator[Measure]":
    """Return a function that measures trials with progress, and exits if interrupted or if trials fail.

    purpose: identifies this attempt among others in a store.
    """
    from bench.present.progress import outcomes
    from bench.study.fill import FailedTrialsError, Interrupted, measuring

    check_stdout()
    try:
        with measuring(study, path, workers, outcomes, say, purpose) as measure:
            yield measure
    except Interrupted:
        how = (
            f"what finished is saved in {path}, and the same command goes on from there"
            if path
            else "nothing is saved; --store PATH would save builds"
        )
        say(f"interrupted: {how}")
        raise typer.Exit(INTERRUPTED) from None
    except FailedTrialsError as failed:
        from bench.present.failures import failures_text

        print(failures_text(failed.failures, failed.trials, terminal_layout(wide=False)))
        raise typer.Exit(TRIALS_FAILED) from None
