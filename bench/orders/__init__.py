"""Orders of insertion: dataset + geometry + rng -> order (n,) int64, `order[i]` the base row inserted i-th.

Each is a permutation, the same for the same rng, with ties broken by the rng and never by file order.
Parameters are keyword arguments, with the same names in an experiment's TOML and on the command line.
"""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.convert import converted
from bench.data.dataset import Dataset
from bench.data.formats.ids import FORMATS
from bench.errors import BenchError, Log, unknown
from bench.geometry import Geometry
from bench.labels import cut, split, unquoted
from bench.orders import geometric, groups, own, positional
from bench.orders.order import Expansion, Order, check_clusters, make_order

FILE = "file"  # the order that a file gives

ORDERS: dict[str, Order] = {
    "given": Order(make=positional.given),
    "reverse": Order(make=positional.reverse),
    "random": Order(make=positional.random),
    "lid-ascending": Order(make=geometric.lid_ascending, check=geometric.check_lid, estimates_dimension=True),
    "lid-descending": Order(make=geometric.lid_descending, check=geometric.check_lid, estimates_dimension=True),
    "category": Order(
        make=groups.category,
        check=groups.check_category,
        needs_labels=True,
        expansion=Expansion(groups.permutations, groups.check_permutations),
    ),
    "cluster": Order(make=groups.cluster, check=check_clusters),
    "round-robin": Order(make=groups.round_robin, check=check_clusters),
    "block-shuffle": Order(make=positional.block_shuffle, check=positional.check_block),
    "partial-shuffle": Order(make=positional.partial_shuffle, check=positional.check_fraction),
    "centroid-ascending": Order(make=geometric.centroid_ascending),
    "centroid-descending": Order(make=geometric.centroid_descending),
    "residual-ascending": Order(make=geometric.residual_ascending, check=check_clusters),
    "residual-descending": Order(make=geometric.residual_descending, check=check_clusters),
    "radius-ascending": Order(make=geometric.radius_ascending, check=geometric.check_neighbors),
    "radius-descending": Order(make=geometric.radius_descending, check=geometric.check_neighbors),
    "norm-ascending": Order(make=geometric.norm_ascending),
    "norm-descending": Order(make=geometric.norm_descending),
    "hub-first": Order(make=geometric.hub_first, check=geometric.check_neighbors),
    "hub-last": Order(make=geometric.hub_last, check=geometric.check_neighbors),
    "farthest-first": Order(make=geometric.farthest_first),
    FILE: Order(
        make=own.from_file,
        check=own.check_named,
        expansion=Expansion(own.restricted, own.check_file),
        named_by="file_name",
    ),
}


def is_file(text: str) -> bool:
    """Whether text that stands for an order is a path, rather than a name with parameters."""
    return Path(text).suffix.lower() in FORMATS or "/" in text


def table(text: str, where: str) -> dict[str, Any]:
    """An order as an experiment's table has it, from a file, or `name:key=value:...` with `+` between labels.

    A label that has one of `,:+` in it is put in double quotes. where: the option or argument that an error names.
    """
    name, *pairs = split(text, ":")
    if name not in ORDERS and is_file(text):
        return {"file": text}
    given: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BenchError(f"{where}: {cut(pair)!r} in {cut(text)!r} is not key=value")
        if key in given:
            raise BenchError(f"{where}: {key} is given twice in {cut(text)!r}")
        given[key] = [unquoted(label) for label in split(value, "+")] if key == "permutation" else value
    if name == "category" and "permutations" in given:  # which stands for orders, and is no parameter of one
        number = converted(given["permutations"], int, f"{where}: permutations", strict=False)
        return {"name": name, **given, "permutations": number}
    return {"name": name, **parameters(name, given, strict=False)}


def single(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """The name and all parameters of the one order that text stands for, as `table` has it."""
    given = table(text, where)
    name = given.pop("name", FILE)
    if given.keys() - parameters(name, {}).keys():
        raise BenchError(f"{where}: {text} stands for several orders, or a file: name a single one")
    return name, parameters(name, given)


def of_all_rows(name: str, params: Mapping[str, Any], dataset: Dataset, order_seed: int, log: Log) -> np.ndarray:
    """(m,) int64, an order by the numbers of the rows that its dataset was made of; those it lacks come last."""
    check(name, params, dataset)
    return own.of_source(dataset, make(name, params, dataset, Geometry(dataset, log), order_seed))


def make(name: str, params: Mapping[str, Any], dataset: Dataset, geometry: Geometry, order_seed: int) -> np.ndarray:
    """The order (n,) int64 that `name` and its parameters give for this seed."""
    return make_order(ORDERS[name], name, params, dataset, geometry, order_seed)


def parameters(name: str, given: Mapping[str, object], *, strict: bool = True) -> dict[str, Any]:
    """All parameters of an order, those not given at their defaults. Raises BenchError if one is unknown.

    Parameters of its expansion are taken where they are given. strict: whether text is refused where a number is meant.
    """
    if name not in ORDERS:
        raise unknown("order", name, ORDERS)
    order = ORDERS[name]
    making, expanding = _takes(order.make), _takes(order.expansion.make) if order.expansion else {}
    for key, value in given.items():
        if key not in making | expanding:
            raise BenchError(f"order {name!r}: {unknown('parameter', key, making | expanding)}")
        if _is_list_for_one(value, (making | expanding)[key]):
            raise BenchError(
                f"order {name!r}: {key} = {cut(str(value))}: an order takes one value: name the order once for each "
                "(lists are factors in [[index]] and in tables of datasets alone)"
            )
    return {
        key: converted(given[key], parameter.annotation, f"order {name!r}: {key}", strict=strict)
        if key in given
        else parameter.default
        for key, parameter in (making | {key: expanding[key] for key in expanding if key in given}).items()
    }


def _is_list_for_one(value: object, parameter: inspect.Parameter) -> bool:
    """Whether a value is a list, or text that begins as one, for a parameter that is none."""
    begins = isinstance(value, list) or (isinstance(value, str) and value.startswith("["))
    return begins and "list" not in str(parameter.annotation)


def check_expansion(name: str, params: Mapping[str, Any]) -> None:
    """Raise BenchError if parameters that stand for several orders are not possible."""
    order, (making, expanding) = ORDERS[name], _split(name, params)
    if order.expansion and expanding:
        try:
            order.expansion.check(making, **expanding)
        except ValueError as error:
            raise BenchError(f"order {name!r}: {error}") from None


def expand(name: str, params: Mapping[str, Any], dataset: Dataset) -> list[dict[str, Any]]:
    """The parameters of every order that these stand for on a dataset: mostly one."""
    order, (making, expanding) = ORDERS[name], _split(name, params)
    if not order.expansion or not expanding:
        return [making]
    return [making | one for one in order.expansion.make(dataset, **expanding)]


def check(name: str, params: Mapping[str, Any], dataset: Dataset) -> None:
    """Raise BenchError if the order cannot be made of this dataset; costs nothing."""
    try:
        ORDERS[name].check(dataset, params)
    except ValueError as error:
        raise BenchError(f"order {name!r} on dataset {dataset.name!r}: {error}") from None


def _split(name: str, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An order's own parameters, and those of its expansion."""
    making = _takes(ORDERS[name].make)
    return {k: v for k, v in params.items() if k in making}, {k: v for k, v in params.items() if k not in making}


def _takes(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword arguments of a function."""
    parameters = inspect.signature(function).parameters.items()
    return {key: parameter for key, parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
