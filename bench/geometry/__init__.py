"""The geometry of the data: neighbours, local dimension, density, clusters; computed when needed, then cached."""

from collections.abc import Callable, Mapping
from functools import cache as cache_once
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np

from bench import cache, digests
from bench.data.dataset import Dataset, part
from bench.errors import Log
from bench.geometry import copies, dimension, knn

# Neighbours are searched this deep at once, since what asks for 10 is mostly followed by what asks for 100.
NEIGHBORS = 100


class Geometry:
    """The geometry of a dataset, in the space that its metric ranks by.

    Under `cosine` that is Euclidean distance between rows brought to unit length; under `l2` and `ip`
    Euclidean distance between rows as they are. Neighbours, LID and the like are Euclidean under `ip`
    too, since an inner product has no neighbourhoods; only `ground_truth` uses the inner product.

    log: called with a line before anything that takes long.
    """

    def __init__(self, dataset: Dataset, log: Log = lambda line: None) -> None:
        self.dataset = dataset
        self._log = log

    @cached_property
    def points(self) -> np.ndarray:
        """(n, d) float32: the base, at unit length under cosine."""
        dataset = self.dataset
        if dataset.metric != "cosine":
            return dataset.base

        def make() -> dict[str, cache.Blocks]:
            units = (knn.unit(dataset.base[rows]) for rows in knn.blocks(dataset.base))
            return {"points": cache.Blocks(dataset.base.shape, dataset.base.dtype, units)}

        return self.cached("unit", {}, make)["points"]

    @cached_property
    def query_points(self) -> np.ndarray:
        """(q, d) float32: the queries, at unit length under cosine."""
        queries = self.dataset.queries
        return knn.unit(queries) if self.dataset.metric == "cosine" else queries

    @property
    def ranks_by(self) -> str:
        """`ip` if the metric is, else `l2`: how `points` and `query_points` rank neighbours."""
        return "ip" if self.dataset.metric == "ip" else "l2"

    @property
    def query_duplicates(self) -> np.ndarray:
        """(q, 1) how far away a duplicate of a query may be; minus infinity by inner product, which has no nearness."""
        farthest = knn.rounding(self.query_points, self.points)[:, None]
        return np.full_like(farthest, -np.inf) if self.ranks_by == "ip" else farthest

    def ground_truth(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances (q, k) and base ids (q, k) of the queries' exact nearest neighbours, ascending."""

        def make() -> dict[str, np.ndarray]:
            self.log("exact neighbours of the queries")
            distances, ids = knn.search(self.query_points, self.points, k, self.ranks_by)
            return {"distances": distances, "ids": ids}

        arrays = self.cached("ground_truth", {"k": k}, make)
        return arrays["distances"], arrays["ids"]

    def neighbors(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances (n, k) and ids (n, k) of every base row's nearest others, ascending."""
        n = self.dataset.n
        if k >= n:
            raise ValueError(f"k = {k} neighbours of one of {n} rows")
        depth = max(k, min(NEIGHBORS, n - 1))

        def make() -> dict[str, np.ndarray]:
            self.log(f"{depth} exact neighbours of every row")
            distances, ids = knn.neighbors(self.points, depth)
            return {"distances": distances, "ids": ids}

        arrays = self.cached("neighbors", {"k": depth}, make)
        return arrays["distances"][:, :k], arrays["ids"][:, :k]

    @cached_property
    def first_copies(self) -> np.ndarray:
        """(n,) int64: for each base row the first row that is the same under the metric; see `copies.first_copies`."""
        return self.cached("copies", {}, lambda: {"first": copies.first_copies(self.points)})["first"]

    @cached_property
    def distinct_rows(self) -> np.ndarray:
        """(m,) int64 numbers of the base rows that repeat no row before them, ascending."""
        return np.flatnonzero(self.first_copies == np.arange(self.dataset.n))

    @cached_property
    def distinct(self) -> "Geometry":
        """The geometry of the distinct rows alone, from which all estimates are made; itself if no row is a copy."""
        rows = self.distinct_rows
        if len(rows) == self.dataset.n:
            return self
        # Naming the class would make every edit of it an edit of the orders that come here
        return type(self)(part(self.dataset, rows, self.dataset.name), self._log)

    @cached_property
    def place_in_distinct(self) -> np.ndarray:
        """(n,) int64: for each base row the place of its first copy in `distinct_rows`."""
        return np.searchsorted(self.distinct_rows, self.first_copies)

    def lid(self, k: int = NEIGHBORS, estimator: str = "mle") -> np.ndarray:
        """(n,) local intrinsic dimension of every base row; NaN without an estimate.

        From k distinct neighbours: a copy counts once, and copies share an estimate. All NaN if there are too few.
        """
        if self.distinct is not self:
            return self._of_distinct(k, np.nan, lambda distinct: distinct.lid(k, estimator))

        def make() -> dict[str, np.ndarray]:
            distances, ids = self.neighbors(k)
            self.log(f"local intrinsic dimension ({estimator})")
            return {"lid": dimension.pointwise(distances, ids, self.points, estimator)}

        return self.cached("lid", {"k": k, "estimator": estimator}, make)["lid"]

    def radius(self, k: int) -> np.ndarray:
        """(n,) distance of every base row to its k-th distinct neighbour; all infinite if there are too few."""
        if self.distinct is not self:
            return self._of_distinct(k, np.inf, lambda distinct: distinct.radius(k))
        return self.neighbors(k)[0][:, k - 1]

    def occurrences(self, k: int) -> np.ndarray:
        """(n,) how often every base row is among the k nearest distinct neighbours of distinct others (its hubness).

        All equal if there are too few.
        """
        if self.distinct is not self:
            return self._of_distinct(k, 0, lambda distinct: distinct.occurrences(k))
        return np.bincount(self.neighbors(k)[1].ravel(), minlength=self.dataset.n)

    def _of_distinct(self, k: int, without: float, estimate: Callable[["Geometry"], np.ndarray]) -> np.ndarray:
        """(n,) an estimate of the distinct rows, which copies share; all `without` if none has k neighbours."""
        count = self.distinct.dataset.n
        if k < count:
            return np.asarray(estimate(self.distinct)[self.place_in_distinct])
        self.log(f"only {count} distinct rows: none has {k} neighbours to estimate from")
        return np.full(self.dataset.n, without)

    def centroid_distances(self) -> np.ndarray:
        """(n,) distance of every base row to the mean of all."""
        mean = self.points.mean(axis=0, dtype=np.float64)
        return knn.distances_to(self.points, mean.astype(np.float32))

    def clusters(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Of every base row, the nearest of `count` k-means centroids (n,) and the distance to it (n,)."""

        def make() -> dict[str, np.ndarray]:
            nearest, distances = knn.kmeans(self.points, count, seed)
            return {"nearest": nearest, "distances": distances}

        arrays = self.cached("clusters", {"count": count, "seed": seed}, make)
        return arrays["nearest"], arrays["distances"]

    def log(self, line: str) -> None:
        """Pass on a line of progress, with the dataset's name."""
        self._log(f"{self.dataset.name}: {line}")

    def cached(
        self, kind: str, key: Mapping[str, object], make: Callable[[], Mapping[str, np.ndarray | cache.Blocks]]
    ) -> dict[str, np.ndarray]:
        """Arrays that depend on this dataset and on `key`, made if the cache lacks them."""
        data = {"fingerprint": self.dataset.fingerprint, "metric": self.dataset.metric, **made_by()}
        return cache.entry(f"geometry/{kind}", data | dict(key), make).arrays


@cache_once
def made_by() -> dict[str, str]:
    """The code and libraries that geometry depends on: what others made is not taken from the cache."""
    here = Path(__file__).parent
    return {
        "code": digests.code_digest(*(here / name for name in ("__init__.py", "knn.py", "copies.py", "dimension.py")))
    } | {name: metadata.version(name) for name in ("numpy", "faiss-cpu", "scikit-dimension")}
