"""Experiment TOML -> frozen structs, every mistake named before anything is built."""

import itertools
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench import orders
from bench.convert import read_toml
from bench.errors import BenchError, BenchWarning, no_file, unknown
from bench.indexes import INDEXES, find, own
from bench.indexes.engine import how_to_install, installed_version, own_params, params_of, version
from bench.labels import cut
from bench.study.provenance import order_code
from bench.study.trial import ALL_ROWS, Index, Order

T = TypeVar("T")

REFERENCE = "random"  # unless an experiment states another
LADDER_REACH, LADDER_RUNGS = 64, 16  # times k, and how many ef_search: each is a third above the one before

_NO_PARAMETERS = ("engine", "orders")  # keys of [[index]] that are not parameters of the engine

EXPERIMENTS = Path(__file__).parent / "experiments"


# k: hits a query are stored in 16 bits; ef_search: engines take a 32-bit number
MOST = {"k": 2**16 - 1, "ef_search": 2**31 - 1, "build_seeds": 2**20, "order_seeds": 2**20}


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The builds that a TOML file asks for; `check` checks it.

    datasets: names, paths of TOML files, or tables of a name and generator parameters, where a list makes a sweep.
    orders: names, or tables of a name and parameters; `permutations` = N of `category` gives one order per
        permutation of the labels: all if there are at most N, otherwise N, drawn.
    index: tables of an engine and its parameters, each of which may be a list, for every combination; and of the
        `orders` that it is built in, as tables show them, where these are not all.
    k, ef_search: neighbours asked for, and candidates while searching. Pairs with ef_search < k are left out: some
        engines raise it to k, others search less.
    build_seeds: builds of each order, seeds 1, 2, ...
    order_seeds: how many seeds of each order are crossed with them; without it every build draws an order of its own,
        with the build's seed.
    reference: the order that others are compared with, as tables show it: it is searched on the `ladder` too. Without
        it among the orders, or by an empty text, none is.
    equal_ef: whether the reference is searched on the `ladder`, which shows the `ef_search` that an order equals.
    installed_only: whether shipped engines that are not installed are left out with a warning, and are no error.
    """

    datasets: list[str | dict[str, Any]]
    orders: list[str | dict[str, Any]]
    index: list[dict[str, Any]]
    title: str = ""
    k: int | list[int] = 10
    ef_search: int | list[int] = msgspec.field(default_factory=lambda: [10, 40])
    build_seeds: int = 5
    order_seeds: int | None = None
    reference: str = REFERENCE
    equal_ef: bool = True
    installed_only: bool = False

    @property
    def searches(self) -> list[tuple[int, int]]:
        """(ef_search, k) of every search of a build."""
        return [(ef, k) for k in _listed(self.k) for ef in _listed(self.ef_search) if ef >= k]

    def ladder(self, n: int) -> list[tuple[int, int]]:
        """(ef_search, k) of the searches of n rows that show what the reference is worth in ef_search, but its own.

        None where `equal_ef` is not asked for. For each k from k to LADDER_REACH k, in equal ratios, and at most n,
        which is all that a search can look at.
        """
        rungs = [
            (min(round(k * LADDER_REACH ** (rung / (LADDER_RUNGS - 1))), n), k)
            for k in _listed(self.k)
            for rung in range(LADDER_RUNGS if self.equal_ef else 0)
        ]
        return [search for search in dict.fromkeys(rungs) if search not in self.searches]

    @property
    def seeds(self) -> list[tuple[int, int]]:
        """(build_seed, order_seed) of every build of an order, from 1: hnswlib takes 0 for 1."""
        builds = range(1, self.build_seeds + 1)
        if self.order_seeds is None:
            return [(seed, seed) for seed in builds]
        return [(build, order) for order in range(1, self.order_seeds + 1) for build in builds]


class OrderSpec(msgspec.Struct, frozen=True):
    """An order by name, with all its parameters, and those that make it stand for several."""

    name: str
    params: dict[str, Any]


class Checked(msgspec.Struct, frozen=True):
    """The content of an experiment, typed.

    orders: of all indexes.
    indexes: whose engines are in INDEXES, and installed.
    orders_of: of an index that is not built in all orders, those that it is built in, as tables show them; also of
        indexes that are left out, so that a mistake in them is found anywhere.
    left_out: engines that are not installed, if that is no mistake.
    """

    orders: list[OrderSpec]
    indexes: list[Index]
    orders_of: dict[Index, list[str]]
    left_out: list[str]


def experiments() -> list[str]:
    """The names of the experiments that ship with the package."""
    return sorted(path.stem for path in EXPERIMENTS.glob("*.toml"))


def read_experiment(name: str) -> tuple[Path, Experiment]:
    """The path and content of a shipped experiment, or of the TOML file at a path; no data is touched."""
    path = Path(name) if name.endswith(".toml") else EXPERIMENTS / f"{name}.toml"
    if not os.path.isfile(path):
        if name.endswith(".toml"):
            raise no_file(path, "give the path of an experiment's TOML file, or a name; see `bench list experiments`")
        raise unknown("experiment", name, experiments())
    return path, _beside(read_toml(path, Experiment), path.parent)


def _beside(experiment: Experiment, folder: Path) -> Experiment:
    """The experiment with the files of its engines and orders named from `folder`."""

    def located(named: Any, suffix: str = "") -> Any:
        if isinstance(named, list):
            return [located(one, suffix) for one in named]
        return str(folder / named) if isinstance(named, str) and named.endswith(suffix) else named

    def beside(entry: Any, key: str, suffix: str = "") -> Any:
        return {**entry, key: located(entry[key], suffix)} if isinstance(entry, dict) and key in entry else entry

    return msgspec.structs.replace(
        experiment,
        index=[beside(table, "engine", own.SUFFIX) for table in experiment.index],
        orders=[beside(entry, "file") for entry in experiment.orders],
    )


def check(experiment: Experiment, where: str) -> Checked:
    """Return the experiment's orders and indexes. Raises BenchError for faults that need no data; costs nothing."""
    for what in ("datasets", "orders", "index", "k", "ef_search"):
        if getattr(experiment, what) == []:
            raise BenchError(f"{where}: {what} is empty: name at least one")
    _check_numbers(experiment, where)
    tables = [
        (one, f"{where}: index[{place}]")
        for place, table in enumerate(experiment.index)
        for one in _combinations(table, f"{where}: index[{place}]")
    ]
    left_out = _not_installed([table for table, _ in tables]) if experiment.installed_only else []
    indexes = [_index(table, place, left_out) for table, place in tables]
    orders_of = {
        index: _chosen_orders(table["orders"], place)
        for index, (table, place) in zip(indexes, tables, strict=True)
        if "orders" in table
    }
    files = {str(table["engine"]) for table, _ in tables if str(table["engine"]).endswith(own.SUFFIX)}
    if len({Path(file).stem for file in files}) < len({Path(file).absolute() for file in files}):
        raise BenchError(f"{where}: two engines have the same file name: give one of the files another")
    own.check_apart(INDEXES[index.engine] for index in indexes)
    _warn_of_equal_builds(experiment, indexes, where)
    if twice := repeated(indexes):
        params = ", ".join(f"{name} = {value}" for name, value in _stated(twice).items())
        raise BenchError(f"{where}: index {twice.engine} is listed twice with {params}: leave one out")
    installed = [index for index in indexes if index.engine not in left_out]
    if not installed:
        raise BenchError(
            f"{where}: none of its engines is installed: {how_to_install(*(INDEXES[name] for name in left_out))}"
        )
    return Checked(order_specs(experiment.orders, where), installed, orders_of, left_out)


def repeated(listed: Sequence[T]) -> T | None:
    """Return the first of those listed that is listed again, or None."""
    return next((one for place, one in enumerate(listed) if one in listed[:place]), None)


def _stated(index: Index) -> dict[str, Any]:
    """The parameters of an index by name."""
    own: dict[str, Any] = msgspec.json.decode(index.engine_params)
    chunk = "all" if index.chunk == ALL_ROWS else index.chunk
    return {"M": index.M, "ef_construction": index.ef_construction, "chunk": chunk, "threads": index.threads} | own


def _warn_of_equal_builds(experiment: Experiment, indexes: Sequence[Index], where: str) -> None:
    """A BenchWarning where builds of an order that is not drawn are one build, counted more than once."""
    for index in indexes:
        if msgspec.json.decode(index.engine_params).get("jitter") == 1 and experiment.build_seeds > 1:
            warnings.warn(
                f"{where}: {index.engine} takes no seed, and with jitter = 1 its builds of one order are one build "
                f"{experiment.build_seeds} times: only orders that are drawn at random vary",
                BenchWarning,
                stacklevel=3,
            )


def _not_installed(tables: Sequence[dict[str, Any]]) -> list[str]:
    """Return the shipped engines that the tables name and that are not installed."""
    named = dict.fromkeys(str(table.get("engine")) for table in tables)
    return [name for name in named if name in INDEXES and installed_version(INDEXES[name]) is None]


def _combinations(table: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """The tables that one with lists of values stands for; `orders` is a list in each."""
    factors = {key: value for key, value in table.items() if isinstance(value, list) and key != "orders"}
    for key, values in factors.items():
        if not values:
            raise BenchError(f"{where}: {key} is an empty list: name at least one value")
    for combination in itertools.product(*factors.values()):
        yield {**table, **dict(zip(factors, combination, strict=True))}


def _chosen_orders(listed: Any, where: str) -> list[str]:
    if not isinstance(listed, list) or not listed or not all(isinstance(order, str) for order in listed):
        raise BenchError(f'{where}: orders: give some of those of the experiment, as in orders = ["given", "random"]')
    return listed


def _check_numbers(experiment: Experiment, where: str) -> None:
    for what, most in MOST.items():
        for number in _listed(getattr(experiment, what)):
            if number is not None and not 0 < number <= most:
                wanted = "a positive number" if number < 1 else f"at most {most:,}"
                raise BenchError(f"{where}: {what} = {number}: give {wanted}")
    for place, what in enumerate(("ef_search", "k")):
        values = _listed(getattr(experiment, what))
        if len(set(values)) < len(values):
            raise BenchError(f"{where}: {what} names a number twice")
        for number in values:
            if number not in [search[place] for search in experiment.searches]:
                lacks = "below every k" if what == "ef_search" else "above every ef_search"
                least = min(_listed(experiment.k)) if what == "ef_search" else number
                raise BenchError(
                    f"{where}: {what} = {number} is {lacks}: hnswlib raises ef_search to k, FAISS does not; give "
                    f"an ef_search of at least {least}"
                )


def _index(table: dict[str, Any], where: str, left_out: Sequence[str]) -> Index:
    """One [[index]] table: an engine of those known, with the parameters that this one has.

    left_out: engines that need not be installed.
    """
    name = table.get("engine")
    if not isinstance(name, str):
        raise BenchError(f'{where}: a table needs an engine, as in engine = "hnswlib"')
    try:
        name = find(name)
    except BenchError as error:
        raise BenchError(f"{where}: {error}") from None
    engine = INDEXES[name]
    if name not in left_out:
        version(name, engine)  # whether it is installed
    params = params_of(
        engine, {key: value for key, value in table.items() if key not in _NO_PARAMETERS}, f"{where}: {name}"
    )
    chunk = getattr(params, "chunk", 1)
    return Index(
        engine=name,
        M=params.M,
        ef_construction=params.ef_construction,
        chunk=ALL_ROWS if chunk == "all" else chunk,
        threads=params.threads,
        engine_params=sorted_json(own_params(engine, params)),
    )


def order_specs(listed: Sequence[str | dict[str, Any]], where: str) -> list[OrderSpec]:
    """Orders by name or table, with all parameters; a table with a `file`, or with `rows`, needs no name."""
    specs = []
    for entry in listed:
        named = {"name": orders.FILE, **entry} if isinstance(entry, dict) and entry.keys() & {"file", "rows"} else entry
        name, given = split_table(named, f"{where}: orders")
        params = orders.parameters(name, given)
        orders.check_expansion(name, params)
        specs.append(OrderSpec(name, params))
    if twice := repeated(specs):
        shown = cut(json.dumps(twice.params))
        raise BenchError(f"{where}: order {twice.name} is listed twice with the parameters {shown}: leave one out")
    return specs


def order_of(spec: OrderSpec) -> Order:
    """The order as a Trial has it."""
    return Order(order=spec.name, order_params=sorted_json(spec.params), order_code=order_code(spec.name))


def split_table(entry: str | dict[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """The name in an entry that is a name or a table, and the rest of the table."""
    if isinstance(entry, str):
        return entry, {}
    name = entry.get("name")
    if not isinstance(name, str):
        raise BenchError(f'{where}: a table needs a name, as in {{ name = "..." }}')
    return name, {key: value for key, value in entry.items() if key != "name"}


def sorted_json(params: dict[str, Any]) -> str:
    """Parameters as JSON with sorted keys, the way a Trial has them."""
    return msgspec.json.encode(params, order="sorted").decode()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
