"""Experiment TOML -> frozen structs, every mistake told before anything is built."""

import tomllib
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import cache, indexes, orders
from bench.data import catalog
from bench.data.dataset import Dataset, limit
from bench.errors import BenchError, BenchWarning, converted, unknown
from bench.measure import retrieval
from bench.study.environment import binary

# What decides data, truth and orders, beside the engine: another version is another trial.
LIBRARIES = ("hnsw-order-bench", "numpy", "faiss-cpu", "scikit-dimension")
# So is other code of ours, between versions.
CODE = ("orders.py", "geometry", "indexes", "measure", "study/run.py")
EXPERIMENTS = Path(__file__).parent / "experiments"


# k: hits a query are kept in 16 bits; ef_search: engines take a 32-bit number
MOST = {"k": 2**16 - 1, "ef_search": 2**31 - 1, "build_seeds": 2**20, "order_seeds": 2**20, "permutations": 10_000}


class Index(indexes.Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One [[index]] table: an engine and its parameters."""

    engine: str


class OrderSpec(msgspec.Struct, frozen=True):
    """An order by name, with all its parameters.

    permutations: of `category` alone; stands for an order a permutation of the labels, at most so many.
    """

    name: str
    params: dict[str, Any]
    permutations: int | None = None


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to build, as a TOML file states it; `read` checks it.

    datasets: names, paths of TOML files, or tables of a name and generator parameters, where a list
    makes a sweep. orders: names, or tables of a name and parameters; `permutations` of `category` stands for
    an order a permutation of the labels: all if there are at most so many, else so many drawn.
    build_seeds: builds of each order, seeds 1, 2, ... order_seeds: how many seeds of each order are crossed
    with them; without it every build draws its order anew, with the build's own seed. Pairs of ef_search and k
    with ef_search < k are left out, since engines would raise ef_search to k.
    """

    datasets: list[str | dict[str, Any]]
    orders: list[str | dict[str, Any]]
    index: list[Index]
    title: str = ""
    k: int | list[int] = 10
    ef_search: int | list[int] = msgspec.field(default_factory=lambda: [10, 40])
    build_seeds: int = 5
    order_seeds: int | None = None

    @property
    def searches(self) -> list[tuple[int, int]]:
        """(ef_search, k) of every search of a build."""
        return [(ef, k) for k in _listed(self.k) for ef in _listed(self.ef_search) if ef >= k]

    @property
    def seeds(self) -> list[tuple[int, int]]:
        """(build_seed, order_seed) of every build of an order, from 1: hnswlib takes 0 for 1."""
        builds = range(1, self.build_seeds + 1)
        if self.order_seeds is None:
            return [(seed, seed) for seed in builds]
        return [(build, order) for order in range(1, self.order_seeds + 1) for build in builds]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an outcome depends on. Its hash is the key in the store."""

    dataset: str
    fingerprint: str
    judgements: str = ""  # digest of the relevance judgements, where the dataset has them
    metric: str
    n: int
    d: int
    queries: int
    libraries: str  # what truth, neighbours and orders come from, with versions, and a digest of our own code
    engine: str
    engine_version: str
    engine_binary: str = ""  # digest of its compiled files
    M: int
    ef_construction: int
    chunk: int
    threads: int
    order: str
    order_params: str  # JSON, keys sorted
    order_seed: int
    build_seed: int
    ef_search: int
    k: int

    @property
    def key(self) -> str:
        """SHA-256 over all fields, hexadecimal."""
        fields = msgspec.structs.asdict(self)
        for name in ("judgements", "engine_binary"):  # so that trials without any keep the key that they always had
            if not fields[name]:
                del fields[name]
        return cache.key_digest(fields)

    @property
    def build(self) -> tuple[Any, ...]:
        """What the index depends on: all but ef_search and k. One build serves every trial that has the same."""
        return msgspec.structs.astuple(self)[:-2]


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
        code = cache.code_digest(*(Path(__file__).parent.parent / place for place in CODE))
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


def experiments() -> list[str]:
    """The names of the experiments that ship with the package."""
    return sorted(path.stem for path in EXPERIMENTS.glob("*.toml"))


def read_experiment(name: str) -> tuple[Path, Experiment]:
    """The path and content of a shipped experiment, or of the TOML file at a path; no data is touched."""
    path = Path(name) if name.endswith(".toml") else EXPERIMENTS / f"{name}.toml"
    if not path.is_file():
        if name.endswith(".toml"):
            raise BenchError(f"experiment {name} is not there: give the path of a TOML file, or a name")
        raise unknown("experiment", name, experiments())
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is not valid TOML: {error}") from None
    return path, converted(stated, Experiment, str(path))


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
        named, parameters = _named(entry, f"{path}: datasets")
        datasets += catalog.load_all(named, parameters, beside=path.parent)
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


def order_specs(listed: Sequence[str | dict[str, Any]], told: str) -> list[OrderSpec]:
    """Orders by name or table, with all parameters."""
    specs = []
    for entry in listed:
        name, given = _named(entry, f"{told}: orders")
        permutations = given.pop("permutations", None) if name == "category" else None
        if permutations is not None:
            _check_permutations(permutations, given, told)
        specs.append(OrderSpec(name, orders.parameters(name, given), permutations))
    if len({(spec.name, order_params_text(spec.params), spec.permutations) for spec in specs}) < len(specs):
        raise BenchError(f"{told}: an order is listed twice with the same parameters")
    return specs


def _check_permutations(permutations: object, given: dict[str, Any], told: str) -> None:
    where = f"{told}: order 'category': permutations = {permutations}"
    if type(permutations) is not int or not 2 <= permutations <= MOST["permutations"]:
        raise BenchError(f"{where}: give a number from 2 to {MOST['permutations']:,}")
    if "permutation" in given:
        raise BenchError(f"{where}: a permutation is named besides; leave one of the two out")


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


def order_params_text(params: dict[str, Any]) -> str:
    """Parameters as JSON with sorted keys, the way a Trial keeps them."""
    return msgspec.json.encode(params, order="sorted").decode()


def _named(entry: str | dict[str, Any], told: str) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    name = entry.get("name")
    if not isinstance(name, str):
        raise BenchError(f'{told}: a table needs a name, as in {{ name = "..." }}')
    return name, {key: value for key, value in entry.items() if key != "name"}


def check(experiment: Experiment, told: str) -> list[OrderSpec]:
    """The experiment's orders, or a BenchError for what is wrong whatever the data; costs nothing."""
    for what in ("datasets", "orders", "index", "k", "ef_search"):
        if getattr(experiment, what) == []:
            raise BenchError(f"{told}: {what} is empty: name at least one")
    for what in ("k", "ef_search", "build_seeds", "order_seeds"):
        for number in _listed(getattr(experiment, what)):
            if number is not None and not 0 < number <= MOST[what]:
                wanted = "a positive number" if number < 1 else f"at most {MOST[what]:,}"
                raise BenchError(f"{told}: {what} = {number}: give {wanted}")
    for what in ("k", "ef_search"):
        values = _listed(getattr(experiment, what))
        if len(set(values)) < len(values):
            raise BenchError(f"{told}: {what} names a number twice")
    for place, what in enumerate(("ef_search", "k")):
        for number in _listed(getattr(experiment, what)):
            if number not in [search[place] for search in experiment.searches]:
                raise BenchError(
                    f"{told}: {what} = {number} pairs with no ef_search >= k: "
                    "engines raise ef_search to k, so ask for at least k"
                )
    for index in experiment.index:
        if index.engine not in indexes.INDEXES:
            raise BenchError(f"{told}: {unknown('engine', index.engine, indexes.INDEXES)}")
        indexes.check(index.engine, index, f"{told}: {index.engine}")
    if len(set(experiment.index)) < len(experiment.index):
        raise BenchError(f"{told}: an index is listed twice with the same parameters")
    return order_specs(experiment.orders, told)


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


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
