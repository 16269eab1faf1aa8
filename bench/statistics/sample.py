"""Recalls of builds, and which seeds they may be taken for independent by; the build is the unit of replication."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_HALF = 0.5 - 1e-9  # of recall, which is a count of tenths
_MANY, _TIMES, _ERRORS = 0.01, 3, 4  # a share of the queries; times, and errors of a count, above sister builds


class Sample(NamedTuple):
    """Recalls of one order in one setting, and the seeds each row came from.

    recalls: (builds, queries) recall of every query, 0 to 1.
    order_seeds, build_seeds: (builds,). Either every order seed is combined with every build seed, so that the two are
        crossed, or no two rows share a seed, so that they are independent (or all have one order seed, and what is
        estimated is that order's recall).
    k: neighbours that every query is answered with; 0 where values are no counts of them.
    groups: (queries,) which group a query belongs to, where those of a group are not independent; None where all are.
    """

    recalls: np.ndarray
    order_seeds: np.ndarray
    build_seeds: np.ndarray
    k: int = 0
    groups: np.ndarray | None = None

    @property
    def step(self) -> float:
        """Return the value of one hit in a query's recall; a tenth for values that are not counts."""
        return 1 / (self.k or 10)


def balanced_sample(
    recalls: Sequence[np.ndarray], seeds: Sequence[tuple[int, int]], k: int, groups: np.ndarray | None = None
) -> Sample:
    """Return the Sample of recalls (queries,) of builds, with the (order seed, build seed) of each.

    If a crossing is not complete (a run was cut short, or two experiments asked for other seeds), builds are left out
    until the others are crossed or independent: rows that share seeds must not count as independent.
    """
    rows = balanced(seeds)
    order_seeds, build_seeds = np.array([seeds[row] for row in rows]).T
    table = np.array([recalls[row] for row in rows], dtype=np.float64)
    return Sample(table, order_seeds, build_seeds, k, groups)


def balanced(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The rows of the largest part of (order seed, build seed) pairs that is crossed or independent, ascending."""
    builds_of = defaultdict(set)
    for order_seed, build_seed in pairs:
        builds_of[order_seed].add(build_seed)
    candidates = [{pair for pair in pairs if pair[0] == pair[1]}]  # as builds are seeded that are not crossed
    for builds in builds_of.values():
        orders = [order_seed for order_seed, of_order in builds_of.items() if builds <= of_order]
        candidates.append({(order_seed, build_seed) for order_seed in orders for build_seed in builds})
    if len({order for order, _ in pairs}) == len({build for _, build in pairs}) == len(pairs):
        candidates.append(set(pairs))
    largest = max(candidates, key=len)
    return [row for row, pair in enumerate(pairs) if pair in largest]


def independent(recalls: np.ndarray, k: int = 0, groups: np.ndarray | None = None) -> Sample:
    """A Sample of builds (builds, queries) that each drew an order and levels of its own; groups: (queries,)."""
    seeds = np.arange(1, len(recalls) + 1)
    return Sample(recalls, seeds, seeds, k, groups)


def lost_queries(recalls: np.ndarray) -> np.ndarray:
    """Of how many queries each build (builds,) loses half: its recall is 0.5 or more below that of its sister builds.

    recalls: (builds, queries) of one order; by the median of the others, so a recall of 0 counts if that is 0.5 or
    more. Builds that fall apart do this, and rows that nearly repeat. Nothing is lost by a single build.
    """
    builds = len(recalls)
    lost = np.zeros(builds, dtype=int)
    if builds < 2:
        return lost
    doubtful = np.ptp(recalls, axis=0) >= _HALF  # only of these can any be lost
    for build in range(builds):
        sisters = np.median(np.delete(recalls[:, doubtful], build, axis=0), axis=0)
        lost[build] = np.count_nonzero(sisters - recalls[build, doubtful] >= _HALF)
    return lost


def falls_apart(recalls: np.ndarray) -> bool:
    """Return whether one build loses many queries, and many more than its sister builds; recalls: (builds, queries).

    By luck every build loses some at a low `ef_search`. A hint and no verdict: rows that nearly repeat do this too.
    """
    if len(recalls) < 2:
        return False
    *sisters, most = np.sort(lost_queries(recalls))
    usual = float(np.median(sisters))
    luck = max(_TIMES * usual, usual + _ERRORS * (usual + 1) ** 0.5)
    return bool(most >= max(_MANY * recalls.shape[1], luck))


def units(sample: Sample) -> np.ndarray:
    """Return (builds, units): values of independent units; each row's mean is the build's mean recall.

    Without groups the recalls. With groups a unit is a group, linearised: the variance of a row's units, over their
    number, is the cluster-robust variance of its mean (Liang and Zeger 1986), whatever the groups' sizes; and units are
    linear in the recalls, so those of a difference are the difference of those of two samples of the same queries.
    """
    return by_group(sample.recalls, sample.groups)


def by_group(values: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """(..., groups) the units, as of `units`, of values (..., queries); the values themselves without groups.

    With G groups of Q queries the unit of a group is m + G / Q * sum(y - m) over its queries, with m the mean of all.
    """
    if groups is None:
        return values
    by_code = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[by_code], return_index=True)
    mean = values.mean(axis=-1, keepdims=True)
    sums = np.add.reduceat((values - mean)[..., by_code], starts, axis=-1)
    return np.asarray(mean + len(starts) / len(groups) * sums)


def effective_units(sample: Sample) -> float:
    """How many units of one size say as much of others as the sample's: (sum of sizes)^2 / sum of squares (Kish 1965).

    It sets the precision of a variance over units: a few large groups count as few, however many small ones there are.
    """
    if sample.groups is None:
        return float(sample.recalls.shape[1])
    return effective_number(np.unique(sample.groups, return_counts=True)[1])


def effective_number(sizes: np.ndarray) -> float:
    """As `effective_units`, of the sizes (groups,)."""
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def seeds_of(sample: Sample) -> list[tuple[int, int]]:
    """The (order seed, build seed) of every build."""
    return list(zip(sample.order_seeds.tolist(), sample.build_seeds.tolist(), strict=True))


def crossed(sample: Sample) -> np.ndarray | None:
    """The units (order seeds, build seeds, queries) where every combination of seeds occurs once; else None."""
    seeds = sample.order_seeds.tolist(), sample.build_seeds.tolist()
    if len(set(seeds[0])) * len(set(seeds[1])) != len(sample.recalls):  # as a rule, and quickly seen
        return None
    orders, row = np.unique(sample.order_seeds, return_inverse=True)
    builds, column = np.unique(sample.build_seeds, return_inverse=True)
    if min(len(orders), len(builds)) < 2:
        return None
    table = units(sample)
    cells = np.full((len(orders), len(builds), table.shape[1]), np.nan)
    cells[row, column] = table
    return None if np.isnan(cells).any() else cells
