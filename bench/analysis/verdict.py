"""The verdict on one setting of a gate: bit-exact, or what intervals say.

A setting whose builds return the very ids of the baseline, to the same hits, is bit-exact, and needs no statistics.
Where they may differ, the miss rate must not be shown to have risen, and is to be shown not to have risen by the
margin: `fell` is a fall that is significant *and* larger than the margin, `holds` one whose interval excludes
the margin, and what is neither is `undecided` and gets more builds.

It is the recall of these very queries that is judged: they are the same as then, of which a few may lose everything.
Whether a verdict also stands for queries like these is said beside it. The difference is estimated in two ways, either
of which may decide at half of the error: paired by build seed, which is sharp where a release hardly changes the
graphs, and unpaired. Builds of now are few, and three that agree by luck say little, so they are taken to vary at least
as much as the baseline's, with the degrees of freedom of these: where both vary alike, that errs no more often than a t
test by the baseline's variance. A line over all settings of an engine finds small falls everywhere, which no setting
shows by itself.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench.analysis import stats
from bench.analysis.sample import Sample, sample_of, seeds_of
from bench.analysis.stats import Estimate
from bench.analysis.variance import builds_part
from bench.study.baseline import BaselineOutcome, comparable
from bench.study.outcome import Outcome
from bench.study.trial import Index, Order, Setting, Trial

MARGIN = 0.005  # of recall, half a point
ALPHA = 0.01  # false alarms, over all lines and looks of a gate
THESE, LIKE_THESE = "these queries", "queries like these"
_WAYS = 2  # in which a difference is estimated
_GATES = 20_000  # drawn, for what nine of ten find: known to 0.2 %

NOT_EXACT, RESCORED, FELL, UNDECIDED = "not bit-exact", "hits differ", "fell", "undecided"
HOLDS, ROSE, BIT_EXACT = "holds", "rose", "bit-exact"
FAILURES = (NOT_EXACT, RESCORED, FELL)
WORST_FIRST = (*FAILURES, UNDECIDED, HOLDS, ROSE, BIT_EXACT)
ABOUT = {
    NOT_EXACT: "other ids, though versions, threads and machine are those of the baseline",
    RESCORED: "the same ids, but other hits, though nothing has changed: ground truth or recall is wrong",
    FELL: "a significant fall that is larger than the margin",
    UNDECIDED: "neither a fall nor its absence is shown by these builds",
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
    low, high: the 95 % interval of the difference on these queries, the narrower of two that hold at once; NaN where
        there is nothing to estimate.
    like_low, like_high: that on queries like these.
    question: which queries the verdict stands for: THESE, or LIKE_THESE too; empty where it says nothing of recall.
    found: the smallest fall that nine of ten gates find with as many builds as the baseline has; NaN where ids decide.
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
    found: float
    settles: bool
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
    look: int = 1,
) -> list[Line]:
    """A Line a setting and order, and one for all those of an engine that have to be compared.

    then, now: by `comparable` trial; now may have seeds that then has not.
    unchanged: engines whose versions, threads and machine are the same.
    look: the how manieth time it is decided, since all share the error.
    """
    then_trials = _by_case(then)
    exact: list[Line] = []
    pairs: dict[Case, _Pair] = {}
    for case, trials in _by_case(now).items():
        builds = [(then[trial], now[trial]) for trial in trials if trial in then]
        if verdict := _by_ids(case.setting.index, builds, unchanged):
            exact.append(_exact_line(verdict, case, builds))
        else:
            pairs[case] = _Pair(_sample(then, then_trials[case]), _sample(now, trials))
    engines = {}
    for engine in dict.fromkeys(case.setting.index.engine for case in pairs):
        of_engine = {one: pair for one, pair in pairs.items() if one.setting.index.engine == engine}
        engines[engine] = _Pair(*(_pooled({one: pair[side] for one, pair in of_engine.items()}) for side in (0, 1)))
    of_settings = [(case.setting.index.engine, case, pair) for case, pair in pairs.items()]
    of_engines = [(engine, None, pair) for engine, pair in engines.items()]
    return exact + _judged(of_settings, margin, spent(look)) + _judged(of_engines, margin, spent(look))


def spent(look: int) -> float:
    """What of the error, of settings or of engines, the how manieth look has: all looks together have ALPHA / 2,
    however many there come to be (Lan and DeMets 1983)."""
    return ALPHA / 2 / (look * (look + 1))


def found(then: Mapping[Trial, BaselineOutcome], looks: int, margin: float = MARGIN) -> dict[Case | str, float]:
    """The smallest fall that nine of ten gates find with as many builds as a baseline has, by case and by engine."""
    samples = {case: _sample(then, trials) for case, trials in _by_case(then).items()}
    engines = dict.fromkeys(case.setting.index.engine for case in samples)
    pooled = {
        engine: _pooled({case: sample for case, sample in samples.items() if case.setting.index.engine == engine})
        for engine in engines
    }
    families: list[Mapping[Any, Sample]] = [samples, pooled]
    alpha = spent(looks)
    return {key: _found(sample, margin, alpha / len(of)) for of in families for key, sample in of.items()}


def _found(then: Sample, margin: float, alpha: float) -> float:
    """The smallest fall that is found in nine of ten gates at this one-sided error."""
    from scipy.special import stdtrit

    variance, df = builds_part(then)
    luck, of_now = _of_gates(df)
    threshold = np.maximum(
        float(stdtrit(df, 1 - alpha / _WAYS)) * np.sqrt(1 + np.maximum(1, of_now)), margin / variance**0.5
    )
    return float(np.quantile(luck + threshold, 0.9) * variance**0.5)


@cache
def _of_gates(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Of gates with as many builds now as then: by how much the difference errs, in standard errors that the baseline
    has by itself, and how much builds of now vary, as a share of what those of then do. Drawn, always the same."""
    rng = np.random.default_rng(0)
    true, now = df / rng.chisquare(df, _GATES), rng.chisquare(df, _GATES) / df
    return np.sqrt(2 * true) * rng.standard_normal(_GATES), true * now


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
    estimates = [[_unpaired(pair), *_paired(pair)] for _, _, pair in pairs]
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
        line = _line(verdict, engine, case, pair, estimate, margin)
        lines.append(msgspec.structs.replace(line, found=_found(pair.then, margin, alpha / len(pairs))))
    return lines


def _unpaired(pair: _Pair) -> Estimate:
    """Now minus then, on these queries; builds of now vary as much as those of then at least."""
    then, now = (len(sample.recalls) for sample in pair)
    variance, df = builds_part(pair.then)
    of_one = variance * then
    of_one_now = builds_part(pair.now)[0] * now if now > 1 else 0.0
    value = float(pair.now.recalls.mean() - pair.then.recalls.mean())
    return stats.combined_difference(value, [(variance + max(of_one, of_one_now) / now, df)])


def _paired(pair: _Pair) -> list[Estimate]:
    """The same of builds with the same seeds; nothing where fewer than two have any."""
    then = set(seeds_of(pair.then))
    rows = [row for row, seeds in enumerate(seeds_of(pair.now)) if seeds in then]
    if len(rows) < 2:
        return []
    now = pair.now
    same = now._replace(recalls=now.recalls[rows], order_seeds=now.order_seeds[rows], build_seeds=now.build_seeds[rows])
    return [stats.paired_difference(same, pair.then, same_queries=True)]


def _narrowest(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate with the narrowest interval; each has its part of the error, so any may be the one."""
    intervals = [stats.simultaneous(estimate, _WAYS) for estimate in estimates]
    return min(intervals, key=lambda interval: interval.half_width)


def _line(verdict: str, engine: str, case: Case | None, pair: _Pair, estimate: Estimate, margin: float) -> Line:
    now = float(pair.now.recalls.mean())
    like = stats.difference(pair.now, pair.then)
    stands = {FELL: like.high < 0, ROSE: like.low > 0, HOLDS: like.low > -margin}
    return Line(
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
        found=math.nan,
        settles=verdict == UNDECIDED and _settles(pair, margin),
        builds=(len(pair.then.recalls), len(pair.now.recalls)),
    )


def _settles(pair: _Pair, margin: float) -> bool:
    """Whether builds without number could decide, should recall be as it seems now."""
    value = float(pair.now.recalls.mean() - pair.then.recalls.mean())
    limit = stats.simultaneous(stats.combined_difference(value, [builds_part(pair.then)]), _WAYS)
    return limit.low > -margin or (limit.high < 0 and value < -margin)


def _one_sided(estimates: Sequence[Estimate]) -> float:
    """The p of a fall by any of the estimates, Bonferroni for their number; NaN from a single build."""
    ps = []
    for estimate in estimates:
        half = stats.p_value(estimate) / 2
        ps.append(half if estimate.value < 0 else 1 - half)
    known = [p for p in ps if not np.isnan(p)]
    return min(1.0, _WAYS * min(known)) if known else float("nan")


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
        like_low=unknown,
        like_high=unknown,
        question="",
        found=math.nan,
        settles=False,
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
    # One hit is worth the less, the more settings a query's recall is the mean of
    k = round(np.mean([len(of_dataset) for of_dataset in by_dataset.values()]) * max(s.k for s in samples.values()))
    return Sample(recalls, order_seeds, build_seeds, k)
