"""The effect of the order of whole categories on recall, compared with chance.

The best of 120 permutations has a much higher recall than the worst even if the permutation does not matter: builds
differ by their seed, and permutations differ on the queries that happen to be drawn. So results give three ranges: the
observed one, the one that chance alone produces, and the true one without chance. All three, and the F test, are for
queries like these: the draw of queries counts as chance.
"""

import math
from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import msgspec
import numpy as np

from bench.analysis.category_orders import permutation
from bench.analysis.findings import Findings
from bench.analysis.setting import Outcomes, Setting, by_setting, samples
from bench.statistics import intervals
from bench.statistics.intervals import Interval
from bench.statistics.sample import Sample, seeds_of, units
from bench.statistics.spread import mean_range, spread, times
from bench.study.trial import Order

_MOST_COUNTED = 18  # labels, whose permutations are fewer than 2^53


class Permuted(msgspec.Struct, frozen=True, kw_only=True):
    """All permutations of one setting, over the seeds that every one of them was built with.

    setting: what tables show of it, by name.
    permutations: built, of those that so many `labels` have. A seed draws levels and the sequence of rows within
        categories.
    possible: how many permutations there are; None beyond what a double holds exactly, of more than 18 labels.
    lowest, median, highest: recall of permutations, each a mean over seeds.
    worst, best: the permutations that give the extremes, as lists of labels.
    range: highest minus lowest.
    range_by_luck: what to expect of it were all permutations alike.
    sd: the standard deviation of permutations without luck.
    true_range: the mean range of this number of permutations, if recalls are normal with standard deviation `sd`.
    f: variance of the permutations' means over that of luck; df: its degrees of freedom.
    p: that permutations differ no more than by luck, adjusted for the settings of the experiment (Holm).

    The fields after `range` are NaN with one seed or one query.
    """

    experiment: str
    setting: dict[str, Any]
    permutations: int
    labels: int
    possible: int | None
    seeds: int
    lowest: float
    median: float
    highest: float
    worst: list[str]
    best: list[str]
    range: float
    range_by_luck: float
    sd: Interval
    true_range: Interval
    f: float
    df: tuple[float, float]
    p: float


def of_findings(findings: Findings) -> list[Permuted]:
    """Return the permutations of one experiment, or several."""
    return permuted(findings.of_permutations, findings.ties)


def permuted(outcomes: Outcomes, ties: bool = False) -> list[Permuted]:
    """A Permuted of every setting; outcomes: of category permutations."""
    rows = [_permuted(setting, samples(by_order, ties)) for setting, by_order in by_setting(outcomes).items()]
    by_experiment = [list(group) for _, group in groupby(rows, key=lambda row: row.experiment)]
    return [
        msgspec.structs.replace(row, p=p)
        for group in by_experiment
        for row, p in zip(group, intervals.holm([row.p for row in group]), strict=True)
    ]


def _permuted(setting: Setting, by_order: Mapping[Order, Sample]) -> Permuted:
    orders, recalls = crossed(by_order)
    sequences = [permutation(order) for order in orders]
    means = recalls.mean(axis=2).mean(axis=1)
    apart = spread(recalls, sequences)
    of_normal = mean_range(len(orders))
    return Permuted(
        experiment=setting.experiment,
        setting=setting.fields,
        permutations=len(orders),
        labels=(labels := len(sequences[0])),
        possible=math.factorial(labels) if labels <= _MOST_COUNTED else None,
        seeds=recalls.shape[1],
        lowest=float(means.min()),
        median=float(np.median(means)),
        highest=float(means.max()),
        worst=sequences[int(means.argmin())],
        best=sequences[int(means.argmax())],
        range=float(np.ptp(means)),
        range_by_luck=apart.luck if math.isnan(apart.luck) else min(of_normal * apart.luck, 1.0),
        sd=apart.sd,
        true_range=times(apart.sd, of_normal, 1.0),
        f=apart.f,
        df=apart.df,
        p=apart.p,
    )


def crossed(by_order: Mapping[Order, Sample]) -> tuple[list[Order], np.ndarray]:
    """Orders and recalls (orders, seeds, queries) of permutations that were all built with the same seeds.

    Where queries have groups, in place of queries' recalls those of groups, see `sample.units`.

    Where a run was cut short: of those that have the seed that most have, and of the seeds that all these have.
    """
    rows = {order: {seed: row for row, seed in enumerate(seeds_of(sample))} for order, sample in by_order.items()}
    [(most, _)] = Counter(seed for of_order in rows.values() for seed in of_order).most_common(1)
    orders = [order for order, of_order in rows.items() if most in of_order]
    seeds = sorted(set.intersection(*(set(rows[order]) for order in orders)))
    return orders, np.stack([units(by_order[order])[[rows[order][seed] for seed in seeds]] for order in orders])
