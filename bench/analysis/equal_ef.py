"""The ef_search at which the reference is as good as an order: where its curve of misses crosses the order's.

Misses fall nearly as a power of ef_search, so that between two points of the curve their logarithm is taken for
straight against that of ef_search; recall itself is far from straight. The interval is of all ef_search at which a test
at its level finds no difference (the test inverted, as Fieller 1954): the curve's own error is in it, since every
difference is one of the order's builds and the reference's, on the same queries. What is missed is skewed, since few
queries and few builds miss most of it, so the interval of the difference is taken on the scale of log misses.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from bench.analysis.setting import Outcomes, Setting, by_setting, samples
from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample, effective_units
from bench.statistics.variance import Part, builds_part, query_part, residual_parts
from bench.study import trial
from bench.study.trial import Order

EqualEf = tuple[float, float, float]
_LEAST_MISSES = 1e-5  # of a curve that is read off: none has no logarithm
_STEPS = 12  # of a line that is drawn, per doubling of ef_search
_Key = tuple[str, trial.TrialSetting]  # of an experiment, without ef_search


class Point(NamedTuple):
    """A sample with the parts of its variance that are its own, which serve every comparison with it."""

    sample: Sample
    parts: list[Part]


def point(sample: Sample) -> Point:
    return Point(sample, [builds_part(sample), *residual_parts(sample)])


def equal_ef(sample: Sample, reference: Mapping[int, Point]) -> EqualEf:
    """The ef_search at which the reference's mean recall is the sample's, and the ends of its 95 % interval.

    reference: by ef_search, two at least, of the sample's queries. Minus or plus infinity outside these ef_search; ends
    are NaN from a single build.
    """
    efs = sorted(reference)
    of_first = reference[efs[0]].sample
    worth = 1 / max(of_first.recalls.size * of_first.k, 1)  # of one hit: no misses have no logarithm
    own, here = 1 - float(sample.recalls.mean()), point(sample)
    curve = np.array([1 - float(reference[ef].sample.recalls.mean()) for ef in efs])
    reaches = np.array([intervals.reach(_difference(here, reference[ef]), 1) for ef in efs])
    log_efs, log_curve = np.log(efs), _log(curve, worth)
    value = _crossing(log_efs, np.minimum.accumulate(log_curve) - _log(own, worth))
    if np.isnan(reaches).any():
        return value, math.nan, math.nan
    fewest, most = _ends(own, reaches, worth)
    low = _crossing(log_efs, np.minimum.accumulate(log_curve - _log(most, worth)))
    # From the far end, so that the interval covers every ef_search that cannot be distinguished
    falling = np.maximum.accumulate((log_curve - _log(fewest, worth))[::-1])[::-1]
    high = _crossing(log_efs, falling) if fewest[-1] else math.inf
    return value, low, high


def _difference(here: Point, there: Point) -> Estimate:
    """As `intervals.difference`, for an interval by itself, which no verdict rests on: each side's builds are a part of
    their own, and no query is allowed for that was not drawn. So it holds what it promises, and not more."""
    queries = query_part(intervals.by_query(here.sample, there.sample), effective_units(here.sample))
    value = float(here.sample.recalls.mean() - there.sample.recalls.mean())
    return intervals.combined_difference(value, [queries, *here.parts, *there.parts])


def of(setting: Setting, sample: Sample, curves: Mapping[_Key, Mapping[int, Point]]) -> EqualEf | None:
    """As `equal_ef`, of an order's sample in a setting; None where the reference has a single ef_search there."""
    curve = curves.get(without_ef_search(setting), {})
    return equal_ef(sample, curve) if len(curve) > 1 else None


def curves(outcomes: Outcomes, names: Mapping[Order, str], reference: str, ties: bool) -> dict[_Key, dict[int, Point]]:
    """The reference's points by ef_search, in every setting without its ef_search.

    outcomes: the ladder's among them. names: of orders, as `labels` has them.
    """
    by_key: dict[_Key, dict[int, Sample]] = defaultdict(dict)
    for setting, by_order in by_setting(outcomes).items():
        of_reference = {order: built for order, built in by_order.items() if names.get(order) == reference}
        for sample in samples(of_reference, ties).values():
            by_key[without_ef_search(setting)][setting.of.search.ef_search] = sample
    return {key: _repeated(curve) for key, curve in by_key.items()}


def ladder(outcomes: Outcomes, names: Mapping[Order, str], ties: bool) -> list[tuple[Setting, str, float]]:
    """(setting, order, mean recall) of the ladder's outcomes, over builds and queries; names: as in `curves`."""
    return [
        (setting, names[order], float(sample.recalls.mean()))
        for setting, by_order in by_setting(outcomes).items()
        for order, sample in samples(by_order, ties).items()
        if order in names
    ]


def reached(curve: Mapping[int, float], recall: float) -> float:
    """The ef_search at which a curve {ef_search: mean recall} first reaches a recall; infinite if it does not."""
    log_efs, misses = _in_logarithms(curve)
    return _crossing(log_efs, misses - _log(1 - recall, _LEAST_MISSES))


def line(curve: Mapping[int, float]) -> list[tuple[float, float]]:
    """(ef_search, recall) along a curve {ef_search: mean recall}, its points among them, as `reached` reads it."""
    log_efs, misses = _in_logarithms(curve)
    steps = 1 + math.ceil(_STEPS * (log_efs[-1] - log_efs[0]) / math.log(2))
    between = np.union1d(np.linspace(log_efs[0], log_efs[-1], steps), log_efs)
    recalls = 1 - np.exp(np.interp(between, log_efs, misses))
    return list(zip(np.exp(between).tolist(), recalls.tolist(), strict=True))


def _in_logarithms(curve: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of a curve's ef_search, ascending, and of its misses, between which it is straight."""
    efs = sorted(curve)
    return np.log(efs), _log(1 - np.array([curve[ef] for ef in efs]), _LEAST_MISSES)


def _repeated(curve: dict[int, Sample]) -> dict[int, Point]:
    """A curve without points of a single build where others have more, as in a run that was cut short."""
    most = max(len(sample.recalls) for sample in curve.values())
    return {ef: point(sample) for ef, sample in curve.items() if len(sample.recalls) > 1 or most == 1}


def without_ef_search(setting: Setting) -> _Key:
    """The fields that settings share if they differ only in ef_search."""
    search = msgspec.structs.replace(setting.of.search, ef_search=0)
    return setting.experiment, msgspec.structs.replace(setting.of, search=search)


def _ends(own: float, reaches: np.ndarray, worth: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the fewest and the most misses of the reference consistent with an order's misses, at each ef_search.

    Symmetric in log misses, to first order; but the most at most twice as far as without logarithms, and none at all
    the fewest where without logarithms the interval has none in it.
    """
    misses = max(own, worth)
    factors = np.exp(np.minimum(reaches / misses, 500))
    return np.where(reaches < own, misses / factors, 0.0), np.minimum(misses * factors, own + 2 * reaches)


def _log(misses: float | np.ndarray, worth: float) -> np.ndarray:
    """Return the log of misses; zero misses count as the value of one hit."""
    return np.asarray(np.log(np.maximum(misses, worth)))


def _crossing(log_efs: np.ndarray, gaps: np.ndarray) -> float:
    """Where gaps first reach 0; between two points they are straight."""
    if gaps[0] < 0:
        return -math.inf
    if gaps.min() > 0:
        return math.inf
    after = int(np.argmax(gaps <= 0))
    if after == 0:
        return float(np.exp(log_efs[0]))
    share = gaps[after - 1] / (gaps[after - 1] - gaps[after])
    return float(np.exp(log_efs[after - 1] + share * (log_efs[after] - log_efs[after - 1])))
