"""Now against a baseline: has recall fallen?

A baseline's builds are repeated, a few of each order and more where the verdict is open; see `verdict` for how one is
reached.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from bench.analysis.verdict import (
    FAILURES,
    MARGIN,
    UNDECIDED,
    WORST_FIRST,
    Line,
    decide,
    of_one_order,
)
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

    study: the baseline's experiment, with as many builds. measure: the outcomes of trials, with what is
    installed now. A BenchError where the study's trials are not the baseline's.
    """
    check_repeats(baseline, study)
    ks = sorted({k for _, k in study.experiment.searches})
    scoring = [line for dataset in study.datasets.values() for line in misscored(dataset, ks)]
    then = {comparable(outcome.trial): outcome for outcome in baseline.outcomes}
    engines = list(dict.fromkeys(trial.index.engine for trial in study.trials))
    steps = looks(first, baseline.builds)
    now: dict[Trial, Outcome] = {}
    wanted = study.trials
    for step in steps:
        missing = [trial for trial in wanted if trial.seeds.build_seed <= step and comparable(trial) not in now]
        now |= {comparable(outcome.trial): outcome for outcome in measure(missing)}
        changes = _changes(baseline, now.values())
        unchanged = [engine for engine in engines if not any(change.concerns(engine) for change in changes)]
        lines = decide(then, now, unchanged=unchanged, margin=margin, steps=len(steps))
        failed = bool(scoring) or any(line.verdict in FAILURES for line in lines)
        undecided = [line for line in lines if line.verdict == UNDECIDED]
        if failed or not undecided:
            break
        settings, whole = {line.setting for line in undecided}, {x.engine for x in undecided if x.setting is None}
        wanted = [trial for trial in study.trials if of_one_order(trial) in settings or trial.index.engine in whole]
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
    """How the environments of outcomes differ from the baseline's."""
    environments = {id(outcome.build.environment): outcome.build.environment for outcome in outcomes}.values()
    return list(dict.fromkeys(change for one in environments for change in differences(baseline.environment, one)))


def looks(first: int, most: int) -> list[int]:
    """After how many builds it is decided: after `first`, then twice as many each time, `most` at last."""
    steps = [min(first, most)]
    while steps[-1] < most:
        steps.append(min(2 * steps[-1], most))
    return steps
