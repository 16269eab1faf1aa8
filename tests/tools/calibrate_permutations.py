"""Does the F test of permutations hold what it promises? Simulated studies from the real builds of a setting.

A population is what the builds of many permutations have: how hard queries are, what every permutation does to single
queries beside its mean, and the noise of every build, query by query. A study draws all of them, and queries, and adds
an effect of permutations whose standard deviation is known: 0, where permutations are levelled to no difference.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.statistics.spread import luck_of_queries, spread

SPREADS = (0.0, 0.003, 0.005, 0.01)  # true standard deviations of permutations


class Population(NamedTuple):
    """What real builds of permutations have.

    base: (queries,) mean recall by query.
    favoured: (permutations, queries) what a permutation does to single queries, of mean 0 over queries.
    noise: (seeds, permutations, queries) what a build has beside its permutation and seed.
    shape: (permutations,) means of permutations, of mean 0 and standard deviation 1.
    sequences: labels of each permutation.
    """

    base: np.ndarray
    favoured: np.ndarray
    noise: np.ndarray
    shape: np.ndarray
    sequences: Sequence[tuple[str, ...]]


def population(recalls: np.ndarray, sequences: Sequence[Sequence[str]]) -> Population:
    """The Population of recalls (permutations, seeds, queries), two seeds at least."""
    _, seeds, queries = recalls.shape
    centred = recalls - recalls.mean(axis=0)
    by_permutation = centred.mean(axis=1)
    means = by_permutation.mean(axis=1)
    favoured = by_permutation - means[:, None]
    # As large as without the noise of builds, of which the mean over seeds has a part
    variance = float((favoured**2).sum()) / (len(recalls) - 1) / (queries - 1) / queries
    favoured *= (luck_of_queries(recalls)[0] / variance) ** 0.5
    noise = (centred - by_permutation[:, None]) * (seeds / (seeds - 1)) ** 0.5
    named = [tuple(sequence) for sequence in sequences]
    return Population(recalls.mean(axis=(0, 1)), favoured, noise.swapaxes(0, 1), means / means.std(), named)


def stand_ins(rng: np.random.Generator, sequences: Sequence[tuple[str, ...]]) -> np.ndarray:
    """Permutations (permutations,) that stand for each in a study.

    Where all permutations are there, categories and places change names at random, so that permutations with a category
    at the same place still share luck; of a sample, permutations are drawn.
    """
    place = {sequence: number for number, sequence in enumerate(sequences)}
    labels = sorted(sequences[0])
    if len(place) < math.factorial(len(labels)):
        return rng.integers(len(sequences), size=len(sequences))
    renamed, places = dict(zip(labels, rng.permutation(labels), strict=True)), rng.permutation(len(labels))
    return np.array([place[tuple(renamed[sequence[at]] for at in places)] for sequence in sequences])


def levelled(rng: np.random.Generator, of: Population, seeds: int, queries: int) -> np.ndarray:
    """Recalls (permutations, seeds, queries) of a study of permutations that are alike in the mean over all queries."""
    columns = rng.integers(len(of.base), size=queries)
    recalls = np.empty((len(of.shape), seeds, queries))
    favoured = of.favoured[stand_ins(rng, of.sequences)][:, columns]
    for seed in range(seeds):
        noise = of.noise[rng.integers(len(of.noise)), stand_ins(rng, of.sequences)][:, columns]
        recalls[:, seed] = of.base[columns] + favoured + rng.choice([-1, 1]) * noise
    return recalls


def found(
    rng: np.random.Generator,
    of: Population,
    seeds: int,
    queries: int,
    studies: int,
    spreads: Sequence[float] = SPREADS,
) -> dict[float, tuple[float, float]]:
    """Shares of studies, by true standard deviation: how often p is below 5 %, and how often the interval holds it."""
    shown: dict[float, list[bool]] = {sd: [] for sd in spreads}
    held: dict[float, list[bool]] = {sd: [] for sd in spreads}
    for _ in range(studies):
        recalls = levelled(rng, of, seeds, queries)
        effect = rng.choice(of.shape, size=len(of.shape))
        for sd in spreads:
            result = spread(recalls + sd * effect[:, None, None], of.sequences)
            shown[sd].append(result.p < 0.05)
            held[sd].append(result.sd.low <= sd <= result.sd.high)
    return {sd: (float(np.mean(shown[sd])), float(np.mean(held[sd]))) for sd in spreads}
