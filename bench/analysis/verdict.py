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
from bench.analysis.stats import Estimate, Sample
from bench.study.baseline import BaselineOutcome, comparable
from bench.study.outcome import Outcome
from bench.study.trial import Trial, changed

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


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one setting and order, or on all of an engine's together.

    setting: a trial of it, without seeds and what made it; None for all of an engine's.
    was, now: mean recall over the builds compared.
    difference: now - was; low, high: its 95 % interval, the narrowest of four that hold at once, NaN where there is
        nothing to estimate.
    builds: of the baseline, and now.
    """

    verdict: str
    engine: str
    setting: Trial | None
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

    then, now: by `comparable` trial. unchanged: engines whose versions, threads and machine are the same. steps: how
    often it is decided in all, since they share the error.
    """
    known, repeated = _by_order(then), _by_order(now)
    exact, pairs = [], {}
    for setting, trials in repeated.items():
        builds = [(then[trial], now[trial]) for trial in trials]
        verdict = _exact_verdict(setting, builds, setting.index.engine in unchanged)
        if verdict:
            exact.append(_exact_line(verdict, setting, builds))
        else:
            pairs[setting] = _Pair(_sample(then, known[setting]), _sample(now, trials))
    engines = {}
    for engine in dict.fromkeys(setting.index.engine for setting in pairs):
        of_engine = {setting: pair for setting, pair in pairs.items() if setting.index.engine == engine}
        engines[engine] = _Pair(*(_pooled({s: pair[side] for s, pair in of_engine.items()}) for side in (0, 1)))
    alpha = ALPHA / 2 / steps
    by_setting = _judged([(setting.index.engine, setting, pair) for setting, pair in pairs.items()], margin, alpha)
    return exact + by_setting + _judged([(engine, None, pair) for engine, pair in engines.items()], margin, alpha)


def _exact_verdict(setting: Trial, builds: Sequence[tuple[BaselineOutcome, Outcome]], unchanged: bool) -> str:
    """The verdict where ids decide, nothing where recalls have to be compared."""
    same_ids = all(was.ids_sha256 == is_now.ids_sha256 for was, is_now in builds)
    same_hits = all(np.array_equal(was.hits, is_now.hits) for was, is_now in builds)
    if same_ids and same_hits:
        return BIT_EXACT
    if unchanged and same_ids:
        return RESCORED
    return (
        NOT_EXACT if unchanged and setting.index.threads == 1 else ""
    )  # with more threads, no two builds are the same


def _judged(compared: Sequence[tuple[str, Trial | None, _Pair]], margin: float, alpha: float) -> list[Line]:
    """Lines for pairs of samples; p values are adjusted for their number, and significant below `alpha`, one-sided."""
    estimates = [
        [
            estimate(pair.now, pair.then, same_queries=same)
            for estimate in (stats.difference, stats.paired_difference)
            for same in (False, True)
        ]
        for _, _, pair in compared
    ]
    falls = stats.holm([_one_sided(both) for both in estimates])
    rises = stats.holm([_one_sided([_turned(estimate) for estimate in both]) for both in estimates])
    lines = []
    for (engine, setting, pair), both, fall, rise in zip(compared, estimates, falls, rises, strict=True):
        # Each way of estimating has its part of the error, so the narrowest interval may be the one.
        intervals = [stats.simultaneous(estimate, len(both)) for estimate in both]
        known = [interval for interval in intervals if not np.isnan(interval.se)]
        estimate = min(known or intervals, key=lambda interval: interval.half_width)
        now = float(pair.now.recalls.mean())
        lines.append(
            Line(
                verdict=_verdict(estimate, fall < alpha, rise < alpha, margin),
                engine=engine,
                setting=setting,
                was=now - estimate.value,  # where builds are paired, of those with the same seeds
                now=now,
                difference=estimate.value,
                low=estimate.low,
                high=estimate.high,
                builds=(len(pair.then.recalls), len(pair.now.recalls)),
            )
        )
    return lines


def _verdict(estimate: Estimate, falls: bool, rises: bool, margin: float) -> str:
    """falls, rises: whether that is significant."""
    if falls and estimate.value < -margin:
        return FELL
    if rises and estimate.value > margin:
        return ROSE
    return HOLDS if estimate.low > -margin else UNDECIDED


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


def _exact_line(verdict: str, setting: Trial, builds: Sequence[tuple[BaselineOutcome, Outcome]]) -> Line:
    was, is_now = (float(np.mean([one[side].hits for one in builds]) / setting.search.k) for side in (0, 1))
    unknown = 0.0 if verdict == BIT_EXACT else float("nan")
    return Line(
        verdict=verdict,
        engine=setting.index.engine,
        setting=setting,
        was=was,
        now=is_now,
        difference=is_now - was,
        low=unknown,
        high=unknown,
        builds=(len(builds), len(builds)),
    )


def _by_order(trials: Iterable[Trial]) -> dict[Trial, list[Trial]]:
    by_order = defaultdict(list)
    for trial in trials:
        by_order[of_one_order(trial)].append(trial)
    return by_order


def of_one_order(trial: Trial) -> Trial:
    """What builds of one order in one setting have in common."""
    return changed(comparable(trial), build_seed=0, order_seed=0)


def _sample(outcomes: Mapping[Trial, BaselineOutcome] | Mapping[Trial, Outcome], trials: Sequence[Trial]) -> Sample:
    return stats.sample_of([outcomes[trial].hits / trial.search.k for trial in trials], trials)


def _pooled(samples: Mapping[Trial, Sample]) -> Sample:
    """Mean recalls over settings, of the seeds that all have: a dataset's settings share its queries, so they are
    averaged query by query; other datasets bring other queries."""
    common = sorted(set.intersection(*(set(stats.seeds_of(sample)) for sample in samples.values())))
    by_dataset = defaultdict(list)
    for setting, sample in samples.items():
        row = {seeds: index for index, seeds in enumerate(stats.seeds_of(sample))}
        by_dataset[setting.data.dataset].append(sample.recalls[[row[seeds] for seeds in common]])
    recalls = np.hstack([np.mean(of_dataset, axis=0) for of_dataset in by_dataset.values()])
    order_seeds, build_seeds = np.array(common).T
    return Sample(recalls, order_seeds, build_seeds)
