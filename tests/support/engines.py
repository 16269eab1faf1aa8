"""What tests of several engines share."""

import numpy as np

from bench.geometry import knn


def data(n=1500, d=16, queries=200, seed=0):
    """Rows (n, d) and queries of lengths that differ, read-only as an engine gets them."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n + queries, d)) * rng.uniform(0.5, 2, (n + queries, 1))
    rows = rows.astype(np.float32)
    rows.flags.writeable = False
    return rows[:n], rows[n:]


def exact_recall(ids, base, queries, metric):
    """Share of the exact neighbours, by distances of float32, among ids (q, k)."""
    pair = (knn.unit(queries), knn.unit(base)) if metric == "cosine" else (queries, base)
    truth = knn.search(*pair, ids.shape[1], "ip" if metric == "ip" else "l2")[1]
    return float(np.mean([len(set(row) & set(near)) / len(near) for row, near in zip(ids, truth, strict=True)]))
