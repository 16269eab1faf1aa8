"""An experiment with its datasets loaded and its trials listed."""

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path

import msgspec
import numpy as np

from bench import digests, indexes, orders
from bench.data import catalog
from bench.data.dataset import Dataset, limit
from bench.errors import BenchError, BenchWarning
from bench.measure import retrieval
from bench.study.environment import binary
from bench.study.experiment import Experiment, OrderSpec, check, named, order_params_text, read_experiment
from bench.study.trial import Trial

# What decides data, truth and orders, beside the engine: another version is another trial.
LIBRARIES = ("hnsw-order-bench", "numpy", "faiss-cpu", "scikit-dimension")
# So is other code of ours, between versions.
CODE = ("orders.py", "geometry", "indexes", "measure", "study/run.py")


class Study:
    """An experiment with its datasets loaded and its trials listed."""

    def __init__(self, name: str, experiment: Experiment, datasets: Sequence[Dataset]) -> None:
        self.name = name
        self.experiment = experiment
        self.datasets = {dataset.name: dataset for dataset in datasets}
        specs = check(experiment, name)
        if len(self.datasets) < len(datasets):
            raise BenchError(f"{name}: a dataset is named twice")
        _check_data(name, experiment, specs, datasets)
        self.orders = {dataset.name: _expanded(specs, dataset) for dataset in datasets}

    @cached_property
    def trials(self) -> list[Trial]:
        """Every trial, by dataset, then seed: a study cut short has all orders at fewer seeds, not fewer orders."""
        return list(self._trials())

    def _trials(self) -> Iterator[Trial]:
        experiment = self.experiment
        code = digests.code_digest(*(Path(__file__).parent.parent / place for place in CODE))
        libraries = ", ".join([*(f"{name} {metadata.version(name)}" for name in LIBRARIES), f"code {code[:12]}"])
        engines = {index.engine for index in experiment.index}
        versions = {engine: indexes.version(engine) for engine in engines}
        binaries = {engine: binary(indexes.INDEXES[engine].package) or "" for engine in engines}
        for dataset in self.datasets.values():
            judgements = dataset.judgements.digest if dataset.judgements else ""
            scored_by = f", ir-measures {metadata.version('ir-measures')}" if judgements else ""
            for build_seed, order_seed in experiment.seeds:
                for index in experiment.index:
                    for order in self.orders[dataset.name]:
                        for ef_search, k in experiment.searches:
                            yield Trial(
                                dataset=dataset.name,
                                fingerprint=dataset.fingerprint,
                                judgements=judgements,
                                metric=dataset.metric,
                                n=dataset.n,
                                d=dataset.d,
                                queries=len(dataset.queries),
                                libraries=libraries + scored_by,
                                engine_version=versions[index.engine],
                                engine_binary=binaries[index.engine],
                                **msgspec.structs.asdict(index),
                                order=order.name,
                                order_params=order_params_text(order.params),
                                order_seed=order_seed,
                                build_seed=build_seed,
                                ef_search=ef_search,
                                k=k,
                            )


def read(name: str, limit_rows: int | None = None) -> Study:
    """The Study of a shipped experiment, or of the TOML file at a path, its datasets loaded.

    limit_rows: at most so many rows of every base, drawn by seed, in their given order.
    """
    path, experiment = read_experiment(name)
    if limit_rows is not None and limit_rows < 1:
        raise BenchError(f"--limit {limit_rows}: give a positive number of rows")
    check(experiment, str(path))  # before datasets are made, which may take long
    datasets: list[Dataset] = []
    for entry in experiment.datasets:
        name_of, parameters = named(entry, f"{path}: datasets")
        datasets += catalog.load_all(name_of, parameters, beside=path.parent)
    if limit_rows is not None:
        datasets = [limit(dataset, limit_rows) for dataset in datasets]
        _tell_out_of_reach(datasets)
    return Study(path.stem, experiment, datasets)


def with_builds(study: Study, builds: int) -> Study:
    """The study with `builds` build seeds, its data as loaded."""
    experiment = msgspec.structs.replace(study.experiment, build_seeds=builds)
    return Study(study.name, experiment, list(study.datasets.values()))


def _tell_out_of_reach(datasets: Sequence[Dataset]) -> None:
    for dataset in datasets:
        lost = retrieval.out_of_reach(dataset.judgements) if dataset.judgements else 0.0
        if lost:
            warnings.warn(
                f"{dataset.name}: {100 * lost:.0f} % of the relevant documents are not among these rows; they count as"
                " not found, by exact search too",
                BenchWarning,
                stacklevel=2,
            )


def _expanded(specs: Sequence[OrderSpec], dataset: Dataset) -> list[OrderSpec]:
    """The orders of one dataset, one a permutation where permutations are asked; what is named twice is there once."""
    expanded: dict[str, OrderSpec] = {}
    for spec in specs:
        one_each = [spec]
        if spec.permutations is not None:
            categories = np.unique(orders.labels_of(dataset))
            one_each = [
                OrderSpec(spec.name, spec.params | {"permutation": permutation})
                for permutation in orders.permutations(categories, spec.permutations)
            ]
        expanded |= {f"{order.name} {order_params_text(order.params)}": order for order in one_each}
    return list(expanded.values())


def _check_data(told: str, experiment: Experiment, specs: Sequence[OrderSpec], datasets: Sequence[Dataset]) -> None:
    most = max(k for _, k in experiment.searches)
    for dataset in datasets:
        if len(dataset.queries) == 0:
            raise BenchError(f"{told}: dataset {dataset.name!r} has no queries")
        if most > dataset.n:
            raise BenchError(
                f"{told}: k = {most}, but the base of {dataset.name!r} has only {dataset.n} rows: ask for fewer"
            )
        for spec in specs:
            orders.check(spec.name, spec.params, dataset)
