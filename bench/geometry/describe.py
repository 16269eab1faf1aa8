"""A dataset's dimension in figures, of all its rows and of each label's."""

from typing import Any

import numpy as np

from bench.errors import BenchError, unknown
from bench.geometry import NEIGHBORS, Geometry, dimension


def describe(geometry: Geometry, k: int = NEIGHBORS, estimator: str = "mle") -> dict[str, Any]:
    """Local and global dimension in figures; a BenchError where k or the estimator cannot be."""
    dataset = geometry.dataset
    if estimator not in dimension.ESTIMATORS:
        raise unknown("estimator", estimator, dimension.ESTIMATORS)
    if dataset.n < 3:
        raise BenchError(f"{dataset.name!r} has {dataset.n} rows, too few for a dimension: give at least 3")
    if not 1 < k < dataset.n:
        raise BenchError(f"k = {k}: {dataset.name!r} has {dataset.n} rows; give 2 to {dataset.n - 1} neighbours")
    lid = geometry.lid(k, estimator)
    nearest = geometry.neighbors(k)[0]
    known = lid[np.isfinite(lid)]
    low, median, high = np.quantile(known, [0.05, 0.5, 0.95]) if len(known) else np.full(3, np.nan)
    return {
        "dataset": dataset.name,
        "n": dataset.n,
        "d": dataset.d,
        "metric": dataset.metric,
        "estimator": estimator,
        "k": k,
        "lid_mean": float(known.mean()) if len(known) else float("nan"),
        "lid_5_percent": float(low),
        "lid_median": float(median),
        "lid_95_percent": float(high),
        "rows_without_estimate": dataset.n - len(known),
        "rows_with_duplicates": int((nearest[:, 0] == 0).sum()),
        "pca_dimension_99": dimension.pca(geometry.points),
        "two_nn_dimension": dimension.two_nn(nearest),
    }


def describe_labels(geometry: Geometry, k: int = NEIGHBORS, estimator: str = "mle") -> list[dict[str, Any]]:
    """Dimension of all rows, under `(all)`, and of those of each label; a BenchError where there are no labels.

    pca_dimension_99: of the label's rows; pca_same_number: of as many rows drawn from all, since fewer rows span
    fewer dimensions. lid_mean: over the label's rows, their neighbours sought among all.
    """
    dataset = geometry.dataset
    if dataset.labels is None:
        raise BenchError(f"{dataset.name!r} has no labels: name a dataset that has; see `bench list datasets`")
    whole = describe(geometry, k, estimator)
    lid = geometry.lid(k, estimator)
    rng = np.random.default_rng([0, *b"by-label"])
    dimensions = {"pca_dimension_99": whole["pca_dimension_99"], "pca_same_number": whole["pca_dimension_99"]}
    found: list[dict[str, Any]] = [{"label": "(all)", "n": dataset.n, **dimensions, "lid_mean": whole["lid_mean"]}]
    for label in np.unique(dataset.labels):
        rows = np.flatnonzero(dataset.labels == label)
        known = lid[rows][np.isfinite(lid[rows])]
        found.append(
            {
                "label": str(label),
                "n": len(rows),
                "pca_dimension_99": dimension.pca(geometry.points[rows]),
                "pca_same_number": dimension.pca(geometry.points[rng.choice(dataset.n, len(rows), replace=False)]),
                "lid_mean": float(known.mean()) if len(known) else float("nan"),
            }
        )
    return found
