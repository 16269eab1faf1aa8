"""Now against a baseline: has recall fallen?

A baseline's builds are repeated, a few of each order and more where the verdict is open; see `verdict` for how one is
reached.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from bench.analysis.verdict import FAILURES, MARGIN, UNDECIDED, WORST_FIRST, Line, case_of, decide
from bench.measure.known_answers import misscored
from bench.study.baseline import Baseline, check_repeats, comparable
from bench.study.environment import Change, differences
from bench.study.outcome import Outcome
from bench.study.study import Study
from bench.study.trial import Trial


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate shows, worst first.

    changes: in the environment.
    unchanged: engines that these do not concern.
    scoring: known answers that are scored wrong.
    """

    baseline: str
    saved: str
    reason: str
    margin: float
    passed: bool
    changes: list[str]
    unchanged: list[str]
    scoring: list[str]
    lines: list[Line]


def check(
    baseline: Baseline,
    study: Study,
    measure: Callable[[Sequence[Trial]], Iterable[Outcome]],
    first: int,
    margin: float = MARGIN,
) -> Report:
    """Repeat a baseline's builds, `first` of each order and more where undecided, and decide.

    study: the baseline's experiment, with as many builds.
    measure: the outcomes of trials, with what is installed now.
    A BenchError where the study's trials are not the baseline's.
    """
    check_repeats(baseline, study)
    ks = sorted({k for _, k in study.experiment.searches})
    scoring = [line for dataset in study.datasets.values() for line in misscored(dataset, ks)]
    then = {comparable(outcome.trial): outcome for outcome in baseline.outcomes}
    now: dict[Trial, Outcome] = {}
    steps = looks(first, baseline.builds)
    trials = study.trials
    for step in steps:
        missing = [trial for trial in trials if trial.seeds.build_seed <= step and comparable(trial) not in now]
        now |= {comparable(outcome.trial): outcome for outcome in measure(missing)}
        changes = _changes(baseline, now.values())
        unchanged = _unchanged(study, changes)
        lines = decide(then, now, unchanged=unchanged, margin=margin, steps=len(steps))
        failed = bool(scoring) or any(line.verdict in FAILURES for line in lines)
        trials = _undecided(study, lines)
        if failed or not trials:
            break
    return Report(
        baseline=baseline.name,
        saved=baseline.saved,
        reason=baseline.reason,
        margin=margin,
        passed=not failed,
        changes=[change.text for change in changes],
        unchanged=unchanged,
        scoring=scoring,
        lines=sorted(lines, key=lambda line: (WORST_FIRST.index(line.verdict), line.difference)),
    )


def _changes(baseline: Baseline, outcomes: Iterable[Outcome]) -> list[Change]:
    """How the environments that outcomes come from differ from the baseline's."""
    environments = {id(outcome.build.environment): outcome.build.environment for outcome in outcomes}.values()
    return list(dict.fromkeys(change for one in environments for change in differences(baseline.environment, one)))


def _unchanged(study: Study, changes: Sequence[Change]) -> list[str]:
    """The engines that no change concerns."""
    engines = dict.fromkeys(index.engine for index in study.indexes)
    return [engine for engine in engines if not any(change.concerns(engine) for change in changes)]


def _undecided(study: Study, lines: Sequence[Line]) -> list[Trial]:
    """The trials of undecided lines; where an engine's own is, all of that engine."""
    undecided = [line for line in lines if line.verdict == UNDECIDED]
    engines = {line.engine for line in undecided if line.case is None}
    cases = {line.case for line in undecided}
    return [trial for trial in study.trials if trial.index.engine in engines or case_of(trial) in cases]


def looks(first: int, most: int) -> list[int]:
    """After how many builds it is decided: after `first`, then twice as many each time, `most` at last."""
    steps = [min(first, most)]
    while steps[-1] < most:
        steps.append(min(2 * steps[-1], most))
    return steps
