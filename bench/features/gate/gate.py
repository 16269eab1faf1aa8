"""Now against a baseline: has recall fallen?

First every engine has to keep what it promises of order, by experiment. Then a baseline's builds are repeated, a few of
each order and more where the verdict is open; see `verdict` for how one is reached.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from bench.analysis.verdict import (
    FAILURES,
    MARGIN,
    UNDECIDED,
    WORST_FIRST,
    Case,
    GateLine,
    case_of,
    decide,
    smallest_falls,
)
from bench.errors import BenchError
from bench.indexes import INDEXES, find
from bench.indexes.contract import CheckResult, concerning, verdicts
from bench.indexes.engine import how_to_install
from bench.measure.known_answers import misscored
from bench.study import baseline as baselines
from bench.study.baseline import Baseline, check_repeats, comparable
from bench.study.environment import Change, differences
from bench.study.execution.processes import DiedError, apart
from bench.study.outcome import Outcome
from bench.study.spec.study import Study, with_builds, without
from bench.study.trial import Trial

_PATIENCE = 180.0  # seconds for one check of what an engine promises
_TIMES = (2, 4, 8)  # a baseline's builds, of which it is said what they would find


class SmallestFalls(msgspec.Struct, frozen=True):
    """The smallest falls in recall that nine of ten gates find with as many builds as a baseline has.

    cases: of one order in one setting.
    engines: of all of an engine's at once, by its name.
    more_builds: by a larger number of builds, the fall of the order and setting whose builds vary most.
    """

    cases: dict[Case, float]
    engines: dict[str, float]
    more_builds: dict[int, float] = {}

    def of(self, line: GateLine) -> float:
        """The fall that is found of a line's."""
        return self.engines[line.engine] if line.case is None else self.cases[line.case]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a gate, worst lines first.

    passed: whether nothing failed; with `strict`, what is undecided or left out fails too.
    left_out: engines of the baseline that are not installed, where its experiment has those that are alone.
    unsaved: engines that are, and that the baseline has none of.
    changes: in the environment.
    unchanged: engines that these do not concern.
    contract: what engines do not keep of what they promise, a line each.
    scoring: known answers that are scored wrong.
    looks: how often it was decided.
    smallest: falls that it would find.
    spent: whether it ended because its time was over.
    """

    baseline: str
    saved: str
    reason: str
    margin: float
    strict: bool
    passed: bool
    left_out: list[str]
    unsaved: list[str]
    changes: list[str]
    unchanged: list[str]
    contract: list[str]
    scoring: list[str]
    looks: int
    smallest: SmallestFalls
    spent: bool
    lines: list[GateLine]


def check(
    baseline: Baseline,
    study: Study,
    measure: Callable[[Sequence[Trial]], Iterable[Outcome]],
    first: int,
    margin: float = MARGIN,
    *,
    budget: float | None = None,
    strict: bool = False,
    timeout: float | None = None,
) -> Report:
    """Repeat a baseline's builds, `first` of each order and more where undecided, and decide.

    study: the baseline's experiment, with as many builds.
    measure: the outcomes of trials, with what is installed now.
    budget: seconds for which what is undecided is built on, also beyond the builds of the baseline; without it, up to
        these. strict: whether what is left undecided, or left out, fails.
    timeout: seconds for one check of what an engine promises.
    Raises BenchError if the study's trials are not the baseline's.
    """
    left_out, unsaved = _not_in_both(baseline, study)
    baseline, study = baselines.without(baseline, left_out), without(study, unsaved) if unsaved else study
    check_repeats(baseline, study)
    contract = broken_promises(study, timeout)
    ks = sorted({k for _, k in study.experiment.searches})
    scoring = [line for dataset in study.datasets.values() for line in misscored(dataset, ks)]
    then = {comparable(outcome.trial): outcome for outcome in baseline.outcomes}
    now: dict[Trial, Outcome] = {}
    clock = _Clock(budget)
    builds, look, trials = min(first, baseline.builds), 0, study.trials
    while True:
        look += 1
        missing = [trial for trial in trials if trial.seeds.build_seed <= builds and comparable(trial) not in now]
        now |= {comparable(outcome.trial): outcome for outcome in measure(missing)}
        clock.measured(len(missing))
        changes = _changes(baseline, now.values())
        unchanged = _unchanged(study, changes)
        lines = decide(then, now, unchanged=unchanged, margin=margin, look=look)
        failed = bool(contract or scoring) or any(line.verdict in FAILURES for line in lines)
        undecided = _open(lines, beyond=builds >= baseline.builds)
        most = (
            baseline.builds
            if budget is None
            else builds + clock.affordable(len(_of(undecided, study.trials)) / baseline.builds)
        )
        if failed or not undecided or builds >= most:
            break
        builds = min(2 * builds, most)
        trials = _of(undecided, (study if builds <= baseline.builds else with_builds(study, builds)).trials)
    return Report(
        baseline=baseline.name,
        saved=baseline.saved,
        reason=baseline.reason,
        margin=margin,
        strict=strict,
        passed=not failed and not (strict and (left_out or any(line.verdict == UNDECIDED for line in lines))),
        left_out=left_out,
        unsaved=unsaved,
        changes=[change.text for change in changes],
        unchanged=unchanged,
        contract=contract,
        scoring=scoring,
        looks=look,
        smallest=found_by(baseline, first, margin),
        spent=bool(undecided) and not failed and budget is not None,
        lines=sorted(lines, key=lambda line: (WORST_FIRST.index(line.verdict), line.difference)),
    )


def _not_in_both(baseline: Baseline, study: Study) -> tuple[list[str], list[str]]:
    """Engines of the baseline that are not installed, and engines that are and that it has none of; none unless the
    study takes the installed ones. Raises BenchError if it shares no engine with the baseline."""
    if not study.experiment.installed_only:
        return [], []
    saved = {outcome.trial.index.engine for outcome in baseline.outcomes}
    here = list(dict.fromkeys(index.engine for index in study.indexes))
    left_out = [engine for engine in study.left_out if engine in saved]
    if not saved.intersection(here):
        how = how_to_install(*(INDEXES[engine] for engine in left_out)) + ", or " if left_out else ""
        raise BenchError(
            f"baseline {baseline.name!r} is of {', '.join(sorted(saved))}, and here are {', '.join(here)} alone: "
            f"{how}save the baseline again"
        )
    return left_out, [engine for engine in here if engine not in saved]


class _Clock:
    """The rest of a budget of seconds, estimated from the trials so far."""

    def __init__(self, budget: float | None) -> None:
        self._start, self._budget, self._trials = time.monotonic(), budget, 0

    def measured(self, trials: int) -> None:
        self._trials += trials

    def affordable(self, trials: float) -> int:
        """How many more builds of each order fit what is left, of which one is so many trials in all."""
        if self._budget is None or not trials:
            return 0
        taken = time.monotonic() - self._start
        return max(int((self._budget - taken) / (taken / max(self._trials, 1) * trials)), 0)


def _changes(baseline: Baseline, outcomes: Iterable[Outcome]) -> list[Change]:
    """How the environments that outcomes come from differ from the baseline's."""
    environments = {id(outcome.build.environment): outcome.build.environment for outcome in outcomes}.values()
    return list(dict.fromkeys(change for one in environments for change in differences(baseline.environment, one)))


def _unchanged(study: Study, changes: Sequence[Change]) -> list[str]:
    """The engines that no change concerns."""
    engines = dict.fromkeys(index.engine for index in study.indexes)
    return [engine for engine in engines if not any(change.concerns(engine) for change in changes)]


def broken_promises(study: Study, timeout: float | None = None) -> list[str]:
    """Return the promises that engines of a study break, one line each, by experiments on small data.

    timeout: seconds for one check. Each engine runs in its own process; one that exceeds this or dies keeps no promise.
    """
    metrics = list(dict.fromkeys(dataset.metric for dataset in study.datasets.values()))
    return [
        f"{engine}, {metric}: {verdict.check}: {verdict.evidence}"
        for engine in dict.fromkeys(index.engine for index in study.indexes)
        for metric, verdict in _verdicts(
            engine, [metric for metric in metrics if metric in INDEXES[engine].metrics], timeout or _PATIENCE
        )
        if not verdict.holds
    ]


def _verdicts(name: str, metrics: Sequence[str], timeout: float) -> list[tuple[str, CheckResult]]:
    """(metric, CheckResult) of every check of an engine, up to one in which its process ends."""
    engine = INDEXES[name]
    found: list[tuple[str, CheckResult]] = []
    try:
        for verdict in apart(_checks, (engine.file or name, metrics), timeout):
            found.append(verdict)
    except DiedError as death:
        checks = [(metric, check) for metric in metrics for check in concerning(engine, of_order=True)]
        if len(found) < len(checks):  # else at its very end
            metric, check = checks[len(found)]
            found.append((metric, CheckResult(check=check, holds=False, evidence=str(death))))
    return found


def _checks(engine: str, metrics: Sequence[str]) -> Iterator[tuple[str, CheckResult]]:
    """Run the checks in a separate process. engine: as `find` takes it."""
    whole = INDEXES[find(engine)]
    for metric in metrics:
        for verdict in verdicts(whole, metric, of_order=True):
            yield metric, verdict


def found_by(baseline: Baseline, first: int, margin: float = MARGIN) -> SmallestFalls:
    """What gates find by a baseline, which begin with `first` builds."""
    then = {comparable(outcome.trial): outcome for outcome in baseline.outcomes}

    def falls(times: int) -> tuple[dict[Case, float], dict[str, float]]:
        return smallest_falls(then, len(looks(first, times * baseline.builds)), margin, times)

    more_builds = {times * baseline.builds: max(falls(times)[0].values()) for times in _TIMES}
    return SmallestFalls(*falls(1), more_builds)


def _open(lines: Sequence[GateLine], beyond: bool) -> list[GateLine]:
    """The lines that more builds may decide; beyond those of the baseline, some that no number does are left."""
    return [line for line in lines if line.verdict == UNDECIDED and (line.settles or not beyond)]


def _of(lines: Sequence[GateLine], trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials of these lines; a line without a case covers all trials of its engine."""
    engines = {line.engine for line in lines if line.case is None}
    cases = {line.case for line in lines}
    return [trial for trial in trials if trial.index.engine in engines or case_of(trial) in cases]


def looks(first: int, most: int) -> list[int]:
    """After how many builds it is decided: after `first`, then twice as many each time, `most` at last."""
    steps = [min(first, most)]
    while steps[-1] < most:
        steps.append(min(2 * steps[-1], most))
    return steps
