"""Outcomes -> one summary an order and setting, with verdicts in plain words."""

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench.analysis import power, stats, variance
from bench.analysis.stats import Estimate, Sample
from bench.errors import BenchError
from bench.orders import parameters
from bench.study.spec import Trial
from bench.study.store import Outcome

# The fields of a Trial that, when equal, make builds comparable but for their order; ef_search last.
SETTING = (
    "dataset",
    "metric",
    "n",
    "d",
    "queries",
    "engine",
    "engine_version",
    "M",
    "ef_construction",
    "chunk",
    "threads",
    "k",
    "ef_search",
)

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


class Setting(NamedTuple):
    """What builds that differ in their order and seeds alone have in common; fields: the values of SETTING."""

    experiment: str
    fields: tuple[Any, ...]
    origin: tuple[
        str, str, str, str
    ]  # digests of data and judgements, what made truth and orders, digest of the engine


_Outcomes = Iterable[tuple[str, Outcome]]


def summarize(outcomes: _Outcomes, reference: str = "random", ties: bool = False) -> list[Summary]:
    """A Summary of every order in every setting: settings sorted, best order first.

    outcomes: (experiment, outcome) pairs. reference: an order's label, see `order_label`. ties: whether recall
    counts rows as near as the k-th true neighbour, rather than going by id.
    """
    settings = by_setting(outcomes)
    curves = _curves(settings, reference, ties)
    summaries = []
    for setting, by_order in settings.items():
        samples = {order: _sample(found, ties) for order, found in by_order.items()}
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


def labels(outcomes: _Outcomes) -> list[str]:
    """The orders that there are outcomes of, as tables call them."""
    return sorted({order_label(o.trial.order, o.trial.order_params) for _, o in outcomes})


def shares(outcomes: _Outcomes, ties: bool = False) -> list[Shares]:
    """Where the spread comes from, in every setting that has two orders and two builds of each at least."""
    found = []
    for setting, by_order in by_setting(outcomes).items():
        samples = [_sample(built, ties) for built in by_order.values() if len(built) > 1]
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


def samples_by_setting(outcomes: _Outcomes, ties: bool = False) -> Iterator[tuple[dict[str, Any], dict[str, Sample]]]:
    """Every setting with the Sample of each of its orders."""
    for setting, by_order in by_setting(outcomes).items():
        fields = dict(zip(SETTING, setting.fields, strict=True))
        yield fields, {order: _sample(built, ties) for order, built in by_order.items()}


def order_label(name: str, params: str) -> str:
    """An order as a table calls it: its name, and the parameters that are not at their defaults."""
    defaults = parameters(name, {})
    changed = {key: value for key, value in msgspec.json.decode(params).items() if value != defaults[key]}
    return name + "".join(f" {key}={_short(value)}" for key, value in changed.items())


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


def by_setting(outcomes: _Outcomes) -> dict[Setting, dict[str, list[Outcome]]]:
    """Outcomes by setting, sorted, and in it by the order's label; datasets of one name are told apart by digests."""
    settings: dict[Setting, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    listed = list(outcomes)
    told = _told_apart(outcome.trial for _, outcome in listed)
    for experiment, outcome in listed:
        trial = outcome.trial
        trial = msgspec.structs.replace(trial, dataset=told[_origin(trial)])
        fields = tuple(getattr(trial, field) for field in SETTING)
        setting = Setting(experiment, fields, _origin(outcome.trial)[2:])
        settings[setting][order_label(trial.order, trial.order_params)].append(outcome)
    return dict(sorted(settings.items(), key=lambda item: _natural([item[0].experiment, *item[0].fields])))


_Origin = tuple[str, str, str, str, str, str]


def _origin(trial: Trial) -> _Origin:
    named = trial.dataset, trial.engine
    return (*named, trial.fingerprint, trial.judgements, trial.libraries, trial.engine_binary)


def _told_apart(trials: Iterable[Trial]) -> dict[_Origin, str]:
    """What tables call the dataset of every origin: its name, and where one name has several origins, how they differ.

    Files of one name may be of other folders or have changed, and libraries, our own code or the engine's since: of
    each of these that differs, some digits of its digest.
    """
    origins: dict[tuple[str, str], list[_Origin]] = defaultdict(list)
    for origin in dict.fromkeys(_origin(trial) for trial in trials):
        origins[origin[:2]].append(origin)
    told = {}
    for (name, _), of_name in origins.items():
        varying = [i for i in range(2, len(of_name[0])) if len({origin[i] for origin in of_name}) > 1]
        for origin in of_name:
            digits = [hashlib.sha256(origin[i].encode()).hexdigest()[:6] for i in varying]
            told[origin] = name + f" #{'-'.join(digits)}" * bool(digits)
    return told


def _curves(
    settings: Mapping[Setting, Mapping[str, list[Outcome]]], reference: str, ties: bool
) -> dict[Setting, tuple[list[int], list[float]]]:
    """By setting without its ef_search: the ef_search values measured, and the reference's recall at each."""
    curves: dict[Setting, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for setting, by_order in settings.items():  # ef_search ascending, as settings are sorted
        if reference in by_order:
            efs, recalls = curves[setting._replace(fields=setting.fields[:-1])]
            efs.append(setting.fields[-1])
            recalls.append(float(_sample(by_order[reference], ties).recalls.mean()))
    return curves


def _sample(outcomes: Sequence[Outcome], ties: bool) -> Sample:
    recalls = [(outcome.hits_tie if ties else outcome.hits) / outcome.trial.k for outcome in outcomes]
    return stats.sample_of(recalls, [outcome.trial for outcome in outcomes])


def _natural(fields: Sequence[Any]) -> list[tuple[int, Any]]:
    """A sort key by which text goes by the numbers in it: dimension=8 before dimension=64."""
    key: list[tuple[int, Any]] = []
    for field in fields:
        for part in re.split(r"(\d+)", field) if isinstance(field, str) else [field]:
            key.append((0, float(part)) if not isinstance(part, str) or part.isdecimal() else (1, part))
    return key


def _short(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
