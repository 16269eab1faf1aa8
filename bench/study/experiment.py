"""Experiment TOML -> frozen structs, every mistake told before anything is built."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench import indexes, orders
from bench.convert import converted
from bench.errors import BenchError, unknown

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


def order_specs(listed: Sequence[str | dict[str, Any]], told: str) -> list[OrderSpec]:
    """Orders by name or table, with all parameters."""
    specs = []
    for entry in listed:
        name, given = named(entry, f"{told}: orders")
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


def order_params_text(params: dict[str, Any]) -> str:
    """Parameters as JSON with sorted keys, the way a Trial keeps them."""
    return msgspec.json.encode(params, order="sorted").decode()


def named(entry: str | dict[str, Any], told: str) -> tuple[str, dict[str, Any]]:
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


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
