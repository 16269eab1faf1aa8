"""Commands that keep a baseline and hold what is installed against it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.terminal import FAILED, INTERRUPTED, JobsOption, JsonOption, print_json, progress, say, write
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.study.store import Outcome
    from bench.study.study import Study
    from bench.study.trial import Trial

GateStoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Keep builds here, and take those that are here; without it all are made anew."),
]

baseline_app = typer.Typer(help="Baselines, which `bench gate` holds later versions against.", add_completion=False)


@baseline_app.callback()
def _baseline() -> None:
    pass  # makes `save` a word of its own, though it is the only one


@baseline_app.command(name="save")
def baseline_save(
    name: Annotated[str, typer.Argument(help="A name in results/baselines, or the path of a .json file.")],
    reason: Annotated[str, typer.Option(help="Why recall is to be held against these figures.")],
    experiment: Annotated[
        str, typer.Option(help="A shipped experiment's name, or the path of a TOML file.")
    ] = "default",
    builds: Annotated[int, typer.Option(help="Builds of each order, 5 or more; a gate adds up to as many.")] = 10,
    store: GateStoreOption = None,
    jobs: JobsOption = 1,
) -> None:
    """Measure an experiment and keep it as what later versions are held against.

    \b
    Example:
      bench baseline save default --reason "first release"
      bench baseline save mine --experiment mine.toml --builds 20 --reason "new embedding model"
    """
    from bench.study import baseline
    from bench.study.study import read, with_builds

    path = baseline.path_of(name)
    if not reason.strip():
        raise BenchError("--reason is empty: say why recall is to be held against these figures")
    if builds < baseline.LEAST_BUILDS:
        raise BenchError(f"--builds {builds}: give at least {baseline.LEAST_BUILDS}, since fewer show no fall")
    before = baseline.read(path) if path.exists() else None  # what is no baseline is not overwritten
    study = with_builds(read(experiment), builds)
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
    if not os.access(path.parent, os.W_OK):
        raise BenchError(f"cannot write {path}: its folder is not writable; name another place")
    with _measuring(study, store, jobs) as measure:
        made = baseline.made(path.stem, study, _from_here(experiment), " ".join(reason.split()), measure(study.trials))
    write(path, lambda stream: stream.write(baseline.text(made).encode()))
    replaced = f", in place of that of {before.saved} ({before.reason})" if before else ""
    print(f"{path}: {len(made.outcomes)} outcomes{replaced}")


def gate(
    name: Annotated[str, typer.Argument(help="A baseline's name in results/baselines, or the path of its file.")],
    margin: Annotated[float, typer.Option(help="A fall in recall, in points, that is too small to matter.")] = 0.5,
    store: GateStoreOption = None,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Build a baseline's graphs again with what is installed now: exit 1 where recall has fallen.

    \b
    Example:
      bench gate default
      bench gate default --margin 1 --json
    """
    from bench.analysis.gate import check
    from bench.present.gate import flat, text
    from bench.study import baseline
    from bench.study.study import read, with_builds

    if not 0 < margin < 100:
        raise BenchError(f"--margin {margin}: give points of recall, above 0 and below 100")
    kept = baseline.read(baseline.path_of(name))
    if kept.experiment.endswith(".toml") and not Path(kept.experiment).is_file():
        raise BenchError(f"baseline {name}: its experiment {kept.experiment} is not here: go to where it was saved")
    study = read(kept.experiment)
    first = study.experiment.build_seeds
    study = with_builds(study, kept.builds)
    baseline.check_repeats(kept, study)  # before anything is built
    with _measuring(study, store, jobs) as measure:
        report = check(kept, study, measure, first, margin / 100)
    told = text(report)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as stream:
                stream.write(told + "\n")
        except OSError as error:
            say(f"warning: no summary written to GITHUB_STEP_SUMMARY={summary}: {error.strerror}")
    if as_json:
        print_json(flat(report))
    else:
        print(told)
    if not report.passed:
        raise SystemExit(FAILED)


def _from_here(experiment: str) -> str:
    """An experiment's path from this folder, where it lies below it, so that the baseline serves elsewhere too."""
    path = Path(experiment)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else experiment


@contextmanager
def _measuring(study: "Study", path: Path | None, jobs: int) -> "Iterator[Callable[[Sequence[Trial]], list[Outcome]]]":
    """What measures trials of a study, with progress; in a store of its own unless one is named."""
    from tempfile import TemporaryDirectory

    from bench.study.environment import differences, environment
    from bench.study.run import run as run_study
    from bench.study.store import Store

    here = environment(jobs)

    def alike(there: dict[str, Any]) -> bool:
        """Whether outcomes are of the same engines, down to how these were compiled; their keys tell our own code."""
        return not any(differences(there, here))

    with TemporaryDirectory() as own:
        store = Store.create(path or Path(own) / "store.sqlite")

        def measure(trials: "Sequence[Trial]") -> "list[Outcome]":
            kept = {} if path is None else {o.trial.key: o for _, o in store.outcomes() if alike(o.environment)}
            missing = [trial for trial in trials if trial.key not in kept]
            say(f"{study.name}: {len(missing)} outcomes to measure")
            try:
                with progress(len(missing)) as (told, step):
                    for outcome in run_study(study, store, jobs, told, missing, anew=True):
                        kept[outcome.trial.key] = outcome
                        step()
            except KeyboardInterrupt:
                how = f"what finished is kept in {path}" if path else "nothing is kept; --store PATH would keep builds"
                say(f"interrupted: {how}")
                raise SystemExit(INTERRUPTED) from None
            return [kept[trial.key] for trial in trials]

        yield measure
        store.close()
