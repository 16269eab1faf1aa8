"""Orders of whole categories: which outcomes belong to their permutations, and which are compared order by order."""

import json
from collections import defaultdict

from bench.analysis.setting import Outcomes
from bench.study.outcome import Outcome
from bench.study.trial import Order

CATEGORY = "category"
FEWEST = 6  # permutations of three labels: fewer are a comparison like any other


def separated(outcomes: Outcomes) -> tuple[list[tuple[str, Outcome]], list[tuple[str, Outcome]]]:
    """Return the outcomes of category permutations, of experiments with at least FEWEST of them, and all others."""
    listed = list(outcomes)
    orders: dict[str, set[Order]] = defaultdict(set)
    for name, order in {(name, outcome.trial.order): None for name, outcome in listed}:
        if permutation(order):
            orders[name].add(order)
    of_permutations: list[tuple[str, Outcome]] = []
    others: list[tuple[str, Outcome]] = []
    for name, outcome in listed:
        many = outcome.trial.order in orders[name] and len(orders[name]) >= FEWEST
        (of_permutations if many else others).append((name, outcome))
    return of_permutations, others


def permutation(order: Order) -> list[str]:
    """The labels in the sequence that an order of whole categories names; nothing of any other order."""
    if order.order != CATEGORY:
        return []
    return [str(label) for label in json.loads(order.order_params).get("permutation") or []]
