"""Settings: what outcomes have in common that are compared, and what tables call settings and orders."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np

from bench import digests
from bench.labels import MOST, quoted
from bench.orders import ORDERS, parameters
from bench.statistics.sample import Sample, balanced_sample
from bench.study import trial as trials
from bench.study.order_labels import label, labels_of
from bench.study.outcome import Outcome
from bench.study.trial import DIGESTS, Data, Order, Provenance, flat_fields

Outcomes = Iterable[tuple[str, Outcome]]  # each with name of its experiment
ByOrder = Mapping[Order, Sequence[Outcome]]

_OF_DATA = [field.name for field in msgspec.structs.fields(Data)]

# Fields that mostly follow from another, and are not worth a column where they do
FOLLOWS = {
    "dataset": [field.name for field in msgspec.structs.fields(Data) if field.name != "dataset"],
    "engine": [field.name for field in msgspec.structs.fields(Provenance)],
}


# Fields that are chosen to see one setting; all else that varies is of an index
CHOSEN = ("dataset", "engine", "ef_search", "k")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that compared outcomes share.

    experiment: name of the experiment that they belong to.
    of: the setting of their trials.
    name: what tables call the dataset, unlike others of the same name.
    """

    experiment: str
    of: trials.TrialSetting
    name: str

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields that tables show, by name."""
        return fields_of(self.of) | {"dataset": self.name}


def fields_of(setting: trials.TrialSetting) -> dict[str, Any]:
    """Return the fields of a setting for tables, by name, without digests and empty ones; versions follow engines."""
    beside_engine = shown(setting.data) | {"engine": setting.index.engine} | shown(setting.provenance)
    return beside_engine | shown(setting.index) | shown(setting.search)


def shown(group: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of one group of a setting for tables, by name."""
    fields = msgspec.structs.asdict(group)
    if fields.get("chunk") == trials.ALL_ROWS:
        fields["chunk"] = "all"
    return {name: value for name, value in fields.items() if name not in DIGESTS and value not in ("", "{}")}


def by_setting(outcomes: Outcomes) -> dict[Setting, dict[Order, list[Outcome]]]:
    """Outcomes by setting, in a natural sequence, and in it by order; by label and seeds, however they were stored."""
    listed = sorted(outcomes, key=lambda pair: _place(pair[1].trial))
    names = _dataset_names(outcome.trial.setting for _, outcome in listed)
    groups: dict[Setting, dict[Order, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for experiment, outcome in listed:
        of = outcome.trial.setting
        groups[Setting(experiment=experiment, of=of, name=names[of])][outcome.trial.order].append(outcome)
    return dict(sorted(groups.items(), key=lambda item: natural([item[0].experiment, *item[0].fields.values()])))


def _place(trial: trials.Trial) -> tuple[Any, ...]:
    """By label, then by what distinguishes orders of one label, then by seeds."""
    return (label(trial.order), *msgspec.structs.astuple(trial.order), *msgspec.structs.astuple(trial.seeds))


def samples(by_order: ByOrder, ties: bool = False) -> dict[Order, Sample]:
    """The Sample of each order. ties: whether recall counts rows as near as the k-th true neighbour."""
    return {order: _sample(outcomes, ties) for order, outcomes in by_order.items()}


def _sample(outcomes: Sequence[Outcome], ties: bool) -> Sample:
    recalls = [(outcome.hits_tie if ties else outcome.hits) / outcome.trial.search.k for outcome in outcomes]
    return sample_of(recalls, [outcome.trial for outcome in outcomes], outcomes[0].query_groups)


def sample_of(
    recalls: Sequence[np.ndarray], trials: Sequence[trials.Trial], groups: np.ndarray | None = None
) -> Sample:
    """Return the Sample of recalls (queries,) of these trials; see `balanced_sample`."""
    seeds = [(trial.seeds.order_seed, trial.seeds.build_seed) for trial in trials]
    return balanced_sample(recalls, seeds, trials[0].search.k, groups)


def labels(outcomes: Outcomes) -> dict[Order, str]:
    """Return the label in tables of each order with outcomes; see `labels_of`, per experiment."""
    orders: dict[str, set[Order]] = defaultdict(set)
    for experiment, outcome in outcomes:
        orders[experiment].add(outcome.trial.order)
    return labels_of(*orders.values())


@cache
def option(order: Order) -> str | None:
    """An order as `bench order` takes it; None of one that it takes no more: a file's, or one of too many labels."""
    if order.order not in ORDERS or ORDERS[order.order].named_by:
        return None
    defaults, params = parameters(order.order, {}), json.loads(order.order_params)
    changed = {key: value for key, value in params.items() if value != defaults.get(key)}
    if any(isinstance(value, list) and len(value) > MOST for value in changed.values()):
        return None
    spelled = {
        key: "+".join(map(quoted, value)) if isinstance(value, list) else value for key, value in changed.items()
    }
    return ":".join([order.order, *(f"{key}={value}" for key, value in spelled.items())])


def split(settings: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that all settings share, with their values, and the names of those that vary.

    A field that follows from another varying field is in neither.
    """
    # Settings with most fields first, so that fields which some lack keep their place
    names = list(dict.fromkeys(name for setting in sorted(settings, key=len, reverse=True) for name in setting))
    first = settings[0]
    common = {
        name: first[name]
        for name in names
        if all(name in setting and setting[name] == first.get(name) for setting in settings)
    }
    varying = [name for name in names if name not in common]
    implied = {
        name
        for cause, followers in FOLLOWS.items()
        for name in followers
        if cause in varying and _determines(settings, cause, name)
    }
    return common, [name for name in varying if name not in implied]


def varying_by_engine(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return, per engine, the names of the fields that distinguish its settings, as `with_own_params` gives them."""
    of_engine: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fields in settings:
        of_engine[fields["engine"]].append(with_own_params(fields))
    everywhere = [name for name in split(settings)[1] if name in CHOSEN]
    varying = {}
    for engine, of in of_engine.items():
        own = {*everywhere, *split(of)[1]}
        names = dict.fromkeys(name for fields in of for name in fields)
        varying[engine] = [name for name in names if name in own]
    return varying


def with_own_params(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a setting, with each parameter that only its engine has by its own name, or as `own NAME`."""
    spread: dict[str, Any] = {}
    for name, value in fields.items():
        own = json.loads(value) if name == "engine_params" else {}
        spread |= {f"own {key}" if key in fields else key: of_own for key, of_own in own.items()} or {name: value}
    return spread


def _determines(settings: Sequence[Mapping[str, Any]], cause: str, name: str) -> bool:
    pairs = {(setting.get(cause), setting.get(name)) for setting in settings}
    return len(pairs) == len({value for value, _ in pairs})


def _dataset_names(settings: Iterable[trials.TrialSetting]) -> dict[trials.TrialSetting, str]:
    """Return the dataset name of each setting for tables, with a difference if one name has several origins.

    Files of one name may be of other folders or have changed, and libraries, our own code or the engine since: of each
    digest that differs, some digits.
    """
    distinct = list(dict.fromkeys(settings))
    values: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def alike(setting: trials.TrialSetting, field: str) -> tuple[str, ...]:
        """Return the key of settings that a digest may distinguish: the dataset, and the engine for builds."""
        name = setting.data.dataset
        return (name,) if field in _OF_DATA else (name, setting.index.engine)

    for setting in distinct:
        for field, value in flat_fields(setting).items():
            if field in DIGESTS:
                values[alike(setting, field)][field].add(value)
    names = {}
    for setting in distinct:
        row = {field: value for field, value in flat_fields(setting).items() if field in DIGESTS}
        varying = [field for field in row if len(values[alike(setting, field)][field]) > 1]
        digits = "-".join(digests.key_digest({field: row[field]})[:6] for field in varying)
        names[setting] = f"{setting.data.dataset} #{digits}" if digits else setting.data.dataset
    return names


def natural(fields: Sequence[Any]) -> list[tuple[int, Any]]:
    """Return a sort key that orders text by the numbers in it: dimension=8 before dimension=64."""
    key: list[tuple[int, Any]] = []
    for field in fields:
        for part in re.split(r"(\d+)", field) if isinstance(field, str) else [field]:
            key.append((0, float(part)) if not isinstance(part, str) or part.isdecimal() else (1, part))
    return key
