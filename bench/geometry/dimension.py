"""Pointwise local intrinsic dimension and global dimension, on neighbours that are already known."""

import warnings

import numpy as np

from bench.geometry.knn import blocks

ESTIMATORS = ("mle", "mom", "tle")


def pointwise(distances: np.ndarray, neighbors: np.ndarray, points: np.ndarray, estimator: str = "mle") -> np.ndarray:
    """Local intrinsic dimension of every row, by scikit-dimension's estimators.

    `mle`: maximum likelihood (Levina and Bickel 2004, eq. 8; Amsaleg et al. 2015). `mom`: method of
    moments (Amsaleg et al. 2018). `tle`: tight localities (Amsaleg et al. 2019), about 1 ms a row.

    distances: (n, k) true Euclidean, ascending, self excluded; neighbors: (n, k) their ids; points: (n, d).
    Returns (n,) float64. Zero distances (duplicates) are left out by `mle` and `mom` and handled by
    `tle` itself; a row with fewer than two distinct positive distances has no estimate and is NaN.
    """
    import skdim

    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}; known: {', '.join(ESTIMATORS)}")
    lid = np.full(len(distances), np.nan)
    zeros = (distances == 0).sum(axis=1)
    k = distances.shape[1]
    estimable = (zeros < k - 1) & (distances[:, -1] > distances[np.arange(len(distances)), np.minimum(zeros, k - 1)])
    if not estimable.any():
        return lid
    if estimator == "tle":
        # Rows that TLE would fail on borrow another's neighbours, and their estimate is not used.
        rows = np.where(estimable, np.arange(len(distances)), np.flatnonzero(estimable)[0])
        known = distances[rows].astype(np.float64), neighbors[rows]
        if points.shape[1] == 1:  # it asks for two columns
            points = np.concatenate([points, np.zeros_like(points)], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 at boundaries, which it then replaces
            fitted = skdim.id.TLE().fit(points, precomputed_knn_arrays=known)
        lid[estimable] = fitted.dimension_pw_[estimable]
        return lid
    fit = {"mle": skdim.id.MLE, "mom": skdim.id.MOM}[estimator]
    for left_out in np.unique(zeros[estimable]):
        rows = np.flatnonzero(estimable & (zeros == left_out))
        known = distances[rows, left_out:].astype(np.float64), neighbors[rows, left_out:]
        with warnings.catch_warnings():
            # With neighbours known the points are only looked at for their shape: any two will do, but for
            # a warning that they are few.
            warnings.simplefilter("ignore")
            lid[rows] = fit().fit(np.zeros((2, 2)), precomputed_knn_arrays=known).dimension_pw_
    return lid


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


def two_nn(distances: np.ndarray) -> float:
    """Global intrinsic dimension by the ratio of the two nearest distances (Facco et al. 2017).

    distances: (n, k >= 2) true Euclidean, ascending, self excluded. Rows with a duplicate have no ratio and are
    left out. NaN where fewer than three rows remain.
    """
    import skdim

    usable = distances[distances[:, 0] > 0, :2].astype(np.float64)
    if len(usable) < 3:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(skdim.id.TwoNN(dist=True).fit(usable).dimension_)
