"""Orders compared on one dataset: somebody's own files or arrays, or one of the catalogue."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.data import catalog, formats
from bench.data.dataset import Dataset, limit
from bench.data.formats import Place
from bench.data.formats.array import FileArray
from bench.data.from_files import from_files, whole_file
from bench.data.parts import Replacement
from bench.errors import BenchError, BenchWarning, Log
from bench.orders import ORDERS, parameters
from bench.study.spec.experiment import REFERENCE, Experiment, check
from bench.study.spec.study import Study

DEFAULT_ORDERS = ("given", "random", "lid-ascending", "lid-descending", "radius-descending", "residual-descending")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where vectors come from.

    base: a file of vectors, or a dataset by its name or TOML file; or vectors in memory.
    queries, labels, neighbors, metric, query_groups: what takes the place of what that states, or of what it lacks.
    rows: at most so many rows of the base, drawn by seed.
    array_name: what results call vectors in memory.
    """

    base: str | FileArray
    queries: Place | None = None
    labels: Place | None = None
    neighbors: Path | None = None
    metric: str | None = None
    query_groups: Place | None = None
    rows: int | None = None
    array_name: str = "vectors"

    @property
    def name(self) -> str:
        """What results call it."""
        if isinstance(self.base, FileArray):
            return self.array_name
        return self.base if self.base in catalog.names() else formats.split(Path(self.base))[0].stem

    @property
    def files(self) -> list[Path]:
        """Every file that is read: of vectors, queries, labels, neighbours and groups."""
        named = [self.queries, self.labels, self.neighbors, self.query_groups]
        if isinstance(self.base, str) and not catalog.is_file(self.base):
            return [*catalog.files(self.base), *formats.files(named)]
        return formats.files([Path(self.base) if isinstance(self.base, str) else self.base, *named])

    def load(self, log: Log) -> Dataset:
        """The Dataset, its queries held out where it has none. log: called with a line on what was chosen."""
        if isinstance(self.base, str) and not catalog.is_file(self.base):
            beside = Replacement(self.queries, self.labels, self.neighbors, self.metric, self.query_groups)
            dataset = catalog.load(self.base, replacement=beside, log=log)
            return limit(dataset, self.rows) if self.rows else dataset
        return from_files(
            Path(self.base) if isinstance(self.base, str) else self.base,
            self.queries,
            self.labels,
            self.metric,
            neighbors=self.neighbors,
            query_groups=self.query_groups,
            name=self.name,
            limit=self.rows,
            log=log,
        )

    def load_whole(self, log: Log = lambda line: None) -> Dataset:
        """The Dataset of all rows of the base, by its metric and labels, for its geometry alone. log: as `load`."""
        if isinstance(self.base, str) and not catalog.is_file(self.base):
            return catalog.load_whole(self.base, Replacement(labels=self.labels, metric=self.metric), log)
        base = Path(self.base) if isinstance(self.base, str) else self.base
        return whole_file(base, self.metric, self.labels, name=self.name, log=log)


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
    experiment = Experiment(
        title=f"Orders compared on {source.base if isinstance(source.base, str) else source.name}",
        datasets=[source.name],
        orders=list(DEFAULT_ORDERS if orders is None else orders),
        index=list(index),
        k=k,
        ef_search=list(ef_search),
        build_seeds=build_seeds,
        reference=REFERENCE if reference is None else reference,
    )
    name = f"compare-{source.name}"
    check(experiment, name)
    dataset = source.load(log)
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
