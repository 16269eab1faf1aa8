"""The verdict on one setting of a gate: bit-exact, or what intervals say.

A setting whose builds return the very ids of the baseline, to the same hits, is bit-exact, and needs no statistics.
Where they may differ, the miss rate must not be shown to have risen, and is to be shown not to have risen by the
margin: `fell` is a fall that is significant *and* larger than the margin, `holds` one whose interval excludes
the margin, and what is neither is `undecided` and gets more builds, as many as the baseline has.

The difference is estimated in four ways: paired by build seed, which is sharp where a release hardly changes the
graphs, and unpaired, which has more degrees of freedom where it does; each for these very queries, of which a few may
lose everything, and for queries like these, which takes fewer builds where all lose a little. Any of them may decide,
at a quarter of the error. A line over all settings of an engine finds small falls everywhere, which no setting shows by
itself.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from bench.analysis import stats
from bench.analysis.sample import Sample, sample_of, seeds_of
from bench.analysis.stats import Estimate
from bench.study.baseline import BaselineOutcome, comparable
from bench.study.outcome import Outcome
from bench.study.trial import Index, Order, Setting, Trial

MARGIN = 0.005  # of recall, half a point
ALPHA = 0.01  # false alarms, over all lines and looks of a gate

NOT_EXACT, RESCORED, FELL, UNDECIDED = "not bit-exact", "hits differ", "fell", "undecided"
HOLDS, ROSE, BIT_EXACT = "holds", "rose", "bit-exact"
FAILURES = (NOT_EXACT, RESCORED, FELL)
WORST_FIRST = (*FAILURES, UNDECIDED, HOLDS, ROSE, BIT_EXACT)
ABOUT = {
    NOT_EXACT: "other ids, though versions, threads and machine are those of the baseline",
    RESCORED: "the same ids, but other hits, though nothing has changed: ground truth or recall is wrong",
    FELL: "a significant fall that is larger than the margin",
    UNDECIDED: "neither a fall nor its absence is shown by as many builds as the baseline has",
    HOLDS: "the interval excludes a fall as large as the margin",
    ROSE: "a significant rise that is larger than the margin: if it is meant, save a new baseline",
    BIT_EXACT: "the very ids of the baseline",
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What builds that are compared have in common: their setting, without what made them, and their order."""

    setting: Setting
    order: Order


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one setting and order, or on all of an engine's together.

    case: the setting and order; None for an engine's line.
    was, now: mean recall over the builds that are compared.
    difference: now - was.
    low, high: the 95 % interval of the difference, the narrowest of four that hold at once; NaN where there is nothing
        to estimate.
    builds: of the baseline, and now.
    """

    verdict: str
    engine: str
    case: Case | None
    was: float
    now: float
    difference: float
    low: float
    high: float
    builds: tuple[int, int]


class _Pair(NamedTuple):
    """Recalls of the baseline's builds and of those now, on the same queries."""

    then: Sample
    now: Sample


def decide(
    then: Mapping[Trial, BaselineOutcome],
    now: Mapping[Trial, Outcome],
    *,
    unchanged: Collection[str],
    margin: float = MARGIN,
    steps: int = 1,
) -> list[Line]:
    """A Line a setting and order, and one for all those of an engine that have to be compared.

    then, now: by `comparable` trial.
    unchanged: engines whose versions, threads and machine are the same.
    steps: how often it is decided in all, since they share the error.
    """
    then_trials = _by_case(then)
    exact: list[Line] = []
    pairs: dict[Case, _Pair] = {}
    for case, trials in _by_case(now).items():
        builds = [(then[trial], now[trial]) for trial in trials]
        if verdict := _by_ids(case.setting.index, builds, unchanged):
            exact.append(_exact_line(verdict, case, builds))
        else:
            pairs[case] = _Pair(_sample(then, then_trials[case]), _sample(now, trials))
    engines = {}
    for engine in dict.fromkeys(case.setting.index.engine for case in pairs):
        of_engine = {one: pair for one, pair in pairs.items() if one.setting.index.engine == engine}
        engines[engine] = _Pair(*(_pooled({one: pair[side] for one, pair in of_engine.items()}) for side in (0, 1)))
    alpha = ALPHA / 2 / steps
    of_settings = [(case.setting.index.engine, case, pair) for case, pair in pairs.items()]
    of_engines = [(engine, None, pair) for engine, pair in engines.items()]
    return exact + _judged(of_settings, margin, alpha) + _judged(of_engines, margin, alpha)


def _by_ids(index: Index, builds: Sequence[tuple[BaselineOutcome, Outcome]], unchanged: Collection[str]) -> str | None:
    """The verdict that needs no statistics, as where all ids are equal; None where recalls have to be compared."""
    same_ids = all(was.ids_sha256 == is_now.ids_sha256 for was, is_now in builds)
    if same_ids and all(np.array_equal(was.hits, is_now.hits) for was, is_now in builds):
        return BIT_EXACT
    if index.engine not in unchanged:
        return None
    if same_ids:
        return RESCORED
    return NOT_EXACT if index.threads == 1 else None  # with more threads, no two builds are the same


def _judged(pairs: Sequence[tuple[str, Case | None, _Pair]], margin: float, alpha: float) -> list[Line]:
    """Lines for pairs of samples; p values are adjusted for their number, and significant below `alpha`, one-sided."""
    estimates = [
        [
            estimate(pair.now, pair.then, same_queries=same)
            for estimate in (stats.difference, stats.paired_difference)
            for same in (False, True)
        ]
        for _, _, pair in pairs
    ]
    falls = stats.holm([_one_sided(of_pair) for of_pair in estimates])
    rises = stats.holm([_one_sided([_turned(estimate) for estimate in of_pair]) for of_pair in estimates])
    lines = []
    for (engine, case, pair), of_pair, fall, rise in zip(pairs, estimates, falls, rises, strict=True):
        estimate = _narrowest(of_pair)
        if fall < alpha and estimate.value < -margin:
            verdict = FELL
        elif rise < alpha and estimate.value > margin:
            verdict = ROSE
        else:
            verdict = HOLDS if estimate.low > -margin else UNDECIDED
        lines.append(_line(verdict, engine, case, pair, estimate))
    return lines


def _narrowest(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate with the narrowest interval; each has its part of the error, so any may be the one."""
    intervals = [stats.simultaneous(estimate, len(estimates)) for estimate in estimates]
    known = [interval for interval in intervals if not np.isnan(interval.se)]
    return min(known or intervals, key=lambda interval: interval.half_width)


def _line(verdict: str, engine: str, case: Case | None, pair: _Pair, estimate: Estimate) -> Line:
    now = float(pair.now.recalls.mean())
    return Line(
        verdict=verdict,
        engine=engine,
        case=case,
        was=now - estimate.value,  # where builds are paired, of those with the same seeds
        now=now,
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        builds=(len(pair.then.recalls), len(pair.now.recalls)),
    )


def _one_sided(estimates: Sequence[Estimate]) -> float:
    """The p of a fall by any of the estimates, Bonferroni for their number; NaN from a single build."""
    ps = []
    for estimate in estimates:
        half = stats.p_value(estimate) / 2
        ps.append(half if estimate.value < 0 else 1 - half)
    known = [p for p in ps if not np.isnan(p)]
    return min(1.0, len(ps) * min(known)) if known else float("nan")


def _turned(estimate: Estimate) -> Estimate:
    return msgspec.structs.replace(estimate, value=-estimate.value)


def _exact_line(verdict: str, case: Case, builds: Sequence[tuple[BaselineOutcome, Outcome]]) -> Line:
    k = case.setting.search.k
    was, is_now = (float(np.mean([outcomes[side].hits for outcomes in builds]) / k) for side in (0, 1))
    unknown = 0.0 if verdict == BIT_EXACT else float("nan")
    return Line(
        verdict=verdict,
        engine=case.setting.index.engine,
        case=case,
        was=was,
        now=is_now,
        difference=is_now - was,
        low=unknown,
        high=unknown,
        builds=(len(builds), len(builds)),
    )


def _by_case(trials: Iterable[Trial]) -> dict[Case, list[Trial]]:
    groups = defaultdict(list)
    for trial in trials:
        groups[case_of(trial)].append(trial)
    return groups


def case_of(trial: Trial) -> Case:
    """What builds of one order in one setting have in common."""
    trial = comparable(trial)
    return Case(setting=trial.setting, order=trial.order)


def _sample(outcomes: Mapping[Trial, BaselineOutcome] | Mapping[Trial, Outcome], trials: Sequence[Trial]) -> Sample:
    return sample_of([outcomes[trial].hits / trial.search.k for trial in trials], trials)


def _pooled(samples: Mapping[Case, Sample]) -> Sample:
    """Mean recalls over settings, of the seeds that all have: a dataset's settings share its queries, so they are
    averaged query by query; other datasets bring other queries."""
    common = sorted(set.intersection(*(set(seeds_of(sample)) for sample in samples.values())))
    by_dataset = defaultdict(list)
    for case, sample in samples.items():
        row = {seeds: index for index, seeds in enumerate(seeds_of(sample))}
        by_dataset[case.setting.data.dataset].append(sample.recalls[[row[seeds] for seeds in common]])
    recalls = np.hstack([np.mean(of_dataset, axis=0) for of_dataset in by_dataset.values()])
    order_seeds, build_seeds = np.array(common).T
    return Sample(recalls, order_seeds, build_seeds)
