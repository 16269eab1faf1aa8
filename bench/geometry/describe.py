"""What a dataset looks like in figures: dimension, density, and how far its queries lie from its rows."""

from pathlib import Path
from typing import Any

import numpy as np

from bench import digests
from bench.data.dataset import Dataset, drawn
from bench.errors import BenchError, unknown
from bench.geometry import NEIGHBORS, Geometry, dimension, knn

PROFILE_ROWS = 2000  # drawn by seed: enough for quantiles of a distribution
_RADIUS = 10  # the neighbour whose distance stands for local scale: the study's k


def describe(geometry: Geometry, k: int = NEIGHBORS, estimator: str = "mle") -> dict[str, Any]:
    """Local and global dimension in figures; a BenchError where k or the estimator cannot be."""
    dataset = geometry.dataset
    check_lid(dataset, k, estimator)
    lid = geometry.lid(k, estimator)
    nearest = *geometry.neighbors(k), geometry.points
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
        "rows_with_duplicates": int((dimension.duplicates(*nearest) > 0).sum()),
        "pca_dimension_99": dimension.pca(geometry.points),
        "two_nn_dimension": dimension.two_nn(*nearest),
    }


def check_lid(dataset: Dataset, k: int, estimator: str) -> None:
    """A BenchError where k or the estimator cannot be, or the dataset is too small; costs nothing."""
    if estimator not in dimension.ESTIMATORS:
        raise unknown("estimator", estimator, dimension.ESTIMATORS)
    if dataset.n < 3:
        raise BenchError(f"{dataset.name!r} has {dataset.n} rows, too few for a dimension: give at least 3")
    if not 1 < k < dataset.n:
        raise BenchError(f"k = {k}: {dataset.name!r} has {dataset.n} rows; give 2 to {dataset.n - 1} neighbours")


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
    rows_by_label: list[dict[str, Any]] = [
        {"label": "(all)", "n": dataset.n, **dimensions, "lid_mean": whole["lid_mean"]}
    ]
    for label in np.unique(dataset.labels):
        rows = np.flatnonzero(dataset.labels == label)
        known = lid[rows][np.isfinite(lid[rows])]
        rows_by_label.append(
            {
                "label": str(label),
                "n": len(rows),
                "pca_dimension_99": dimension.pca(geometry.points[rows]),
                "pca_same_number": dimension.pca(geometry.points[rng.choice(dataset.n, len(rows), replace=False)]),
                "lid_mean": float(known.mean()) if len(known) else float("nan"),
            }
        )
    return rows_by_label


def profile(geometry: Geometry) -> dict[str, np.ndarray]:
    """What can be said of the data and of each query without the data at hand, by Euclidean distance.

    rows: (r,) int64, numbers of the rows drawn, at most PROFILE_ROWS.
    row_lid, query_lid: (r,), (q,) local intrinsic dimension by maximum likelihood on up to 100 exact neighbours; NaN
        without an estimate.
    row_nearest, query_nearest: (r,), (q,) distance to the nearest other row, and to the nearest row.
    row_radius, query_radius: (r,), (q,) distance to the tenth. All float32; nothing of fewer than three rows.
    """
    dataset = geometry.dataset
    depth = min(NEIGHBORS, dataset.n - 1)
    if depth < 2:
        return {}

    def make() -> dict[str, np.ndarray]:
        geometry.log("neighbours of a sample of rows and of the queries, to describe the data")
        rows = drawn(dataset.n, PROFILE_ROWS, "profile")
        distances, ids = knn.search(geometry.points[rows], geometry.points, depth + 1)
        others = ids != rows[:, None]
        others[others.all(axis=1), -1] = False  # among many duplicates a row may not have met itself
        of_rows = distances[others].reshape(-1, depth), ids[others].reshape(-1, depth)
        of_queries = knn.search(geometry.query_points, geometry.points, depth)
        measured: dict[str, np.ndarray] = {"rows": rows}
        for name, (near, near_ids) in (("row", of_rows), ("query", of_queries)):
            measured[f"{name}_lid"] = dimension.pointwise(near, near_ids, geometry.points).astype(np.float32)
            measured[f"{name}_nearest"] = np.ascontiguousarray(near[:, 0])
            measured[f"{name}_radius"] = np.ascontiguousarray(near[:, min(_RADIUS, depth) - 1])
        return measured

    code = digests.definition_digest(profile, Path(__file__).parent)
    return geometry.cached("profile", {"rows": PROFILE_ROWS, "k": depth, "profile_code": code}, make)
