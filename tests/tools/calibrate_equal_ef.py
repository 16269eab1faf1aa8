"""Does the interval of the ef_search that an order equals hold the truth? Simulated studies, for `make calibrate`."""

import numpy as np

from bench.analysis.equal_ef import equal_ef, point
from bench.statistics.sample import independent

K = 10
NEVER = 1e-9  # misses of a population that has none, which have no logarithm


def true_equal_ef(recall, curve):
    """Where a population's curve {ef_search: mean recall} reaches a recall; infinite where it does not.

    Straight in log misses against log ef_search, as `equal_ef` has it: among 13 points or more little depends on that.
    """
    efs = sorted(curve)
    misses = np.minimum.accumulate([max(1 - curve[ef], NEVER) for ef in efs])
    own = max(1 - recall, NEVER)
    if own > misses[0]:
        return -np.inf
    if own < misses[-1]:
        return np.inf
    falls = np.append(True, np.diff(misses) < 0)
    return float(np.exp(np.interp(-np.log(own), -np.log(misses[falls]), np.log(efs)[falls])))


def coverage(rng, population, order, ef_search, builds, queries, studies, reference="random"):
    """What share of studies `held` the true equal ef_search of an order, and how many lay all `below` or `above` it.

    population: {ef_search: {order: (builds, queries) recalls}}, of an order the same builds at every ef_search, as a
    ladder has them, and of all the same queries. Gives the `truth` too, and how many intervals had both `ends`.
    """
    own = population[ef_search][order]
    truth = true_equal_ef(own.mean(), {ef: of[reference].mean() for ef, of in population.items()})
    held = {"held": 0, "below": 0, "above": 0, "ends": 0}
    for _ in range(studies):
        columns = rng.integers(own.shape[1], size=queries)
        rows = np.ix_(rng.integers(len(own), size=builds), columns)
        of_reference = np.ix_(rng.integers(len(population[ef_search][reference]), size=builds), columns)
        curve = {ef: point(independent(of[reference][of_reference], K)) for ef, of in population.items()}
        _, low, high = equal_ef(independent(own[rows], K), curve)
        held["below" if high < truth else "above" if low > truth else "held"] += 1
        held["ends"] += bool(np.isfinite([low, high]).all())
    return {"truth": truth} | {name: count / studies for name, count in held.items()}
