"""Do intervals of a mean hold what they promise where queries come in groups, and only whole groups are drawn?

As `calibrate`: a population (builds, queries) of real or simulated recalls, of which studies draw builds and groups of
queries with replacement, so that the truth is known: the population's mean.
"""

import numpy as np

from bench.statistics import intervals
from bench.statistics.sample import independent

K = 10


def coverage(population, groups, rng, builds, drawn, studies=1000):
    """The share of studies whose 95 % interval holds the truth, naive (queries are independent) and by groups.

    population: (builds, queries); groups: (queries,) labels. A study draws `builds` builds and `drawn` groups. Each
    share p has a standard error of sqrt(p (1 - p) / studies).
    """
    places = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    truth = population.mean()
    held = {"naive": 0, "by groups": 0}
    for _ in range(studies):
        chosen = [places[number] for number in rng.integers(len(places), size=drawn)]
        recalls = population[rng.integers(len(population), size=builds)][:, np.concatenate(chosen)]
        labels = np.repeat(np.arange(drawn), [len(group) for group in chosen])  # one drawn twice counts as two
        for name, sample in (("naive", independent(recalls, K)), ("by groups", independent(recalls, K, labels))):
            estimate = intervals.mean(sample)
            held[name] += estimate.low <= truth <= estimate.high
    return {name: count / studies for name, count in held.items()}


def intraclass_correlation(values, groups):
    """Of values (queries,) of groups of one size, by analysis of variance."""
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    means = np.bincount(codes, values) / sizes
    size = len(values) / len(names)
    between = size * means.var(ddof=1)
    within = ((values - means[codes]) ** 2).sum() / (len(values) - len(names))
    return (between - within) / (between + (size - 1) * within)
