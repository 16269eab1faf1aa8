"""recall@k: of a query's k nearest base rows, how many an index returned.

By id, the exact search's k rows are the ones that count, and of rows equally far it has chosen some.
Tie-aware, every returned row counts that is no farther than the k-th nearest, within a relative
tolerance, and if that is a duplicate of the query, every duplicate. ann-benchmarks adds an absolute
tolerance of 1e-3 instead, which on tight data counts almost anything.
"""

import numpy as np

from bench.geometry.knn import RELATIVE_TOLERANCE, farthest_tie


def hits(ids: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """How many of each query's true neighbours are among the ids returned; recall@k is this over k.

    ids: (q, k) int64, -1 for no result; ground_truth: (q, k) int64. Returns (q,) int64. An id
    returned twice counts once.
    """
    if ids.shape != ground_truth.shape:
        raise ValueError(f"ids {ids.shape} and ground truth {ground_truth.shape} must have the same shape")
    returned = np.sort(ids, axis=1)
    returned[:, 1:][returned[:, 1:] == returned[:, :-1]] = -1
    both = np.sort(np.concatenate([returned, ground_truth], axis=1), axis=1)
    counts: np.ndarray = ((both[:, 1:] == both[:, :-1]) & (both[:, 1:] >= 0)).sum(axis=1)
    return counts


def hits_with_ties(
    ids: np.ndarray,
    distances: np.ndarray,
    true_distances: np.ndarray,
    duplicate: np.ndarray | float = -np.inf,
    tolerance: float = RELATIVE_TOLERANCE,
) -> np.ndarray:
    """How many of each query's returned rows are as near as its k-th true neighbour.

    ids: (q, k) returned; distances: (q, k) the true distances of those rows, computed again; true_distances: (q, k)
    of the exact neighbours, ascending; duplicate: (q, 1) how far a duplicate of a query may lie. A row counts if its
    distance is at most d_k + tolerance × |d_k|, or that of a duplicate.
    Returns (q,) int64. An id returned twice counts once, -1 never.
    """
    limit = farthest_tie(true_distances[:, -1:], duplicate, tolerance)
    by_id = np.argsort(ids, axis=1, kind="stable")
    sorted_ids = np.take_along_axis(ids, by_id, axis=1)
    first = np.ones(ids.shape, dtype=bool)
    first[:, 1:] = sorted_ids[:, 1:] != sorted_ids[:, :-1]
    near: np.ndarray = np.take_along_axis(distances <= limit, by_id, axis=1)
    counts: np.ndarray = (near & first & (sorted_ids >= 0)).sum(axis=1)
    return counts
