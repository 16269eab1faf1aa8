"""The names of orders in tables, and of an experiment's reference."""

import json
from collections import defaultdict
from collections.abc import Collection
from functools import cache

import msgspec

from bench import digests
from bench.labels import listed
from bench.orders import ORDERS, parameters
from bench.study.trial import Order


def labels_of(*tables: Collection[Order]) -> dict[Order, str]:
    """Return the names of orders in tables; digits of a digest distinguish orders of one label that share a table."""
    by_label: dict[tuple[int, str], set[Order]] = defaultdict(set)
    for number, orders in enumerate(tables):
        for order in orders:
            by_label[number, label(order)].add(order)
    alike = {order for same in by_label.values() if len(same) > 1 for order in same}
    return {
        order: f"{name} #{digests.key_digest(msgspec.to_builtins(order))[:6]}" if order in alike else name
        for (_, name), same in by_label.items()
        for order in same
    }


@cache
def label(order: Order) -> str:
    """An order as a table calls it: its name, and the parameters that are not at their defaults."""
    defaults = parameters(order.order, {}) if order.order in ORDERS else {}
    params = json.loads(order.order_params)
    if order.order in ORDERS and (named_by := ORDERS[order.order].named_by):
        return str(params[named_by])
    changed = {key: value for key, value in params.items() if key not in defaults or value != defaults[key]}
    return order.order + "".join(f" {key}={_short(value)}" for key, value in changed.items())


def _short(value: object) -> str:
    return listed(value, "+") if isinstance(value, list) else str(value)
