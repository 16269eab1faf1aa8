"""Exact nearest neighbours by faiss: the only reference search.

Rows of queries go through in blocks; the base is read where it lies, so it may be a memory map larger
than memory. Distances are true and exact: faiss finds candidates with a matrix product, |q|² + |x|² -
2 q·x, which rounds small distances between long vectors away. So distances are computed again from the
differences, and where rounding may have kept a neighbour from being a candidate, the query is searched
again by differences alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

RELATIVE_TOLERANCE = 1e-5  # about fifty float32 roundings: distances that differ by arithmetic only
_STORED, _COMPUTED = 4, 8  # roundings of float32 by which two rows may differ that are the same

_QUERY_BLOCK = 16_384
_SPARE = 16  # candidates beyond k, among which the exact distances choose
_BLOCK_VALUES = 1 << 24


def search(queries: np.ndarray, base: np.ndarray, k: int, metric: str = "l2") -> tuple[np.ndarray, np.ndarray]:
    """The k nearest base rows of every query: distances (q, k) float32, ids (q, k) int64.

    metric: `l2` (Euclidean distance) or `ip` (the distance is minus the inner product). Ascending by
    distance, ties among the candidates by id. ValueError if k exceeds the base.
    """
    import faiss

    if not 0 < k <= len(base):
        raise ValueError(f"k = {k} neighbours of {len(base)} rows")
    wanted = min(k + _SPARE, len(base))
    distances = np.empty((len(queries), k), dtype=np.float32)
    ids = np.empty((len(queries), k), dtype=np.int64)
    kind = faiss.METRIC_INNER_PRODUCT if metric == "ip" else faiss.METRIC_L2
    longest = 0.0 if metric == "ip" else max(float(_squares(base[block]).max()) for block in blocks(base))
    for start in range(0, len(queries), _QUERY_BLOCK):
        rows = slice(start, start + _QUERY_BLOCK)
        approximate, candidates = faiss.knn(queries[rows], base, wanted, metric=kind)
        exact = true_distances(queries[rows], base, candidates, metric)
        if metric != "ip" and wanted < len(base):
            again = _in_doubt(queries[rows], approximate, exact, k, longest)
            if len(again):
                candidates[again] = _by_differences(queries[rows][again], base, wanted)
                exact[again] = true_distances(queries[rows][again], base, candidates[again])
        # faiss has them nearly sorted: few rows need it.
        unsorted = np.flatnonzero((np.diff(exact, axis=1) <= 0).any(axis=1))
        best = np.lexsort((candidates[unsorted], exact[unsorted]), axis=1)
        exact[unsorted] = np.take_along_axis(exact[unsorted], best, axis=1)
        candidates[unsorted] = np.take_along_axis(candidates[unsorted], best, axis=1)
        distances[rows], ids[rows] = exact[:, :k], candidates[:, :k]
    return distances, ids


def _in_doubt(queries: np.ndarray, approximate: np.ndarray, exact: np.ndarray, k: int, longest: float) -> np.ndarray:
    """Queries whose k-th distance is so close to the last candidate's that rounding may have cut a neighbour.

    The error of |q|² + |x|² - 2 q·x in float32 grows about as the square root of the dimension; eight times
    that leaves a margin, which costs a second search where it is not needed and no neighbour.
    """
    rounding = 8 * np.finfo(np.float32).eps * queries.shape[1] ** 0.5 * (_squares(queries) + longest)
    kth = np.partition(exact, k - 1, axis=1)[:, k - 1].astype(np.float64) ** 2
    return np.flatnonzero(approximate[:, -1] - kth <= rounding)


def _by_differences(queries: np.ndarray, base: np.ndarray, k: int) -> np.ndarray:
    """Ids (q, k) of the nearest base rows, every distance summed from differences: exact and slow."""
    import faiss

    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = 2**31 - 1
    try:
        return np.asarray(faiss.knn(queries, base, k)[1])
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


def _squares(rows: np.ndarray) -> np.ndarray:
    """(n,) float64 squared lengths of rows (n, d)."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def neighbors(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest others of every row, Euclidean: distances (n, k) float32, ids (n, k) int64.

    A row is left out of its own neighbours by its id, so its duplicates stay, at distance 0.
    """
    if not 0 < k < len(points):
        raise ValueError(f"k = {k} other rows of {len(points)}")
    return without_self(*search(points, points, k + 1), np.arange(len(points)))


def without_self(distances: np.ndarray, ids: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances and ids (n, k) of the k + 1 nearest rows (n, k + 1), without each row's own id (n,)."""
    others = ids != own[:, None]
    # Among more than k duplicates a row may not have found itself: then the last one goes.
    others[others.all(axis=1), -1] = False
    return tuple(part[others].reshape(len(own), -1) for part in (distances, ids))


def true_distances(queries: np.ndarray, base: np.ndarray, ids: np.ndarray, metric: str = "l2") -> np.ndarray:
    """(q, k) float32 distances of every query to the base rows in its row of `ids` (q, k); infinite at -1."""
    import faiss

    queries, base = (np.ascontiguousarray(rows, dtype=np.float32) for rows in (queries, base))
    valid_ids = np.ascontiguousarray(np.maximum(ids, 0), dtype=np.int64)
    distances = np.empty(ids.shape, dtype=np.float32)
    compute = faiss.fvec_inner_products_by_idx if metric == "ip" else faiss.fvec_L2sqr_by_idx
    q, k = ids.shape
    pointers = (faiss.swig_ptr(array) for array in (distances, queries, base, valid_ids))
    if distances.size:
        compute(*pointers, base.shape[1], q, k)
    distances = -distances if metric == "ip" else np.sqrt(distances)
    distances[ids < 0] = np.inf
    return distances


def unit(rows: np.ndarray) -> np.ndarray:
    """The rows (n, d) at unit length, float32."""
    result = np.empty(rows.shape, dtype=np.float32)
    for block in blocks(rows):
        wide = rows[block].astype(np.float64)
        result[block] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return result


def rounding(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n,) how far apart two rows can be that are equal except for rounding, and so are duplicates.

    rows: (n, d), of `points` (m, d) or queries of them. In float32 a coordinate is stored with an error of 2^-24 of
    itself, and a value computed from d of them, as the length that rows were divided by, errs by about √d times that
    (Higham and Mary 2019). The second uses the distance from the mean, so that an offset that all rows share, as map
    coordinates have, makes no duplicates of neighbours; four and eight times leave both rows a margin.
    """
    centre = sum(points[block].sum(axis=0, dtype=np.float64) for block in blocks(points)) / len(points)
    from_centre = np.empty(len(rows))
    for block in blocks(rows):
        from_centre[block] = np.linalg.norm(rows[block] - centre, axis=1)
    computed = _COMPUTED * rows.shape[1] ** 0.5 * from_centre
    return np.asarray(2**-24 * (_STORED * np.sqrt(_squares(rows)) + computed))


def farthest_tie(
    kth: np.ndarray, duplicate: np.ndarray | float = -np.inf, tolerance: float = RELATIVE_TOLERANCE
) -> np.ndarray:
    """(q, 1) how far away a row may be to count as near as the k-th neighbour, at kth (q, 1).

    duplicate: how far away a duplicate of the query may be; one duplicate is as near as another.
    """
    return np.asarray(np.maximum(kth + tolerance * np.abs(kth), duplicate))


def distances_to(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(n,) float32 Euclidean distances of `points` (n, d) to one point (d,), float32 both, by differences."""
    import faiss

    points, point = (np.ascontiguousarray(rows, dtype=np.float32) for rows in (points, point))
    squares = np.empty(len(points), dtype=np.float32)
    faiss.fvec_L2sqr_ny(*(faiss.swig_ptr(array) for array in (squares, point, points)), *points.shape[::-1])
    return np.sqrt(squares)


def kmeans(points: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """k-means by faiss: of every row the nearest of `count` centroids (n,) and the distance to it (n,).

    Ten rounds on at most 256 rows a centroid (faiss's default), one thread: with more, sums are added in
    another order, and a row between two centroids may change sides.
    """
    import faiss

    if not 0 < count <= len(points):
        raise ValueError(f"{count} clusters of {len(points)} rows")
    with faiss_threads(1):
        clustering = faiss.Kmeans(points.shape[1], count, niter=10, seed=seed, min_points_per_centroid=1)
        clustering.train(points)
        distances, nearest = search(points, clustering.centroids, 1)
    return nearest[:, 0], distances[:, 0]


@contextmanager
def faiss_threads(threads: int) -> Iterator[None]:
    """faiss with this many threads inside the block, and as many as before after it."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def blocks(rows: np.ndarray) -> Iterator[slice]:
    """Slices that together cover `rows` (n, d), each of a size that fits in memory with room to spare."""
    step = max(1, _BLOCK_VALUES // rows.shape[1])
    return (slice(start, start + step) for start in range(0, len(rows), step))
