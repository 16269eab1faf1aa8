"""A dataset in figures: dimension, density, and the distance of its queries from its rows."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench import digests
from bench.data.dataset import Dataset, drawn
from bench.errors import BenchError, unknown
from bench.geometry import NEIGHBORS, Geometry, dimension, knn

PROFILE_ROWS = 2000  # drawn by seed: enough for quantiles of a distribution
# What to do, by metric, with rows that float32 does not hold apart
PRECISION_REMEDIES = {
    "l2": "subtract the mean of the base from rows and queries, in float64: distances stay as they are",
    "cosine": "bring rows and queries to unit length, subtract the mean of the base from both, in float64, and use the "
    "metric l2, which then ranks as cosine does",
    "ip": "subtract the mean of the base from its rows, in float64: the ranking stays as it is",
}
_RADIUS = 10  # the neighbour whose distance stands for local scale: the study's k


def describe(geometry: Geometry, k: int = NEIGHBORS, estimator: str = "mle") -> dict[str, Any]:
    """Return local and global dimension in figures.

    LID and TwoNN are of the distinct rows and their k distinct neighbours: a copy counts once. PCA is of all rows.
    rows_without_estimate and rows_with_duplicates count all rows. Raises BenchError if k or the estimator cannot be.
    """
    dataset = geometry.dataset
    check_lid(dataset, k, estimator)
    check_distinct(geometry, k)
    distinct = geometry.distinct
    lid = distinct.lid(k, estimator)
    known = lid[np.isfinite(lid)]
    low, median, high = np.quantile(known, [0.05, 0.5, 0.95]) if len(known) else np.full(3, np.nan)
    copies = np.bincount(geometry.first_copies, minlength=dataset.n)
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
        "rows_without_estimate": int(np.isnan(geometry.lid(k, estimator)).sum()),
        "rows_with_duplicates": int(copies[copies > 1].sum()),
        "pca_dimension_99": dimension.pca(geometry.points),
        "two_nn_dimension": dimension.two_nn(*distinct.neighbors(k), distinct.points),
    }


def check_lid(dataset: Dataset, k: int, estimator: str) -> None:
    """Raises BenchError if k or the estimator is not valid, or the dataset is too small; costs nothing."""
    if estimator not in dimension.ESTIMATORS:
        raise unknown("estimator", estimator, dimension.ESTIMATORS)
    if dataset.n < 3:
        raise BenchError(f"{dataset.name!r} has {dataset.n} rows, too few for a dimension: give at least 3")
    if not 1 < k < dataset.n:
        raise BenchError(f"k = {k}: {dataset.name!r} has {dataset.n} rows; give 2 to {dataset.n - 1} neighbours")


def check_distinct(geometry: Geometry, k: int) -> None:
    """Raises BenchError if the distinct rows are too few for k neighbours of each."""
    dataset, count = geometry.dataset, len(geometry.distinct_rows)
    if k < count:
        return
    way_out = f"give 2 to {count - 1} neighbours" if count > 2 else "give at least 3"
    raise BenchError(
        f"k = {k}: {dataset.name!r} has {dataset.n} rows, of which float32 holds {count} as distinct: {way_out}; if "
        f"rows differ in their file, {PRECISION_REMEDIES[dataset.metric]}"
    )


def describe_labels(geometry: Geometry, k: int = NEIGHBORS, estimator: str = "mle") -> list[dict[str, Any]]:
    """Return the dimension of all rows, under `(all)`, and of each label's rows. Raises BenchError without labels.

    pca_dimension_99: of the label's rows; pca_same_number: of as many rows drawn from all, since fewer rows span
    fewer dimensions. lid_mean: over the label's rows, their neighbours sought among all.
    """
    dataset = geometry.dataset
    if dataset.labels is None:
        raise BenchError(f"{dataset.name!r} has no labels: name a dataset that has; see `bench list datasets`")
    whole = describe(geometry, k, estimator)
    lid = geometry.distinct.lid(k, estimator)
    rng = np.random.default_rng([0, *b"by-label"])
    dimensions = {"pca_dimension_99": whole["pca_dimension_99"], "pca_same_number": whole["pca_dimension_99"]}
    rows_by_label: list[dict[str, Any]] = [
        {"label": "(all)", "n": dataset.n, **dimensions, "lid_mean": whole["lid_mean"]}
    ]
    for label in np.unique(dataset.labels):
        rows = np.flatnonzero(dataset.labels == label)
        of_label = lid[np.unique(geometry.place_in_distinct[rows])]
        known = of_label[np.isfinite(of_label)]
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
    """Return what can be said of the data and of each query without the data at hand, by Euclidean distance.

    rows: (r,) int64, numbers of the rows drawn, at most PROFILE_ROWS.
    row_lid, query_lid: (r,), (q,) local intrinsic dimension by maximum likelihood on up to 100 exact neighbours; NaN
        without an estimate.
    row_nearest, query_nearest: (r,), (q,) distance to the nearest other row, 0 if it is a copy, and to the nearest row.
    row_radius, query_radius: (r,), (q,) distance to the tenth, or the last of fewer; NaN if all rows are copies of one.

    All are float32. LID and radius are from distinct neighbours: a copy counts once. Nothing of fewer than three rows.
    """
    dataset = geometry.dataset
    if dataset.n < 3:
        return {}
    depth = min(NEIGHBORS, len(geometry.distinct_rows) - 1)

    def make() -> dict[str, np.ndarray]:
        geometry.log("neighbours of a sample of rows and of the queries, to describe the data")
        rows = drawn(dataset.n, PROFILE_ROWS, "profile")
        points, places = geometry.distinct.points, geometry.place_in_distinct[rows]
        of_rows = knn.without_self(*knn.search(geometry.points[rows], points, depth + 1), places)
        distances, ids = knn.search(geometry.query_points, points, max(depth, 1))
        of_queries = distances[:, :depth], ids[:, :depth]
        is_copied = np.bincount(geometry.first_copies, minlength=dataset.n) > 1
        nearest = of_rows[0][:, 0] if depth else np.float32(0)
        return {
            "rows": rows,
            "row_nearest": np.where(is_copied[geometry.first_copies[rows]], np.float32(0), nearest),
            "query_nearest": np.ascontiguousarray(distances[:, 0]),
            **_lid_and_radius("row", *of_rows, points),
            **_lid_and_radius("query", *of_queries, points),
        }

    return geometry.cached("profile", {"rows": PROFILE_ROWS, "k": depth, "profile_code": _profile_code()}, make)


@cache
def _profile_code() -> str:
    return digests.code_digest(Path(__file__))


def _lid_and_radius(name: str, distances: np.ndarray, ids: np.ndarray, points: np.ndarray) -> dict[str, np.ndarray]:
    """The parts of `profile` that come from distances (r, depth) to distinct rows, NaN if these are too few."""
    lid = radius = np.full(len(distances), np.nan)
    if distances.shape[1] > 1:
        lid = dimension.pointwise(distances, ids, points)
    if distances.shape[1]:
        radius = distances[:, min(_RADIUS, distances.shape[1]) - 1]
    return {f"{name}_lid": lid.astype(np.float32), f"{name}_radius": radius.astype(np.float32)}
