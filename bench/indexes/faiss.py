"""FAISS's IndexHNSWFlat. Rows go in one a call: within a call, FAISS orders them its own way."""

from typing import Any

import numpy as np

from bench.geometry.knn import faiss_threads
from bench.indexes.engine import Engine, Params, importing
from bench.indexes.insertion import Chunk

_INSERT_BLOCK = 1024  # rows gathered at a time; they are still added `chunk` a call


class FaissParams(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows a call of `add`, or "all", within which FAISS orders them its own way."""

    chunk: Chunk = 1


class FaissSearcher:
    """A built FAISS index, whose ids are positions of insertion, and the order that turns them into base ids."""

    def __init__(self, index: Any, order: np.ndarray, metric: str, threads: int) -> None:
        self.index = index
        self._order = order
        self._metric = metric
        self._threads = threads

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        import faiss

        self.index.hnsw.efSearch = ef_search
        if self._metric == "cosine":
            queries = queries.copy()
            faiss.normalize_L2(queries)
        with faiss_threads(self._threads):
            _, positions = self.index.search(queries, k)
        return np.where(positions >= 0, self._order[positions], -1)


def build(base: np.ndarray, order: np.ndarray, metric: str, params: FaissParams, seed: int) -> FaissSearcher:
    """An index of `base` (n, d) with row order[i] inserted i-th; levels are drawn by position from `seed`."""
    import faiss

    kind = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexHNSWFlat(base.shape[1], params.M, kind)
    index.hnsw.efConstruction = params.ef_construction
    index.hnsw.rng = faiss.RandomGenerator(seed)
    chunk = len(order) if params.chunk == "all" else params.chunk
    block = max(chunk, _INSERT_BLOCK // chunk * chunk)
    with faiss_threads(params.threads):
        for start in range(0, len(order), block):
            rows = base[order[start : start + block]]  # a copy
            if metric == "cosine":
                faiss.normalize_L2(rows)
            for first in range(0, len(rows), chunk):
                index.add(rows[first : first + chunk])
    return FaissSearcher(index, order, metric, params.threads)


ENGINE = Engine(
    build=build,
    package="faiss-cpu",
    prepare=importing("faiss"),
    about="IndexHNSWFlat; one row per add, since a larger add reorders",
    params=FaissParams,
)
