"""For how many comparisons with one reference an interval has to allow, given that they share it."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from bench.statistics.intervals import CONFIDENCE, Estimate, by_query
from bench.statistics.sample import Sample
from bench.statistics.variance import builds_part, residual_parts

_DRAWS = 20_000  # of a seed of their own: 5 % is then known to 0.15 points, and the same every time


def effective_comparisons(samples: Sequence[Sample], reference: Sample, differences: Sequence[Estimate]) -> float:
    """Return the number of independent comparisons equivalent to all differences to one reference (Dunnett 1955).

    The differences share the reference's builds and the queries, so they are correlated: by chance alone, the largest
    of them is smaller than the largest of as many independent ones. The number, at 5 %, is from the largest |t| of
    normal draws with these correlations. P values times this number agree with intervals for this number at once (a
    single-step, or max-t, procedure). It is between 1 and the number of differences that have an interval.
    """
    known = [index for index, estimate in enumerate(differences) if not np.isnan(estimate.se)]
    if len(known) < 2:
        return float(max(len(known), 1))
    table = np.array([by_query(samples[index], reference) for index in known])
    shared = builds_part(reference)[0] + sum(part for part, _ in residual_parts(reference))
    covariance = np.atleast_2d(np.cov(table)) / table.shape[1] + max(shared, 0.0)
    se = np.array([differences[index].se for index in known])
    correlation = np.clip(covariance / np.outer(se, se), -1, 1)
    np.fill_diagonal(correlation, 1)
    return _effective(correlation)


def _effective(correlation: np.ndarray) -> float:
    """How many independent normal values exceed in one case of 20 what the largest of these does, signs aside."""
    from scipy.special import ndtr

    values, vectors = np.linalg.eigh(correlation)
    factor = vectors * np.sqrt(np.maximum(values, 0))
    factor /= np.sqrt((factor**2).sum(axis=1, keepdims=True))  # where values were cut, the variances are 1 again
    largest = np.abs(_draws(len(correlation)) @ factor.T).max(axis=1)
    alone = 2 * float(ndtr(-np.quantile(largest, CONFIDENCE)))
    return float(np.clip((1 - CONFIDENCE) / alone, 1, len(correlation)))


@cache
def _draws(dimensions: int) -> np.ndarray:
    return np.random.default_rng(dimensions).standard_normal((_DRAWS, dimensions))
