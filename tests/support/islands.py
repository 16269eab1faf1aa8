"""Rows of fifty clusters, whose order changes recall: with few links, sparse regions first is better than last."""

import numpy as np

from bench.geometry import knn

N, D, QUERIES = 2000, 16, 200


def islands():
    """Rows (N, D) and queries (QUERIES, D), float32, read-only: fifty clusters of different spread."""
    rng = np.random.default_rng(0)
    label = rng.integers(50, size=N + QUERIES)
    centres = 3 * rng.standard_normal((50, D))
    points = centres[label] + (0.1 + 0.1 * label)[:, None] * rng.standard_normal((N + QUERIES, D))
    points = points.astype(np.float32)
    points.flags.writeable = False
    return points[:N], points[N:]


def sparse_first(base):
    """Rows by their distance to the tenth neighbour, largest first: (n,)."""
    return np.argsort(-knn.search(base, base, 11, "l2")[0][:, -1], kind="stable")


def exact(base, queries, k=10, metric="l2"):
    """Ids (q, k) of the exact neighbours."""
    if metric == "cosine":
        base, queries, metric = knn.unit(base), knn.unit(queries), "l2"
    return knn.search(queries, base, k, metric)[1]


def recall(ids, truth):
    """The mean share of the exact neighbours that were found."""
    return float(np.mean([len({*row} & {*near}) / len(near) for row, near in zip(ids, truth, strict=True)]))
