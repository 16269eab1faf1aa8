"""Orders compared on one dataset: somebody's own files or arrays, or one of the catalogue."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.data import catalog
from bench.data.dataset import Dataset
from bench.data.loading import load
from bench.data.parts import Parts
from bench.errors import BenchError, BenchWarning, Log
from bench.orders import ORDERS, parameters
from bench.study.spec.experiment import REFERENCE, Experiment, check
from bench.study.spec.study import Study

DEFAULT_ORDERS = ("given", "random", "lid-ascending", "lid-descending", "radius-descending", "residual-descending")


def comparison(
    given: Parts,
    *,
    orders: Sequence[str | dict[str, Any]] | None,
    index: Sequence[dict[str, Any]],
    k: int,
    ef_search: Sequence[int],
    build_seeds: int,
    reference: str | None = None,
    log: Log,
) -> Study:
    """The Study of orders on one dataset, named after it. What is wrong whatever the data is said before it is read.

    orders: None for DEFAULT_ORDERS, of which those are left out, with a BenchWarning, that the data does not allow.
    """
    name = catalog.name_of(given)
    experiment = Experiment(
        title=f"Orders compared on {given.base if isinstance(given.base, str) else name}",
        datasets=[name],
        orders=list(DEFAULT_ORDERS if orders is None else orders),
        index=list(index),
        k=k,
        ef_search=list(ef_search),
        build_seeds=build_seeds,
        reference=REFERENCE if reference is None else reference,
    )
    name = f"compare-{name}"
    check(experiment, name)
    dataset = load(given, log)
    if orders is None:
        experiment = msgspec.structs.replace(experiment, orders=_possible(dataset))
    return Study(name, experiment, [dataset])


def _possible(dataset: Dataset) -> list[str | dict[str, Any]]:
    """The default orders that can be made of a dataset; a BenchWarning says which cannot, and why."""
    possible: list[str | dict[str, Any]] = []
    refused = defaultdict(list)
    for name in DEFAULT_ORDERS:
        try:
            ORDERS[name].check(dataset, parameters(name, {}))
            possible.append(name)
        except (ValueError, BenchError) as error:
            refused[str(error)].append(name)
    for reason, names in refused.items():
        warnings.warn(
            f"{dataset.name}: {' and '.join(names)} left out of the default orders: {reason}",
            BenchWarning,
            stacklevel=3,
        )
    return possible
