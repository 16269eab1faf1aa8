"""What the data looks like: neighbours, local dimension, density, clusters; computed when asked, then kept."""

from collections.abc import Callable, Mapping
from functools import cache as cache_once
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np

from bench import cache, digests
from bench.data.dataset import Dataset
from bench.geometry import dimension, knn

# Neighbours are searched this deep at once, since what asks for 10 is mostly followed by what asks for 100.
NEIGHBORS = 100


class Geometry:
    """The geometry of a dataset, in the space that its metric ranks by.

    Under `cosine` that is Euclidean distance between rows brought to unit length; under `l2` and `ip`
    Euclidean distance between rows as they are. Neighbours, LID and the like are Euclidean under `ip`
    too, since an inner product has no neighbourhoods; only `ground_truth` goes by the inner product.

    told: is called with a line before anything that takes long.
    """

    def __init__(self, dataset: Dataset, told: Callable[[str], None] = lambda line: None) -> None:
        self.dataset = dataset
        self._told = told
        self._neighbors: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def points(self) -> np.ndarray:
        """(n, d) float32: the base, at unit length under cosine."""
        dataset = self.dataset
        if dataset.metric != "cosine":
            return dataset.base

        def make() -> dict[str, cache.Blocks]:
            units = (knn.unit(dataset.base[rows]) for rows in knn.blocks(dataset.base))
            return {"points": cache.Blocks(dataset.base.shape, dataset.base.dtype, units)}

        return self.kept("unit", {}, make)["points"]

    @cached_property
    def query_points(self) -> np.ndarray:
        """(q, d) float32: the queries, at unit length under cosine."""
        queries = self.dataset.queries
        return knn.unit(queries) if self.dataset.metric == "cosine" else queries

    @property
    def ranks_by(self) -> str:
        """`ip` where the metric is, else `l2`: how `points` and `query_points` rank neighbours."""
        return "ip" if self.dataset.metric == "ip" else "l2"

    def ground_truth(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances (q, k) and base ids (q, k) of the queries' exact nearest neighbours, ascending."""

        def make() -> dict[str, np.ndarray]:
            self.tell("exact neighbours of the queries")
            distances, ids = knn.search(self.query_points, self.points, k, self.ranks_by)
            return {"distances": distances, "ids": ids}

        kept = self.kept("ground_truth", {"k": k}, make)
        return kept["distances"], kept["ids"]

    def neighbors(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances (n, k) and ids (n, k) of every base row's nearest others, ascending."""
        n = self.dataset.n
        if k >= n:
            raise ValueError(f"{k} neighbours of a row asked, {n} rows there are")
        depth = max(k, min(NEIGHBORS, n - 1))
        if depth not in self._neighbors:

            def make() -> dict[str, np.ndarray]:
                self.tell(f"{depth} exact neighbours of every row")
                distances, ids = knn.neighbors(self.points, depth)
                return {"distances": distances, "ids": ids}

            kept = self.kept("neighbors", {"k": depth}, make)
            self._neighbors[depth] = kept["distances"], kept["ids"]
        distances, ids = self._neighbors[depth]
        return distances[:, :k], ids[:, :k]

    def lid(self, k: int = NEIGHBORS, estimator: str = "mle") -> np.ndarray:
        """(n,) local intrinsic dimension of every base row; NaN where there is no estimate."""

        def make() -> dict[str, np.ndarray]:
            distances, ids = self.neighbors(k)
            self.tell(f"local intrinsic dimension ({estimator})")
            return {"lid": dimension.pointwise(distances, ids, self.points, estimator)}

        return self.kept("lid", {"k": k, "estimator": estimator}, make)["lid"]

    def radius(self, k: int) -> np.ndarray:
        """(n,) distance of every base row to its k-th neighbour."""
        return self.neighbors(k)[0][:, k - 1]

    def occurrences(self, k: int) -> np.ndarray:
        """(n,) how often every base row is among the k nearest neighbours of others (its hubness)."""
        return np.bincount(self.neighbors(k)[1].ravel(), minlength=self.dataset.n)

    def centroid_distances(self) -> np.ndarray:
        """(n,) distance of every base row to the mean of all."""
        mean = self.points.mean(axis=0, dtype=np.float64)
        return knn.distances_to(self.points, mean.astype(np.float32))

    def clusters(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Of every base row, the nearest of `count` k-means centroids (n,) and the distance to it (n,)."""

        def make() -> dict[str, np.ndarray]:
            nearest, distances = knn.kmeans(self.points, count, seed)
            return {"nearest": nearest, "distances": distances}

        kept = self.kept("clusters", {"count": count, "seed": seed}, make)
        return kept["nearest"], kept["distances"]

    def tell(self, line: str) -> None:
        self._told(f"{self.dataset.name}: {line}")

    def kept(
        self,
        kind: str,
        key: dict[str, object],
        make: Callable[[], Mapping[str, np.ndarray | cache.Blocks]],
    ) -> dict[str, np.ndarray]:
        data = {"fingerprint": self.dataset.fingerprint, "metric": self.dataset.metric, **_made_by()}
        return cache.entry(f"geometry/{kind}", data | key, make).arrays


@cache_once
def _made_by() -> dict[str, str]:
    """The code and libraries that geometry depends on: of other ones, nothing kept is taken."""
    return {"code": digests.code_digest(Path(__file__).parent)} | {
        name: metadata.version(name) for name in ("numpy", "faiss-cpu", "scikit-dimension")
    }
