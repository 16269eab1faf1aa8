"""What builds have in common that differ in their order and seeds alone, and what tables call it."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from bench.analysis import stats
from bench.analysis.stats import Sample
from bench.orders import parameters
from bench.study.store import Outcome
from bench.study.trial import Trial

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


class Setting(NamedTuple):
    """What builds that differ in their order and seeds alone have in common; fields: the values of SETTING."""

    experiment: str
    fields: tuple[Any, ...]
    origin: tuple[
        str, str, str, str
    ]  # digests of data and judgements, what made truth and orders, digest of the engine


Outcomes = Iterable[tuple[str, Outcome]]


def by_setting(outcomes: Outcomes) -> dict[Setting, dict[str, list[Outcome]]]:
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


def labels(outcomes: Outcomes) -> list[str]:
    """The orders that there are outcomes of, as tables call them."""
    return sorted({order_label(o.trial.order, o.trial.order_params) for _, o in outcomes})


def samples_by_setting(outcomes: Outcomes, ties: bool = False) -> Iterator[tuple[dict[str, Any], dict[str, Sample]]]:
    """Every setting with the Sample of each of its orders."""
    for setting, by_order in by_setting(outcomes).items():
        fields = dict(zip(SETTING, setting.fields, strict=True))
        yield fields, {order: sample_of(built, ties) for order, built in by_order.items()}


def sample_of(outcomes: Sequence[Outcome], ties: bool) -> Sample:
    recalls = [(outcome.hits_tie if ties else outcome.hits) / outcome.trial.k for outcome in outcomes]
    return stats.sample_of(recalls, [outcome.trial for outcome in outcomes])


def order_label(name: str, params: str) -> str:
    """An order as a table calls it: its name, and the parameters that are not at their defaults."""
    defaults = parameters(name, {})
    changed = {key: value for key, value in msgspec.json.decode(params).items() if value != defaults[key]}
    return name + "".join(f" {key}={_short(value)}" for key, value in changed.items())


def _natural(fields: Sequence[Any]) -> list[tuple[int, Any]]:
    """A sort key by which text goes by the numbers in it: dimension=8 before dimension=64."""
    key: list[tuple[int, Any]] = []
    for field in fields:
        for part in re.split(r"(\d+)", field) if isinstance(field, str) else [field]:
            key.append((0, float(part)) if not isinstance(part, str) or part.isdecimal() else (1, part))
    return key


def _short(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
