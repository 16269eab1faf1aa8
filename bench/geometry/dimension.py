"""Pointwise local intrinsic dimension and global dimension, on neighbours that are already known."""

import warnings
from typing import Any

import numpy as np

from bench.geometry.knn import RELATIVE_TOLERANCE, blocks, rounding

ESTIMATORS = ("mle", "mom", "tle")


def pointwise(distances: np.ndarray, neighbors: np.ndarray, points: np.ndarray, estimator: str = "mle") -> np.ndarray:
    """Local intrinsic dimension of every row, by scikit-dimension's estimators.

    `mle`: maximum likelihood (Levina and Bickel 2004, eq. 8; Amsaleg et al. 2015). `mom`: method of
    moments (Amsaleg et al. 2018). `tle`: tight localities (Amsaleg et al. 2019), about 1 ms a row.

    distances: (n, k) true Euclidean, ascending, self excluded; neighbors: (n, k) their ids; points: (n, d).
    distances are to *distinct* rows: a copy counts once. `Geometry.distinct` has them; copies among the neighbours of
    another row are not found here.
    Returns (n,) float64. A neighbour that is a copy of the row, as one of a query may be, is left out by `mle` and
    `mom` and handled by `tle` itself; a row with fewer than two distinct distances besides has no estimate and is NaN.
    """
    skdim = _skdim()

    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}; known: {', '.join(ESTIMATORS)}")
    lid = np.full(len(distances), np.nan)
    zeros = duplicates(distances, neighbors, points)
    k = distances.shape[1]
    first = distances[np.arange(len(distances)), np.minimum(zeros, k - 1)]
    estimable = (zeros < k - 1) & (distances[:, -1] > first * (1 + RELATIVE_TOLERANCE))
    if not estimable.any():
        return lid
    if estimator == "tle":
        lid[estimable] = _tle(distances, neighbors, points, zeros, estimable)
        return lid
    fit = {"mle": skdim.id.MLE, "mom": skdim.id.MOM}[estimator]
    for left_out in np.unique(zeros[estimable]):
        rows = np.flatnonzero(estimable & (zeros == left_out))
        known = distances[rows, left_out:].astype(np.float64), neighbors[rows, left_out:]
        with warnings.catch_warnings():
            # With known neighbours only the shape of the points is used: any two will do, except that
            # a warning says that they are few.
            warnings.simplefilter("ignore")
            lid[rows] = fit().fit(np.zeros((2, 2)), precomputed_knn_arrays=known).dimension_pw_
    return lid


def _tle(
    distances: np.ndarray, neighbors: np.ndarray, points: np.ndarray, zeros: np.ndarray, estimable: np.ndarray
) -> np.ndarray:
    """Tight localities of the rows that are `estimable`; distances and neighbors: of all points."""
    skdim = _skdim()

    # It handles duplicates, but those alone that are exactly equal: each is given as the first of its like.
    is_duplicate = np.arange(distances.shape[1]) < zeros[:, None]
    first = np.minimum(np.arange(len(points)), np.where(is_duplicate, neighbors, len(points)).min(axis=1))
    # Rows that TLE would fail on borrow another's neighbours, and their estimate is not used.
    rows = np.where(estimable, np.arange(len(distances)), np.flatnonzero(estimable)[0])
    known = np.where(is_duplicate, 0, distances)[rows].astype(np.float64), first[neighbors[rows]]
    if points.shape[1] == 1:  # it asks for two columns
        points = np.concatenate([points, np.zeros_like(points)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 at boundaries, which it then replaces
        fitted = skdim.id.TLE().fit(points, precomputed_knn_arrays=known)
    return np.asarray(fitted.dimension_pw_[estimable])


def duplicates(distances: np.ndarray, neighbors: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n,) how many neighbours of each row equal it except for rounding; see `knn.rounding`.

    distances, neighbors, points: as in `pointwise`. A duplicate is as long as the row, so the length of the nearest
    is used for that of the row, which may be a query.
    """
    return np.asarray((distances <= rounding(points, points)[neighbors[:, :1]]).sum(axis=1))


def _skdim() -> Any:
    """scikit-dimension, whose import would silence every warning of the process from then on."""
    with warnings.catch_warnings():
        import skdim

    return skdim


def pca(points: np.ndarray, explained: float = 0.99) -> int:
    """The fewest principal components whose cumulative share of variance reaches `explained`.

    The rule by which Elliott and Clark (2024) check the dimension of their data. points: (n, d).
    """
    mean = points.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((points.shape[1], points.shape[1]))
    for block in blocks(points):
        centred = points[block] - mean
        covariance += centred.T @ centred
    variances = np.maximum(np.linalg.eigvalsh(covariance)[::-1], 0)
    if not variances.any():
        return 0
    shares = np.cumsum(variances) / variances.sum()
    return int(np.searchsorted(shares, explained) + 1)


def two_nn(distances: np.ndarray, neighbors: np.ndarray, points: np.ndarray) -> float:
    """Global intrinsic dimension by the ratio of the two nearest distances (Facco et al. 2017).

    distances, neighbors, points: as in `pointwise`, k >= 2; rows and distances are of *distinct* rows: a copy counts
    once. A row whose nearest neighbour is a copy has no ratio and is left out. NaN if fewer than three rows remain.
    """
    skdim = _skdim()

    usable = distances[duplicates(distances, neighbors, points) == 0, :2].astype(np.float64)
    if len(usable) < 3:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(skdim.id.TwoNN(dist=True).fit(usable).dimension_)
