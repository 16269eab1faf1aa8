"""An experiment with its datasets loaded and its trials listed."""

import warnings
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property, reduce
from typing import Any

import msgspec

from bench import orders
from bench.convert import as_text
from bench.data.dataset import Dataset, limit
from bench.data.loading import load_all
from bench.errors import BenchError, BenchWarning, Log, unknown
from bench.indexes import INDEXES, find
from bench.indexes.engine import how_to_install
from bench.measure import retrieval
from bench.study.execution.first_build import note_imports
from bench.study.execution.refusal import refusal
from bench.study.order_labels import labels_of
from bench.study.provenance import provenance
from bench.study.spec.experiment import (
    REFERENCE,
    Checked,
    Experiment,
    OrderSpec,
    check,
    order_of,
    read_experiment,
    repeated,
    split_table,
)
from bench.study.trial import Data, Index, Order, Search, Seeds, Trial


class Study:
    """An experiment with its datasets loaded and its trials listed.

    datasets: by name.
    indexes: engines with their parameters.
    orders: of every dataset, by its name.
    labels: what tables call the orders.
    left_out: engines that are not installed, where the experiment has those that are alone.
    """

    def __init__(self, name: str, experiment: Experiment, datasets: Sequence[Dataset]) -> None:
        self.name = as_text(name)  # which may be a file's
        self.experiment = experiment
        self.datasets = {dataset.name: dataset for dataset in datasets}
        checked = check(experiment, name)
        if twice := repeated([dataset.name for dataset in datasets]):
            raise BenchError(f"{name}: dataset {twice!r} is named twice: leave one out")
        _check_data(name, experiment, checked, datasets)
        self.indexes = checked.indexes
        note_imports(self.indexes, datasets)
        self._orders_of = checked.orders_of
        self.left_out = checked.left_out
        self.orders = {dataset.name: _expanded(checked.orders, dataset) for dataset in datasets}
        self.labels = labels_of({order for orders in self.orders.values() for order in orders})
        known = {REFERENCE, *self.labels.values()}
        if experiment.reference and experiment.reference not in known:
            raise BenchError(f"{name}: reference: {unknown('order', experiment.reference, sorted(known))}")
        for chosen in self._orders_of.values():
            for order in chosen:
                if order not in self.labels.values():
                    raise BenchError(
                        f"{name}: index: orders: {order!r} is none of the experiment's: name one of "
                        f"{', '.join(sorted(self.labels.values()))}, or add it to them"
                    )

    @cached_property
    def trials(self) -> list[Trial]:
        """Every trial, by dataset, then seed: a study cut short has all orders at fewer seeds, not fewer orders."""
        return [trial for trial in self.with_ladder if not self._on_ladder(trial)]

    @cached_property
    def ladder(self) -> list[Trial]:
        """Return the reference's trials at ef_search outside the experiment; they show which ef_search others equal."""
        return [trial for trial in self.with_ladder if self._on_ladder(trial)]

    @cached_property
    def with_ladder(self) -> list[Trial]:
        """Return trials and ladder, those of the same build next to each other."""
        return list(self._with_ladder())

    def _on_ladder(self, trial: Trial) -> bool:
        return (trial.search.ef_search, trial.search.k) not in self.experiment.searches

    def ladder_searches(self, dataset: Dataset, index: Index) -> list[tuple[int, int]]:
        """(ef_search, k) of the ladder of one index, but the experiment's own.

        None if the reference is not compared with another order, or ef_search does nothing.
        """
        names = [self.labels[order] for order in self.orders_in(dataset, index)]
        compared = self.experiment.reference in names and len(names) > 1
        engine = INDEXES[index.engine]
        rungs = self.experiment.ladder(dataset.n) if compared and engine.promises.has_ef_search else []
        return [rung for rung in rungs if engine.most_ef_search is None or rung[0] <= engine.most_ef_search]

    def orders_in(self, dataset: Dataset, index: Index) -> list[Order]:
        """The orders of a dataset that an index is built in."""
        chosen = self._orders_of.get(index)
        return [order for order in self.orders[dataset.name] if chosen is None or self.labels[order] in chosen]

    def _with_ladder(self) -> Iterator[Trial]:
        for dataset in self.datasets.values():
            data = data_of(dataset)
            for build_seed, order_seed in self.experiment.seeds:
                for index in self.indexes:
                    ladder = self.ladder_searches(dataset, index)
                    made_by = provenance(index.engine, bool(data.judgements))
                    for order in self.orders_in(dataset, index):
                        climbs = self.labels[order] == self.experiment.reference
                        for ef_search, k in [*self.experiment.searches, *(ladder if climbs else [])]:
                            yield Trial(
                                data=data,
                                index=index,
                                order=order,
                                search=Search(k=k, ef_search=ef_search),
                                seeds=Seeds(order_seed=order_seed, build_seed=build_seed),
                                provenance=made_by,
                            )


def data_of(dataset: Dataset) -> Data:
    """A dataset as a Trial has it."""
    return Data(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        judgements=dataset.judgements.digest if dataset.judgements else "",
        metric=dataset.metric,
        n=dataset.n,
        d=dataset.d,
        queries=len(dataset.queries),
    )


def read(name: str, limit_rows: int | None = None, log: Log = lambda line: None) -> Study:
    """The Study of a shipped experiment, or of the TOML file at a path, its datasets loaded.

    limit_rows: the most rows to keep of each base, drawn by seed, in their given order. log: as `load` has it.
    """
    path, experiment = read_experiment(name)
    if limit_rows is not None and limit_rows < 1:
        raise BenchError(f"--limit {limit_rows}: give a positive number of rows")
    checked = check(experiment, str(path))  # before datasets are made, which may take long
    if checked.left_out:
        how = how_to_install(*(INDEXES[name] for name in checked.left_out))
        line = f"{path.stem}: engines left out, since they are not installed: {', '.join(checked.left_out)}; {how}"
        warnings.warn(line, BenchWarning, stacklevel=2)
    datasets: list[Dataset] = []
    for entry in experiment.datasets:
        dataset, parameters = split_table(entry, f"{path}: datasets")
        rows = _limit_of(parameters, f"{path}: datasets: {dataset}")
        for loaded in load_all(dataset, parameters, path.parent, log):
            limits = [most for most in (rows, limit_rows) if most is not None]
            datasets.append(reduce(limit, limits, loaded))
            if limits:
                _warn_of_relevant_rows(datasets[-1])
    return Study(path.stem, experiment, datasets)


def _limit_of(parameters: dict[str, Any], where: str) -> int | None:
    """The `limit` in a dataset's table, taken out of it, or None."""
    rows = parameters.pop("limit", None)
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 1):
        raise BenchError(f"{where}: limit = {rows}: give a positive number of rows")
    return rows


def with_builds(study: Study, builds: int) -> Study:
    """The study with `builds` build seeds, its data as loaded."""
    experiment = msgspec.structs.replace(study.experiment, build_seeds=builds)
    return Study(study.name, experiment, list(study.datasets.values()))


def without(study: Study, engines: Collection[str]) -> Study:
    """The study without indexes of these engines, its data as loaded."""
    tables = []
    for table in study.experiment.index:
        named = table["engine"] if isinstance(table["engine"], list) else [table["engine"]]
        if others := [engine for engine in named if find(engine) not in engines]:
            tables.append({**table, "engine": others})
    experiment = msgspec.structs.replace(study.experiment, index=tables)
    return Study(study.name, experiment, list(study.datasets.values()))


def _warn_of_relevant_rows(dataset: Dataset) -> None:
    """A BenchWarning where relevant documents are not among the rows."""
    lost = retrieval.out_of_reach(dataset.judgements) if dataset.judgements else 0.0
    if lost:
        warnings.warn(
            f"{dataset.name}: {100 * lost:.0f} % of the relevant documents are not among these rows; they count as"
            " not found, by exact search too",
            BenchWarning,
            stacklevel=3,
        )


def _expanded(specs: Sequence[OrderSpec], dataset: Dataset) -> list[Order]:
    """The orders of one dataset, each once, in the sequence that they are listed in."""
    expanded = [
        order_of(OrderSpec(spec.name, params))
        for spec in specs
        for params in orders.expand(spec.name, spec.params, dataset)
    ]
    return list(dict.fromkeys(expanded))


def _check_data(name: str, experiment: Experiment, checked: Checked, datasets: Sequence[Dataset]) -> None:
    most = max(k for _, k in experiment.searches)
    for dataset in datasets:
        if len(dataset.queries) == 0:
            raise BenchError(f"{name}: dataset {dataset.name!r} has no queries")
        if most > dataset.n:
            raise BenchError(
                f"{name}: k = {most}, but the base of {dataset.name!r} has only {dataset.n} rows: ask for fewer"
            )
        for spec in checked.orders:
            orders.check(spec.name, spec.params, dataset)
    _check_any_runs(name, experiment, checked.indexes, datasets)


def _check_any_runs(name: str, experiment: Experiment, indexes: Sequence[Index], datasets: Sequence[Dataset]) -> None:
    """Raise BenchError if the engines refuse all data and searches: nothing would be built."""
    reasons = [
        (dataset.name, index.engine, refusal(index, data_of(dataset), ef_search))
        for dataset in datasets
        for index in indexes
        for ef_search, _ in experiment.searches
    ]
    if reasons and all(reason for _, _, reason in reasons):
        dataset, engine, reason = reasons[0]
        raise BenchError(f"{name}: {dataset!r}: engine {engine!r} {reason}; name another engine")
