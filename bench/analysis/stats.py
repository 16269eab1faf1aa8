"""Effects of order; the build is the unit of replication."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from bench.errors import BenchError
from bench.study.store import Outcome

# The field names of a Trial that, with dataset and engine, make builds comparable but for their order.
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


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One order in one setting, over its builds.

    recall: mean over builds of the mean over queries. sd: standard deviation over builds of a build's mean recall (NaN
    for one build). difference: recall minus the reference order's, NaN where the reference was not run.
    """

    experiment: str
    setting: dict[str, Any]
    order: str
    builds: int
    recall: float
    sd: float
    difference: float
    recall_tie: float
    build_seconds: float
    search_seconds: float


def summarize(outcomes: Iterable[tuple[str, Outcome]], reference: str = "random") -> list[Summary]:
    """A Summary of every order in every setting: settings sorted, best order first.

    outcomes: (experiment, outcome) pairs.
    """
    settings: dict[tuple[Any, ...], dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for experiment, outcome in outcomes:
        trial = outcome.trial
        setting = (experiment, *(getattr(trial, field) for field in SETTING), trial.fingerprint)
        settings[setting][order_label(trial.order, trial.order_params)].append(outcome)
    if not settings:
        raise BenchError("no outcomes to summarize: run `bench run` first")
    summaries = []
    for key, by_order in sorted(settings.items(), key=lambda item: _natural(item[0])):
        experiment, setting = key[0], key[1:-1]
        recalls = {order: np.array([o.recall for o in found]) for order, found in by_order.items()}
        against = recalls[reference].mean() if reference in recalls else np.nan
        rows = [
            Summary(
                experiment=experiment,
                setting=dict(zip(SETTING, setting, strict=True)),
                order=order,
                builds=len(found),
                recall=float(recalls[order].mean()),
                sd=float(recalls[order].std(ddof=1)) if len(found) > 1 else float("nan"),
                difference=float(recalls[order].mean() - against),
                recall_tie=float(np.mean([o.recall_tie for o in found])),
                build_seconds=float(np.mean([o.build_seconds for o in found])),
                search_seconds=float(np.mean([o.search_seconds for o in found])),
            )
            for order, found in by_order.items()
        ]
        summaries += sorted(rows, key=lambda row: -row.recall)
    return summaries


def order_label(name: str, params: str) -> str:
    """An order as a table calls it: its name, and the parameters that are not at their defaults."""
    from bench.orders import parameters

    defaults = parameters(name, {})
    changed = {key: value for key, value in msgspec.json.decode(params).items() if value != defaults[key]}
    return name + "".join(f" {key}={_short(value)}" for key, value in changed.items())


def _short(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _natural(setting: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """A sort key by which text goes by the numbers in it: dimension=8 before dimension=64."""
    key: list[tuple[int, Any]] = []
    for field in setting:
        for part in re.split(r"(\d+)", field) if isinstance(field, str) else [field]:
            key.append((0, float(part)) if not isinstance(part, str) or part.isdigit() else (1, part))
    return key
