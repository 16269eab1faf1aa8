"""The results of studies from the store, after measuring those that it misses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from bench import digests
from bench.errors import Log
from bench.geometry import Geometry
from bench.geometry.verify import check_resolution, verify_given, warn_of_near_duplicates, warn_of_rows_as_queries
from bench.study.environment import differences, environment
from bench.study.execution.workers import Workers
from bench.study.outcome import Failure, Outcome
from bench.study.run import run
from bench.study.spec.study import Study
from bench.study.store import Store
from bench.study.trial import Trial

# Of so many outcomes: what to call with a line, and at every one that came
Progress = Callable[[int], AbstractContextManager[tuple[Log, Callable[[], None]]]]


Measure = Callable[[Sequence[Trial]], list[Outcome]]


class Results(msgspec.Struct, frozen=True):
    """The contents of a store for studies of one name.

    outcomes: (experiment, outcome).
    ladder: the same of their ladders.
    failures: of trials without an outcome.
    """

    outcomes: list[tuple[str, Outcome]]
    ladder: list[tuple[str, Outcome]]
    failures: list[Failure]


class FailedTrialsError(Exception):
    """Trials that a judgement needs have no outcome. trials: how many were measured."""

    def __init__(self, failures: Sequence[Failure], trials: int) -> None:
        super().__init__()
        self.failures = failures
        self.trials = trials


class Interrupted(KeyboardInterrupt):
    """An interrupt, with how many of the missing outcomes had finished by then."""

    def __init__(self, finished: int, missing: int) -> None:
        super().__init__()
        self.finished = finished
        self.missing = missing


def fill(studies: Sequence[Study], store: Store, workers: Workers, progress: Progress, log: Log) -> Results:
    """Measure what the store misses of studies of one name, and give all that they ask for.

    Raises Interrupted at Ctrl-C; what finished is in the store.
    """
    name, trials = studies[0].name, [trial for study in studies for trial in study.with_ladder]
    own = {trial for study in studies for trial in study.trials}
    ladder = [trial for trial in trials if trial not in own]
    missing = store.missing(trials)
    finished = 0
    store.enlist(name, own, ladder)
    store.forget(name, but=trials)
    log(f"{name}: {len(trials)} outcomes in all, {len(missing)} missing in {store.path}")
    if missing:  # fail before anything is built
        store.check_writable()
    try:
        with progress(len(missing)) as (log_beside, step):
            _verify(studies, log_beside)
            for study in studies:
                for _ in run(study, store, workers, log_beside, study.with_ladder):
                    finished += 1
                    step()
    except KeyboardInterrupt:
        raise Interrupted(finished, len(missing)) from None
    stored = [*store.outcomes(name), *store.ladder(name)]
    wanted = set(trials)
    return Results(
        outcomes=[pair for pair in stored if pair[1].trial in own],
        ladder=[pair for pair in stored if pair[1].trial in wanted - own],
        failures=[failure for _, failure in store.failures(name) if failure.trial in wanted],
    )


def _verify(studies: Sequence[Study], log: Log) -> None:
    """Warn, once per dataset, of faults in its own files. Raises BenchError if it cannot be measured."""
    for dataset in {name: dataset for study in studies for name, dataset in study.datasets.items()}.values():
        geometry = Geometry(dataset, log)
        if not check_resolution(geometry):
            continue  # what rounding does looks like wrong neighbours, or like repeats
        verify_given(geometry)
        warn_of_rows_as_queries(geometry)
        warn_of_near_duplicates(geometry)


def _changed(outcome: Outcome, here: dict[str, Any]) -> bool:
    """Return whether this installation differs from that of an outcome in anything that concerns its engine."""
    engine = outcome.trial.index.engine
    return any(change.concerns(engine) for change in differences(outcome.build.environment, here))


@contextmanager
def measuring(
    study: Study, path: Path | None, workers: Workers, progress: Progress, log: Log, purpose: Mapping[str, Any]
) -> Iterator[Measure]:
    """Yield a function that measures trials of a study, for a gate or a baseline.

    Raises FailedTrialsError if any trial fails.

    path: a store that keeps the outcomes. Of those that are there, only builds of the same attempt are taken, which was
    interrupted: one with this purpose and these trials, on a machine like this, by an engine compiled as this one is.
    An attempt ends when the context does, unless by an exception; without a path all are measured.
    purpose: plain values that name what measures, and whatever decides about what.
    """
    attempt = digests.key_digest({**purpose, "trials": [[trial.key, *trial.code] for trial in study.trials]})
    here = environment(workers.count, {index.engine for index in study.indexes})
    with TemporaryDirectory() as folder:
        store = Store.create(path or Path(folder) / "store.sqlite")

        def measure(trials: Sequence[Trial]) -> list[Outcome]:
            own = store.attempted(attempt)
            stored = (outcome for _, outcome in store.outcomes() if outcome.build.id in own) if own else ()
            by_key = {outcome.trial.key: outcome for outcome in stored if not _changed(outcome, here)}
            missing = [trial for trial in trials if trial.key not in by_key]
            log(f"{study.name}: {len(missing)} outcomes to measure")
            for outcome in _measured(study, store, workers, progress, missing, len(trials)):
                store.attempt(attempt, outcome.build.id)
                by_key[outcome.trial.key] = outcome
            return [by_key[trial.key] for trial in trials]

        try:
            yield measure
            store.end_attempt(attempt)
        finally:
            store.close()


def _measured(
    study: Study, store: Store, workers: Workers, progress: Progress, missing: Sequence[Trial], asked: int
) -> Iterator[Outcome]:
    """The outcomes of trials, as they come, with progress; FailedTrialsError at the end if any of them failed."""
    failures: list[Failure] = []
    finished = 0
    try:
        with progress(len(missing)) as (log_beside, step):
            for result in run(study, store, workers, log_beside, missing, again=True):
                finished += 1
                step()
                if isinstance(result, Failure):
                    failures.append(result)
                else:
                    yield result
    except KeyboardInterrupt:
        raise Interrupted(finished, len(missing)) from None
    if failures:
        raise FailedTrialsError(failures, asked)
