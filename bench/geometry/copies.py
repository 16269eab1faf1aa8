"""Which rows are copies of others, found without comparing every pair."""

import hashlib

import numpy as np

from bench.geometry.knn import blocks, rounding

_DIMENSIONS = 4  # of the projection in which rows near each other are looked for
_RESOLVED = 0.01  # of the spread of rows: where rounding reaches farther, it cannot tell copies from neighbours


def first_copies(points: np.ndarray) -> np.ndarray:
    """(n,) int64: for each row the first row that is the same, which is the row itself if it repeats none.

    Rows are the same if they are equal, or if they are no farther apart than float32 rounds; see `knn.rounding`. A row
    that is near one copy of another, and not near the first, is no copy: chains of near rows stay apart. If rounding
    reaches farther than a hundredth of the spread of all rows, only equal rows are copies.

    points: (n, d) float32, read in blocks. A projection never lengthens a distance, so no pair is missed.
    """
    first = _first_equal(points)
    rows = np.flatnonzero(first == np.arange(len(points)))
    reach = rounding(points, points)
    projected = _projected(points)[rows]
    if len(rows) > 1 and np.median(reach) <= _RESOLVED * projected.std(axis=0).mean():
        first[rows] = rows[_first_near(points, rows, projected, reach[rows])]
    return np.asarray(first[first])


def _first_equal(points: np.ndarray) -> np.ndarray:
    """(n,) int64: for each row the first row of equal values."""
    hashes = np.empty(len(points), dtype=np.uint64)
    for block in blocks(points):
        rows = points[block] + np.float32(0)  # -0.0 is 0.0
        hashes[block] = [int.from_bytes(hashlib.blake2b(row, digest_size=8).digest()) for row in rows]
    _, index, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    first = index[inverse].astype(np.int64)
    for row in np.flatnonzero(first != np.arange(len(points))):  # two rows may share a hash by chance
        if not np.array_equal(points[row], points[first[row]]):
            first[row] = row
    return first


def _projected(points: np.ndarray) -> np.ndarray:
    """(n, at most 4) float64: the rows on orthonormal directions that are drawn by a fixed seed."""
    d = points.shape[1]
    directions = np.linalg.qr(np.random.default_rng([0, *b"copies"]).standard_normal((d, min(d, _DIMENSIONS))))[0]
    projected = np.empty((len(points), directions.shape[1]))
    for block in blocks(points):
        projected[block] = points[block] @ directions
    return projected


def _first_near(points: np.ndarray, rows: np.ndarray, projected: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(m,) int64, for each of `rows` the place in `rows` of the first that lies within its `reach`."""
    from scipy.spatial import KDTree

    tree = KDTree(projected)
    nearest = tree.query(projected, k=2, distance_upper_bound=float(reach.max()) * (1 + 1e-9))[0][:, 1]
    first = np.arange(len(rows))
    for place in np.flatnonzero(nearest <= reach):
        if first[place] != place:
            continue
        near = np.array(tree.query_ball_point(projected[place], reach[place]), dtype=np.int64)
        near = near[(near > place) & (first[near] == near)]
        apart = np.linalg.norm(points[rows[near]].astype(np.float64) - points[rows[place]], axis=1)
        first[near[apart <= reach[place]]] = place
    return first
