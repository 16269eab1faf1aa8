"""What the data looks like: neighbours, local dimension, density, clusters; computed when asked, then kept."""

import warnings
from collections.abc import Callable, Mapping
from functools import cache as cache_once
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from bench import cache
from bench.data.dataset import Dataset
from bench.errors import BenchError, BenchWarning, unknown
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
        self._dataset = dataset
        self._told = told
        self._neighbors: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def points(self) -> np.ndarray:
        """(n, d) float32: the base, at unit length under cosine."""
        dataset = self._dataset
        if dataset.metric != "cosine":
            return dataset.base

        def make() -> dict[str, cache.Blocks]:
            units = (knn.unit(dataset.base[rows]) for rows in knn.blocks(dataset.base))
            return {"points": cache.Blocks(dataset.base.shape, dataset.base.dtype, units)}

        return self._kept("unit", {}, make)["points"]

    @cached_property
    def query_points(self) -> np.ndarray:
        """(q, d) float32: the queries, at unit length under cosine."""
        queries = self._dataset.queries
        return knn.unit(queries) if self._dataset.metric == "cosine" else queries

    @property
    def ranks_by(self) -> str:
        """`ip` where the metric is, else `l2`: how `points` and `query_points` rank neighbours."""
        return "ip" if self._dataset.metric == "ip" else "l2"

    def ground_truth(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances (q, k) and base ids (q, k) of the queries' exact nearest neighbours, ascending."""

        def make() -> dict[str, np.ndarray]:
            self._tell("exact neighbours of the queries")
            distances, ids = knn.search(self.query_points, self.points, k, self.ranks_by)
            return {"distances": distances, "ids": ids}

        kept = self._kept("ground_truth", {"k": k}, make)
        return kept["distances"], kept["ids"]

    def check_given(self, sample: int = 100, seed: int = 0) -> None:
        """A BenchWarning where the neighbours that came with the data are not the nearest, for a sample of queries.

        They are compared with exact search of our own; a row counts as near where it is as near as the
        k-th, by distance, so ties do not matter.
        """
        dataset = self._dataset
        if dataset.neighbors is None:
            return
        queries = np.random.default_rng([seed, *b"given"]).permutation(len(dataset.neighbors))[:sample]
        given = dataset.neighbors[queries, : dataset.n]
        k = given.shape[1]

        def make() -> dict[str, np.ndarray]:
            self._tell(f"exact neighbours of {len(queries)} queries, to verify those that came with the data")
            return {"distances": knn.search(self.query_points[queries], self.points, k, self.ranks_by)[0]}

        kth = self._kept("given", {"k": k, "sample": sample, "seed": seed}, make)["distances"][:, -1:]

        def near(ids: np.ndarray) -> int:
            there = np.where((ids >= 0) & (ids < dataset.n), ids, -1)
            reached = knn.true_distances(self.query_points[queries], self.points, there, self.ranks_by)
            as_near = (reached <= kth + knn.RELATIVE_TOLERANCE * np.abs(kth)) & (there >= 0)
            return sum(len(set(row[good])) for row, good in zip(there, as_near, strict=True))

        agree = near(given)
        outside = int(((dataset.neighbors < 0) | (dataset.neighbors >= dataset.n)).sum())
        if agree < given.size or outside:
            if near(given - 1) > max(agree, 0.9 * given.size):
                why = "their ids seem to count from 1"
            elif outside:
                why = f"{outside:,} are no row of the base, which may have been cut"
            elif agree > 0.99 * given.size:
                why = "so few that rounding may be the reason"
            else:
                why = "the metric may be another, or the base or its order"
            warnings.warn(
                f"{dataset.name}: of {given.size:,} neighbours that came with the data ({k} each of "
                f"{len(queries)} queries), {agree:,} are among the nearest: {why}; exact search of our own counts",
                BenchWarning,
                stacklevel=2,
            )

    def neighbors(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances (n, k) and ids (n, k) of every base row's nearest others, ascending."""
        n = self._dataset.n
        if k >= n:
            raise ValueError(f"{k} neighbours of a row asked, {n} rows there are")
        depth = max(k, min(NEIGHBORS, n - 1))
        if depth not in self._neighbors:

            def make() -> dict[str, np.ndarray]:
                self._tell(f"{depth} exact neighbours of every row")
                distances, ids = knn.neighbors(self.points, depth)
                return {"distances": distances, "ids": ids}

            kept = self._kept("neighbors", {"k": depth}, make)
            self._neighbors[depth] = kept["distances"], kept["ids"]
        distances, ids = self._neighbors[depth]
        return distances[:, :k], ids[:, :k]

    def lid(self, k: int = NEIGHBORS, estimator: str = "mle") -> np.ndarray:
        """(n,) local intrinsic dimension of every base row; NaN where there is no estimate."""

        def make() -> dict[str, np.ndarray]:
            distances, ids = self.neighbors(k)
            self._tell(f"local intrinsic dimension ({estimator})")
            return {"lid": dimension.pointwise(distances, ids, self.points, estimator)}

        return self._kept("lid", {"k": k, "estimator": estimator}, make)["lid"]

    def radius(self, k: int) -> np.ndarray:
        """(n,) distance of every base row to its k-th neighbour."""
        return self.neighbors(k)[0][:, k - 1]

    def occurrences(self, k: int) -> np.ndarray:
        """(n,) how often every base row is among the k nearest neighbours of others (its hubness)."""
        return np.bincount(self.neighbors(k)[1].ravel(), minlength=self._dataset.n)

    def centroid_distances(self) -> np.ndarray:
        """(n,) distance of every base row to the mean of all."""
        mean = self.points.mean(axis=0, dtype=np.float64)
        return knn.distances_to(self.points, mean.astype(np.float32))

    def clusters(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Of every base row, the nearest of `count` k-means centroids (n,) and the distance to it (n,)."""

        def make() -> dict[str, np.ndarray]:
            nearest, distances = knn.kmeans(self.points, count, seed)
            return {"nearest": nearest, "distances": distances}

        kept = self._kept("clusters", {"count": count, "seed": seed}, make)
        return kept["nearest"], kept["distances"]

    def describe(self, k: int = NEIGHBORS, estimator: str = "mle") -> dict[str, Any]:
        """Local and global dimension in figures; a BenchError where k or the estimator cannot be."""
        dataset = self._dataset
        if estimator not in dimension.ESTIMATORS:
            raise unknown("estimator", estimator, dimension.ESTIMATORS)
        if dataset.n < 3:
            raise BenchError(f"{dataset.name!r} has {dataset.n} rows, too few for a dimension: give at least 3")
        if not 1 < k < dataset.n:
            raise BenchError(f"k = {k}: {dataset.name!r} has {dataset.n} rows; give 2 to {dataset.n - 1} neighbours")
        lid = self.lid(k, estimator)
        nearest = self.neighbors(k)[0]
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
            "pca_dimension_99": dimension.pca(self.points),
            "two_nn_dimension": dimension.two_nn(nearest),
        }

    def by_label(self, k: int = NEIGHBORS, estimator: str = "mle") -> list[dict[str, Any]]:
        """Dimension of all rows, under `(all)`, and of those of each label; a BenchError where there are no labels.

        pca_dimension_99: of the label's rows; pca_same_number: of as many rows drawn from all, since fewer rows span
        fewer dimensions. lid_mean: over the label's rows, their neighbours sought among all.
        """
        dataset = self._dataset
        if dataset.labels is None:
            raise BenchError(f"{dataset.name!r} has no labels: name a dataset that has; see `bench list datasets`")
        whole = self.describe(k, estimator)
        lid = self.lid(k, estimator)
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
                    "pca_dimension_99": dimension.pca(self.points[rows]),
                    "pca_same_number": dimension.pca(self.points[rng.choice(dataset.n, len(rows), replace=False)]),
                    "lid_mean": float(known.mean()) if len(known) else float("nan"),
                }
            )
        return found

    def _tell(self, line: str) -> None:
        self._told(f"{self._dataset.name}: {line}")

    def _kept(
        self,
        kind: str,
        key: dict[str, object],
        make: Callable[[], Mapping[str, np.ndarray | cache.Blocks]],
    ) -> dict[str, np.ndarray]:
        data = {"fingerprint": self._dataset.fingerprint, "metric": self._dataset.metric, **_made_by()}
        return cache.entry(f"geometry/{kind}", data | key, make).arrays


@cache_once
def _made_by() -> dict[str, str]:
    """The code and libraries that geometry depends on: of other ones, nothing kept is taken."""
    return {"code": cache.code_digest(Path(__file__).parent)} | {
        name: metadata.version(name) for name in ("numpy", "faiss-cpu", "scikit-dimension")
    }
