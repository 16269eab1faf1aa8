"""The verdict on one setting of a gate: bit-exact, or by intervals.

A setting is bit-exact if its builds return the same ids and hits as the baseline; it needs no statistics. Otherwise
intervals of the miss rate decide: `fell` is a fall that is significant *and* larger than the margin, `holds` means
that the interval excludes a fall by the margin, and the rest is `undecided` and gets more builds.

`fall` says how a difference is estimated. Verdicts are for exactly these queries; the report says next to each one
whether it also holds for queries like these. A line over all settings of an engine finds falls in many settings that
are too small to show in one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
import numpy as np

from bench.analysis import fall
from bench.analysis.fall import Pair
from bench.analysis.setting import sample_of
from bench.indexes import INDEXES
from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample, seeds_of
from bench.study.baseline import BaselineOutcome, comparable
from bench.study.execution.build import params_of_index
from bench.study.outcome import Outcome
from bench.study.trial import Index, Order, Trial, TrialSetting

MARGIN = 0.005  # of recall, half a point
THESE, LIKE_THESE = "these queries", "queries like these"

NOT_EXACT, RESCORED, FELL, UNDECIDED = "not bit-exact", "hits differ", "fell", "undecided"
HOLDS, ROSE, BIT_EXACT = "holds", "rose", "bit-exact"
BY_IDS = (NOT_EXACT, RESCORED, BIT_EXACT)
FAILURES = (NOT_EXACT, RESCORED, FELL)
WORST_FIRST = (*FAILURES, UNDECIDED, HOLDS, ROSE, BIT_EXACT)
ABOUT = {
    NOT_EXACT: "other ids, though versions, threads and machine are those of the baseline",
    RESCORED: "the same ids, but other hits, though nothing has changed: ground truth or recall is wrong",
    FELL: "a significant fall that is larger than the margin",
    UNDECIDED: "neither a fall nor its absence is shown by these builds",
    HOLDS: "the interval excludes a fall as large as the margin",
    ROSE: "a significant rise that is larger than the margin: if it is meant, save a new baseline",
    BIT_EXACT: "the same ids as the baseline",
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The setting, without its versions, and the order that compared builds share."""

    setting: TrialSetting
    order: Order


class GateLine(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one setting and order, or on all of an engine's together.

    case: the setting and order; None for an engine's line.
    was, now: mean recall over the builds that are compared.
    difference: now - was.
    low, high: the 95 % interval of the difference on these queries, the narrower of two that hold at once; NaN where
        there is nothing to estimate.
    like_low, like_high: that on queries like these.
    question: which queries the verdict stands for: THESE, or LIKE_THESE too; empty where it says nothing of recall.
    settles: whether more builds than the baseline has could decide it, its own builds being what they are.
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
    like_low: float
    like_high: float
    question: str
    settles: bool
    builds: tuple[int, int]


def decide(
    then: Mapping[Trial, BaselineOutcome],
    now: Mapping[Trial, Outcome],
    *,
    unchanged: Collection[str],
    margin: float = MARGIN,
    look: int = 1,
) -> list[GateLine]:
    """A GateLine a setting and order, and one for all those of an engine that have to be compared.

    then, now: by `comparable` trial; now may have seeds that then has not.
    unchanged: engines whose versions, threads and machine are the same.
    look: its number from 1, since all share the error.
    """
    then_trials = _by_case(then)
    exact: list[GateLine] = []
    pairs: dict[Case, Pair] = {}
    for case, trials in _by_case(now).items():
        builds = [(then[trial], now[trial]) for trial in trials if trial in then]
        if verdict := _by_ids(case.setting.index, builds, unchanged):
            exact.append(_exact_line(verdict, case, builds))
        else:
            groups = now[trials[0]].query_groups
            pairs[case] = Pair(_sample(then, then_trials[case], groups), _sample(now, trials, groups))
    sides = [_by_engine({case: pair[side] for case, pair in pairs.items()}) for side in (0, 1)]
    of_settings = [(case.setting.index.engine, case, pair) for case, pair in pairs.items()]
    of_engines = [(engine, None, Pair(sides[0][engine], sides[1][engine])) for engine in sides[0]]
    alpha = fall.spent(look)
    return exact + _judged(of_settings, margin, alpha) + _judged(of_engines, margin, alpha)


def smallest_falls(
    then: Mapping[Trial, BaselineOutcome], looks: int, margin: float = MARGIN, times: int = 1
) -> tuple[dict[Case, float], dict[str, float]]:
    """The smallest fall that nine of ten gates find with as many builds as a baseline has, by case, and by engine.

    looks: after how many the last verdict is reached.
    times: how many times as many builds, which vary as these do.
    """
    samples = {case: _sample(then, trials) for case, trials in _by_case(then).items()}
    engines, alpha = _by_engine(samples), fall.spent(looks)
    return (
        {case: fall.smallest(sample, margin, alpha / len(samples), times) for case, sample in samples.items()},
        {engine: fall.smallest(sample, margin, alpha / len(engines), times) for engine, sample in engines.items()},
    )


def _by_engine(samples: Mapping[Case, Sample]) -> dict[str, Sample]:
    """The Sample of all settings of each engine together."""
    engines = dict.fromkeys(case.setting.index.engine for case in samples)
    return {
        engine: _pooled({case: sample for case, sample in samples.items() if case.setting.index.engine == engine})
        for engine in engines
    }


def _by_ids(index: Index, builds: Sequence[tuple[BaselineOutcome, Outcome]], unchanged: Collection[str]) -> str | None:
    """The verdict that needs no statistics, as where all ids are equal; None where recalls have to be compared."""
    same_ids = all(was.ids_sha256 == is_now.ids_sha256 for was, is_now in builds)
    if same_ids and all(np.array_equal(was.hits, is_now.hits) for was, is_now in builds):
        return BIT_EXACT
    if index.engine not in unchanged:
        return None
    if same_ids:
        return RESCORED
    return NOT_EXACT if INDEXES[index.engine].repeats(params_of_index(index)) else None


def _judged(pairs: Sequence[tuple[str, Case | None, Pair]], margin: float, alpha: float) -> list[GateLine]:
    """Lines for pairs of samples; p values are adjusted for their number, and significant below `alpha`, one-sided."""
    ways = [fall.estimates(pair) for _, _, pair in pairs]
    falls = intervals.holm([fall.p_of_fall(of_pair) for of_pair in ways])
    rises = intervals.holm([fall.p_of_rise(of_pair) for of_pair in ways])
    lines = []
    for (engine, case, pair), of_pair, fell, rose in zip(pairs, ways, falls, rises, strict=True):
        estimate = fall.narrowest(of_pair)
        if fell < alpha and estimate.value < -margin:
            verdict = FELL
        elif rose < alpha and estimate.value > margin:
            verdict = ROSE
        else:
            verdict = HOLDS if estimate.low > -margin else UNDECIDED
        lines.append(_line(verdict, engine, case, pair, estimate, margin))
    return lines


def _line(verdict: str, engine: str, case: Case | None, pair: Pair, estimate: Estimate, margin: float) -> GateLine:
    now = float(pair.now.recalls.mean())
    like = intervals.difference(pair.now, pair.then)
    stands = {FELL: like.high < 0, ROSE: like.low > 0, HOLDS: like.low > -margin}
    return GateLine(
        verdict=verdict,
        engine=engine,
        case=case,
        was=now - estimate.value,  # where builds are paired, of those with the same seeds
        now=now,
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        like_low=like.low,
        like_high=like.high,
        question=LIKE_THESE if stands.get(verdict, False) else THESE,
        settles=verdict == UNDECIDED and fall.settles(pair, margin),
        builds=(len(pair.then.recalls), len(pair.now.recalls)),
    )


def _exact_line(verdict: str, case: Case, builds: Sequence[tuple[BaselineOutcome, Outcome]]) -> GateLine:
    k = case.setting.search.k
    was, is_now = (float(np.mean([outcomes[side].hits for outcomes in builds]) / k) for side in (0, 1))
    unknown = 0.0 if verdict == BIT_EXACT else float("nan")
    return GateLine(
        verdict=verdict,
        engine=case.setting.index.engine,
        case=case,
        was=was,
        now=is_now,
        difference=is_now - was,
        low=unknown,
        high=unknown,
        like_low=unknown,
        like_high=unknown,
        question="",
        settles=False,
        builds=(len(builds), len(builds)),
    )


def _by_case(trials: Iterable[Trial]) -> dict[Case, list[Trial]]:
    groups = defaultdict(list)
    for trial in trials:
        groups[case_of(trial)].append(trial)
    return groups


def case_of(trial: Trial) -> Case:
    """Return the Case of a trial: its setting and order."""
    trial = comparable(trial)
    return Case(setting=trial.setting, order=trial.order)


def _sample(
    outcomes: Mapping[Trial, BaselineOutcome] | Mapping[Trial, Outcome],
    trials: Sequence[Trial],
    groups: np.ndarray | None = None,
) -> Sample:
    return sample_of([outcomes[trial].hits / trial.search.k for trial in trials], trials, groups)


def _pooled(samples: Mapping[Case, Sample]) -> Sample:
    """Mean recalls over settings, of the seeds that all have: a dataset's settings share its queries, so they are
    averaged query by query; other datasets bring other queries."""
    common = sorted(set.intersection(*(set(seeds_of(sample)) for sample in samples.values())))
    by_dataset: dict[str, list[Sample]] = defaultdict(list)
    for case, sample in samples.items():
        row = {seeds: index for index, seeds in enumerate(seeds_of(sample))}
        rows = sample.recalls[[row[seeds] for seeds in common]]
        by_dataset[case.setting.data.dataset].append(sample._replace(recalls=rows))
    recalls = np.hstack([np.mean([of_one.recalls for of_one in same], axis=0) for same in by_dataset.values()])
    order_seeds, build_seeds = np.array(common).T
    # One hit is worth the less, the more settings a query's recall is the mean of
    k = round(np.mean([len(same) for same in by_dataset.values()]) * max(sample.k for sample in samples.values()))
    return Sample(recalls, order_seeds, build_seeds, k, _all_groups([same[0] for same in by_dataset.values()]))


def _all_groups(samples: Sequence[Sample]) -> np.ndarray | None:
    """Return the groups of the queries of all datasets, with distinct numbers; None if no dataset has groups."""
    if all(sample.groups is None for sample in samples):
        return None
    codes: list[np.ndarray] = []
    for sample in samples:
        own = np.arange(sample.recalls.shape[1]) if sample.groups is None else sample.groups
        codes.append(own + (codes[-1].max() + 1 if codes else 0))
    return np.concatenate(codes)
