"""Outcomes -> one summary an order and setting, with verdicts in plain words."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from bench.analysis import power, stats, variance
from bench.analysis.setting import SETTING, Outcomes, Setting, by_setting, sample_of
from bench.analysis.stats import Estimate, Sample
from bench.errors import BenchError
from bench.study.store import Outcome

BETTER, WORSE, NO_DIFFERENCE, UNDECIDED = "better", "worse", "no difference shown", "undecided"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """An order against the reference.

    p: Holm-adjusted over the orders compared. verdict: `better` or `worse` where p < 0.05; else `no
    difference shown` where the interval keeps within ± 1 point, else `undecided`. builds_needed: of each
    order, to decide in 80 % of studies, should the difference be as it seems; None where queries are too few, seeds are
    crossed, or nothing is undecided.
    detectable: the difference that would have been found with power 80 % among as many comparisons.
    """

    difference: Estimate
    p: float
    verdict: str
    builds_needed: int | None
    detectable: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One order in one setting, over its builds.

    recall: mean over builds and queries. sd: standard deviation over builds of a build's mean recall (NaN for one
    build). against: the comparison with the reference order, None for itself or where it was not run.
    equivalent_ef: the ef_search at which the reference reaches this recall, and the ends of its interval by that of
    the difference; infinite outside what was measured, None without a comparison. below_half: share of queries with
    recall below 0.5; percentile_5: the 5th percentile of recall over builds and queries: a mean hides who suffers.
    """

    experiment: str
    setting: dict[str, Any]
    origin: tuple[str, ...]
    order: str
    builds: int
    recall: Estimate
    sd: float
    against: Verdict | None
    equivalent_ef: tuple[float, float, float] | None
    below_half: float
    percentile_5: float
    recall_tie: float
    build_seconds: float
    search_seconds: float


class Shares(msgspec.Struct, frozen=True):
    """Where the spread of recall in one setting comes from; see `variance.shares`."""

    experiment: str
    setting: dict[str, Any]
    shares: dict[str, float]


def summarize(outcomes: Outcomes, reference: str = "random", ties: bool = False) -> list[Summary]:
    """A Summary of every order in every setting: settings sorted, best order first.

    outcomes: (experiment, outcome) pairs. reference: an order's label, see `order_label`. ties: whether recall
    counts rows as near as the k-th true neighbour, rather than going by id.
    """
    settings = by_setting(outcomes)
    curves = _curves(settings, reference, ties)
    summaries = []
    for setting, by_order in settings.items():
        samples = {order: sample_of(found, ties) for order, found in by_order.items()}
        others = [order for order in samples if order != reference]
        compared: dict[str, Verdict] = {}
        if reference in samples:
            found = verdicts([samples[order] for order in others], samples[reference])
            compared = dict(zip(others, found, strict=True))
        efs, recalls = curves.get(setting._replace(fields=setting.fields[:-1]), ([], []))
        rows = []
        for order, sample in samples.items():
            recall = stats.mean(sample)
            built = by_order[order]
            rows.append(
                Summary(
                    experiment=setting.experiment,
                    setting=dict(zip(SETTING, setting.fields, strict=True)),
                    origin=setting.origin,
                    order=order,
                    builds=len(built),
                    recall=recall,
                    sd=float(sample.recalls.mean(axis=1).std(ddof=1)) if len(built) > 1 else float("nan"),
                    against=compared.get(order),
                    equivalent_ef=_equivalent(compared.get(order), setting.fields[-1], efs, recalls),
                    below_half=float((sample.recalls < 0.5).mean()),
                    percentile_5=float(np.quantile(sample.recalls, 0.05)),
                    recall_tie=float(np.mean([o.recall_tie for o in built])),
                    build_seconds=float(np.mean([o.build_seconds for o in built])),
                    search_seconds=float(np.mean([o.search_seconds for o in built])),
                )
            )
        summaries += sorted(rows, key=lambda row: -row.recall.value)
    if not summaries:
        raise BenchError("no outcomes to summarize: run `bench run` first")
    return summaries


def _equivalent(
    against: Verdict | None, ef: int, efs: Sequence[int], recalls: Sequence[float]
) -> tuple[float, float, float] | None:
    """The ef_search at which the reference is as good, and those at which it is as good as the interval's ends."""
    if against is None:
        return None
    here, difference = recalls[efs.index(ef)], against.difference
    value, low, high = (
        stats.equivalent_ef(here + part, efs, recalls) if not math.isnan(part) else math.nan
        for part in (difference.value, difference.low, difference.high)
    )
    return value, low, high


def shares(outcomes: Outcomes, ties: bool = False) -> list[Shares]:
    """Where the spread comes from, in every setting that has two orders and two builds of each at least."""
    found = []
    for setting, by_order in by_setting(outcomes).items():
        samples = [sample_of(built, ties) for built in by_order.values() if len(built) > 1]
        if len(samples) > 1:
            fields = dict(zip(SETTING, setting.fields, strict=True))
            found.append(Shares(setting.experiment, fields, variance.shares(samples)))
    return found


def verdicts(samples: Sequence[Sample], reference: Sample) -> list[Verdict]:
    """A Verdict on each sample against the reference; p values are adjusted for their number."""
    differences = [stats.difference(sample, reference) for sample in samples]
    adjusted = stats.holm([stats.p_value(estimate) for estimate in differences])
    return [
        _verdict(sample, reference, estimate, p, len(samples))
        for sample, estimate, p in zip(samples, differences, adjusted, strict=True)
    ]


def _verdict(sample: Sample, reference: Sample, estimate: Estimate, p: float, comparisons: int) -> Verdict:
    needed = None
    if p < 1 - stats.CONFIDENCE:
        verdict = BETTER if estimate.value > 0 else WORSE
    elif estimate.low > -power.MARGIN and estimate.high < power.MARGIN:
        verdict = NO_DIFFERENCE
    else:
        verdict = UNDECIDED
        needed = power.builds_needed(sample, reference, comparisons)
    return Verdict(
        difference=estimate,
        p=p,
        verdict=verdict,
        builds_needed=needed,
        detectable=power.minimum_detectable_effect(estimate, comparisons),
    )


def _curves(
    settings: Mapping[Setting, Mapping[str, list[Outcome]]], reference: str, ties: bool
) -> dict[Setting, tuple[list[int], list[float]]]:
    """By setting without its ef_search: the ef_search values measured, and the reference's recall at each."""
    curves: dict[Setting, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for setting, by_order in settings.items():  # ef_search ascending, as settings are sorted
        if reference in by_order:
            efs, recalls = curves[setting._replace(fields=setting.fields[:-1])]
            efs.append(setting.fields[-1])
            recalls.append(float(sample_of(by_order[reference], ties).recalls.mean()))
    return curves
