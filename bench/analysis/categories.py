"""What the order of whole categories does to recall, beside what chance alone would seem to do.

The best of 120 permutations lies well above the worst even where the permutation does not matter, since
builds differ by their seed. So the range is given beside the range that as many draws of that noise have;
and two permutations are picked as best and worst by half of the seeds on half of the queries, and compared by the
others on the others, which had no part in the choice: that difference is not biased by the luck of either.
"""

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np

from bench.analysis import stats
from bench.analysis.sample import Sample, seeds_of, units
from bench.analysis.setting import Outcomes, Setting, by_setting, samples
from bench.analysis.stats import CONFIDENCE, Estimate
from bench.analysis.variance import interaction
from bench.study.outcome import Outcome
from bench.study.trial import Order

CATEGORY = "category"
FEWEST = 6  # permutations of three labels: fewer are a comparison like any other
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
    noise_range: what to expect of it were all permutations alike.
    noise_range_95: what it would exceed once in 20 times.
    one_build_range: the range from one build a permutation, mean over seeds; one_build_noise: what to expect of that.
    found_again: recall of the best minus that of the worst permutation, picked and measured on different seeds and
        queries; None from one seed.
    sd_permutations, sd_seeds: of recall, between permutations without the noise of builds and queries, and of builds of
        one permutation; NaN from one seed.
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
    noise_range: float
    noise_range_95: float
    one_build_range: float
    one_build_noise: float
    found_again: Estimate | None
    sd_permutations: float
    sd_seeds: float


def separated(outcomes: Outcomes) -> tuple[list[tuple[str, Outcome]], list[tuple[str, Outcome]]]:
    """Outcomes of category permutations in experiments that have FEWEST at least, and all others."""
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


def permuted(outcomes: Outcomes, ties: bool = False) -> list[Permuted]:
    """A Permuted of every setting; outcomes: of category permutations."""
    return [_permuted(setting, samples(by_order, ties)) for setting, by_order in by_setting(outcomes).items()]


def _permuted(setting: Setting, by_order: Mapping[Order, Sample]) -> Permuted:
    orders, recalls = crossed(by_order)
    builds = recalls.mean(axis=2)
    means = builds.mean(axis=1)
    seeds = builds.shape[1]
    between, noise = variances(recalls)
    expected, exceeded = noise_range(len(orders), (len(orders) - 1) * (seeds - 1))
    sd_mean = (noise / seeds) ** 0.5
    return Permuted(
        experiment=setting.experiment,
        setting=setting.fields,
        permutations=len(orders),
        labels=(labels := len(permutation(orders[0]))),
        possible=math.factorial(labels) if labels <= _MOST_COUNTED else None,
        seeds=seeds,
        lowest=float(means.min()),
        median=float(np.median(means)),
        highest=float(means.max()),
        worst=permutation(orders[int(means.argmin())]),
        best=permutation(orders[int(means.argmax())]),
        range=float(np.ptp(means)),
        noise_range=_possible_range(expected * sd_mean),
        noise_range_95=_possible_range(exceeded * sd_mean),
        one_build_range=float(np.ptp(builds, axis=0).mean()),
        one_build_noise=_possible_range(expected * noise**0.5),
        found_again=found_again(recalls) if min(recalls.shape[1:]) > 1 else None,
        sd_permutations=between**0.5,
        sd_seeds=noise**0.5,
    )


def _possible_range(expected: float) -> float:
    """A range that normal draws would have, within what recalls can have."""
    return expected if math.isnan(expected) else min(expected, 1.0)


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


def variances(recalls: np.ndarray) -> tuple[float, float]:
    """Variance of recall between permutations, and of a build's noise, by analysis of variance.

    recalls: (permutations, seeds, queries). Noise is what a build's mean over the queries has that neither its
    permutation nor its seed has in all; it is taken off the first, and so is what permutations owe to these queries.
    NaN from one seed.
    """
    _, seeds, queries = recalls.shape
    if seeds < 2:
        return float("nan"), float("nan")
    builds, by_query = recalls.mean(axis=2), recalls.mean(axis=1)
    noise, residual = interaction(builds), _residual(recalls)
    luck = max(interaction(by_query) - residual / seeds, 0.0) / queries
    return max(float(builds.mean(axis=1).var(ddof=1)) - noise / seeds - luck, 0.0), noise


@cache
def noise_range(draws: int, df: int) -> tuple[float, float]:
    """The mean range of so many independent normal draws of unit variance, and what one range in 20 exceeds.

    df: degrees of freedom with which their variance is estimated, which makes the second the studentized range's; NaN
    where it is 0. Normal, since a build's recall is a mean over many queries.
    """
    from scipy.integrate import quad
    from scipy.special import ndtr
    from scipy.stats import studentized_range

    if df == 0:
        return float("nan"), float("nan")
    expected, _ = quad(lambda x: 1 - ndtr(x) ** draws - ndtr(-x) ** draws, -np.inf, np.inf)
    return float(expected), float(studentized_range.ppf(CONFIDENCE, draws, df))


def found_again(recalls: np.ndarray) -> Estimate:
    """Recall of the best permutation minus that of the worst, both picked without what they are measured on.

    recalls: (permutations, seeds, queries), two seeds and queries at least. Best and worst are picked by every other
    seed on every other query and measured by the other seeds on the other queries, in all four ways; the value is the
    mean. It is what the two picked differ by, hence no more than the true extremes do. The interval is over builds and
    queries; the noise of a build is taken from all permutations.
    """
    permutations, seeds, queries = recalls.shape
    by_query = np.zeros(queries)
    for seed, query in itertools.product((0, 1), repeat=2):
        means = recalls[:, seed::2, query::2].mean(axis=(1, 2))
        others = recalls[:, 1 - seed :: 2, 1 - query :: 2].mean(axis=1)
        by_query[1 - query :: 2] += (others[means.argmax()] - others[means.argmin()]) / 2
    builds = 2 / (1 / ((seeds + 1) // 2) + 1 / (seeds // 2))  # in effect, of each of the two
    parts = [
        (variances(recalls)[1] / builds, (permutations - 1.0) * (seeds - 1.0)),
        (float(by_query.var(ddof=1)) / queries, queries - 1.0),
        # In both: the noise of builds and the spread over queries are of means that contain it.
        (-_residual(recalls) / (builds * queries), permutations * (seeds - 1.0) * (queries - 1.0)),
    ]
    return stats.combined_difference(float(by_query.mean()), parts)


def _residual(recalls: np.ndarray) -> float:
    """Variance of a query's recall that neither the query nor the build explains, within permutations."""
    return float(np.mean([interaction(of_permutation) for of_permutation in recalls]))
