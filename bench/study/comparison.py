"""Orders compared on one dataset: somebody's own files, or one of the catalogue."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.data import catalog, formats
from bench.data.dataset import Dataset, limit
from bench.data.from_files import Replacement, from_files
from bench.errors import BenchError, BenchWarning, Log
from bench.orders import ORDERS, parameters
from bench.study.experiment import REFERENCE, Experiment, check
from bench.study.study import Study

DEFAULT_ORDERS = ("given", "random", "lid-ascending", "lid-descending", "radius-descending", "residual-descending")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where vectors come from.

    base: a file of vectors, or a dataset by its name or TOML file.
    queries, labels, neighbors, metric, query_groups: what takes the place of what that states, or of what it lacks.
    rows: at most so many rows of the base, drawn by seed.
    """

    base: str
    queries: Path | None = None
    labels: Path | None = None
    neighbors: Path | None = None
    metric: str | None = None
    query_groups: Path | None = None
    rows: int | None = None


def comparison(
    source: Source,
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
    base = source.base
    stem = base if base in catalog.names() else formats.split(Path(base))[0].stem
    experiment = Experiment(
        title=f"Orders compared on {base}",
        datasets=[stem],
        orders=list(DEFAULT_ORDERS if orders is None else orders),
        index=list(index),
        k=k,
        ef_search=list(ef_search),
        build_seeds=build_seeds,
        reference=REFERENCE if reference is None else reference,
    )
    name = f"compare-{stem}"
    check(experiment, name)
    dataset = _load(source, log)
    if orders is None:
        experiment = msgspec.structs.replace(experiment, orders=_possible(dataset))
    return Study(name, experiment, [dataset])


def _load(source: Source, log: Log) -> Dataset:
    if catalog.is_file(source.base):
        files = (Path(source.base), source.queries, source.labels, source.metric)
        neighbors, groups = source.neighbors, source.query_groups
        return from_files(*files, neighbors=neighbors, query_groups=groups, limit=source.rows, log=log)
    replacement = Replacement(source.queries, source.labels, source.neighbors, source.metric, source.query_groups)
    dataset = catalog.load(source.base, replacement=replacement)
    return limit(dataset, source.rows) if source.rows else dataset


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
