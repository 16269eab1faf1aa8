"""Outcomes -> one summary an order and setting, with verdicts in plain words."""

import math
import warnings
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from bench.analysis import equal_ef
from bench.analysis.setting import Outcomes, Setting, by_setting, labels, option, samples
from bench.errors import BenchError, BenchWarning
from bench.statistics import intervals, power, variance
from bench.statistics.intervals import Estimate, Interval
from bench.statistics.max_t import effective_comparisons
from bench.statistics.power import Needed
from bench.statistics.sample import Sample, falls_apart, lost_queries
from bench.study.environment import differences, distinct
from bench.study.order_labels import label
from bench.study.outcome import Outcome
from bench.study.trial import Order

BETTER, WORSE, NO_DIFFERENCE, UNDECIDED = "better", "worse", "no difference shown", "undecided"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """An order against the reference.

    difference: of mean recall, over builds and queries; its interval holds for all orders of the setting at once, and
        so does that of misses_removed.
    misses_removed: the share of the reference's misses that this order does not miss.
    p: adjusted over the orders compared; below 0.05 where the interval excludes 0, see `max_t`.
    verdict: `better` or `worse` where p < 0.05; else `no difference shown` where the interval lies within ± `worth`;
        else `undecided`.
    needed: to decide in 80 % of studies, if it is undecided.
    detectable: the difference that is shown with power 80 % among as many comparisons; NaN if there is none.
    """

    difference: Estimate
    misses_removed: Estimate
    p: float
    verdict: str
    needed: Needed
    detectable: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One order in one setting, over its builds.

    order: its label.
    option: the order as `bench order` takes it; None where it takes none.
    recall: mean over builds and queries.
    sd: standard deviation over builds of a build's mean recall; NaN for one build.
    against: the comparison with the reference order, None for itself or where it was not run.
    equivalent_ef: the ef_search at which the reference reaches this recall, and the ends of its interval, see
        `equal_ef`; None without a comparison, or where the reference has a single ef_search.
    below_half: share of queries with recall below 0.5, over builds and queries.
    percentile_5: the 5th percentile of recall over builds and queries, since a mean hides who suffers.
    lowest_build: mean recall of the worst build, since few builds hide that some fall apart.
    lost_queries: the most queries that a build loses which its sister builds find, see `sample.lost_queries`.
    falls_apart: whether these are many more than its sister builds lose, see `sample.falls_apart`.
    recall_tie: mean with ties counted.
    order_seconds, build_seconds, search_seconds: means over builds.
    """

    setting: Setting
    order: str
    option: str | None
    builds: int
    recall: Estimate
    sd: float
    against: Comparison | None
    equivalent_ef: tuple[float, float, float] | None
    below_half: Estimate
    percentile_5: Interval
    recall_tie: float
    order_seconds: float
    build_seconds: float
    search_seconds: float
    lowest_build: float = math.nan
    lost_queries: int = 0
    falls_apart: bool = False


class Shares(msgspec.Struct, frozen=True):
    """Where the spread of recall in one setting comes from; see `variance.shares`."""

    setting: Setting
    shares: dict[str, float]


def summarize(
    outcomes: Outcomes,
    reference: str = "random",
    ties: bool = False,
    ladder: Outcomes = (),
    worth: float = power.MARGIN,
) -> list[Summary]:
    """A Summary of every order in every setting: settings in a natural sequence, best order first.

    outcomes: (experiment, outcome) pairs. reference: an order's label. ties: whether recall counts rows as near as the
    k-th true neighbour, rather than going by id. ladder: of the reference, at more ef_search; see `equal_ef`. worth: a
    smaller difference counts as none.
    """
    listed = list(outcomes)
    if not listed:
        raise BenchError("no outcomes to summarize: run `bench run` first")
    names = labels(listed)
    _warn_of_alike(names, reference)
    settings = by_setting(listed)
    _warn_of_environments(settings)
    recalls = {setting: samples(by_order, ties) for setting, by_order in settings.items()}
    curves = equal_ef.curves([*listed, *ladder], names, reference, ties)
    summaries = []
    for setting, by_order in settings.items():
        compared = _compared(recalls[setting], names, reference, worth)
        rows = []
        for order, built in by_order.items():
            against = compared.get(order)
            row = _summary(setting, order, names[order], recalls[setting][order], built, against)
            equivalent = equal_ef.of(setting, recalls[setting][order], curves) if against else None
            rows.append(msgspec.structs.replace(row, equivalent_ef=equivalent))
        summaries += sorted(rows, key=lambda row: (-round(row.recall.value, 9), row.order))  # sums round
    return summaries


def _warn_of_environments(settings: Mapping[Setting, Mapping[Order, Sequence[Outcome]]]) -> None:
    """A BenchWarning where outcomes of one setting come from environments that may give other graphs."""
    changes: dict[str, None] = {}
    for setting, by_order in settings.items():
        environments = distinct(outcome.build.environment for built in by_order.values() for outcome in built)
        for other in environments[1:]:
            concerning = differences(environments[0], other)
            changes |= {c.text: None for c in concerning if c.concerns(setting.of.index.engine)}
    if changes:
        shown = "; ".join(list(changes)[:3]) + ("; ..." if len(changes) > 3 else "")
        warnings.warn(
            f"builds of several environments are compared ({shown}), whose graphs may differ; name another --store to "
            "measure all in one",
            BenchWarning,
            stacklevel=3,
        )


def _warn_of_alike(names: Mapping[Order, str], reference: str) -> None:
    """A BenchWarning where several orders are of the reference's name, so that none is it."""
    alike = sorted(name for order, name in names.items() if name != reference == label(order))
    if alike and reference not in names.values():
        warnings.warn(
            f"several orders are called {reference} ({', '.join(alike)}), so nothing is compared with it: "
            "name one of these as the reference",
            BenchWarning,
            stacklevel=3,
        )


def _compared(
    by_order: Mapping[Order, Sample], names: Mapping[Order, str], reference: str, worth: float
) -> dict[Order, Comparison]:
    """Return the Comparison of each order of a setting except the reference; empty if the reference was not run."""
    others = [order for order in by_order if names[order] != reference]
    against = [order for order in by_order if names[order] == reference]
    if not against:
        return {}
    compared = verdicts([by_order[order] for order in others], by_order[against[0]], worth)
    return dict(zip(others, compared, strict=True))


def _summary(
    setting: Setting, order: Order, name: str, sample: Sample, outcomes: Sequence[Outcome], against: Comparison | None
) -> Summary:
    """The Summary of one order, without its equivalent ef_search."""
    builds, by_build = len(outcomes), sample.recalls.mean(axis=1)
    return Summary(
        setting=setting,
        order=name,
        option=option(order),
        builds=builds,
        recall=intervals.mean(sample),
        sd=float(by_build.std(ddof=1)) if builds > 1 else float("nan"),
        against=against,
        equivalent_ef=None,
        below_half=intervals.share(sample, sample.recalls < 0.5),
        percentile_5=intervals.percentile(sample, 0.05),
        recall_tie=float(np.mean([outcome.recall_tie for outcome in outcomes])),
        order_seconds=float(np.mean([outcome.build.order_seconds for outcome in outcomes])),
        build_seconds=float(np.mean([outcome.build.build_seconds for outcome in outcomes])),
        search_seconds=float(np.mean([outcome.search_seconds for outcome in outcomes])),
        lowest_build=float(by_build.min()),
        lost_queries=int(lost_queries(sample.recalls).max()),
        falls_apart=falls_apart(sample.recalls),
    )


def shares(outcomes: Outcomes, ties: bool = False) -> list[Shares]:
    """Where the spread comes from, in every setting that has two orders and two builds of each at least."""
    listed = []
    for setting, by_order in by_setting(outcomes).items():
        repeated = {order: built for order, built in by_order.items() if len(built) > 1}
        if len(repeated) > 1:
            listed.append(Shares(setting, variance.shares(list(samples(repeated, ties).values()))))
    return listed


def differences_to(samples: Sequence[Sample], reference: Sample) -> tuple[list[Estimate], float]:
    """The difference of each sample to the reference, and how many comparisons p and intervals have to allow for."""
    estimates = [intervals.difference(sample, reference) for sample in samples]
    return estimates, effective_comparisons(samples, reference, estimates)


def verdicts(samples: Sequence[Sample], reference: Sample, worth: float = power.MARGIN) -> list[Comparison]:
    """A Comparison on each sample against the reference; intervals and p allow for their number in a single step.

    worth: a smaller difference counts as none.
    """
    differences, comparisons = differences_to(samples, reference)
    return [
        _verdict(sample, reference, estimate, comparisons, worth)
        for sample, estimate in zip(samples, differences, strict=True)
    ]


def _verdict(sample: Sample, reference: Sample, estimate: Estimate, comparisons: float, worth: float) -> Comparison:
    p = min(intervals.p_value(estimate) * comparisons, 1.0)
    difference = intervals.simultaneous(estimate, comparisons)
    needed = Needed(None, None)
    if p < 1 - intervals.CONFIDENCE:
        verdict = BETTER if estimate.value > 0 else WORSE
    elif difference.low > -worth and difference.high < worth:
        verdict = NO_DIFFERENCE
    else:
        verdict = UNDECIDED
        needed = power.needed(sample, reference, comparisons, worth)
    return Comparison(
        difference=difference,
        misses_removed=_of_one_sign(intervals.misses_removed(sample, reference, comparisons), difference),
        p=p,
        verdict=verdict,
        needed=needed,
        detectable=power.minimum_detectable_effect(
            estimate, comparisons, power.worth_of_a_hit(sample, len(sample.recalls))
        ),
    )


def _of_one_sign(removed: Estimate, difference: Estimate) -> Estimate:
    """Return misses removed with an interval that excludes 0 if that of the difference does: both have one sign."""
    if difference.low > 0:
        return msgspec.structs.replace(removed, low=max(removed.low, 0.0))
    if difference.high < 0:
        return msgspec.structs.replace(removed, high=min(removed.high, 0.0))
    return removed
