"""hnswlib: the authors' library. One thread keeps the caller's order, row by row or in blocks alike."""

from typing import Any

import numpy as np

from bench.indexes.engine import Engine, Params, importing

_INSERT_BLOCK = 1024  # rows gathered at a time: little memory, and Ctrl-C is heard between blocks


class HnswlibSearcher:
    """A built hnswlib index, whose labels are base ids."""

    def __init__(self, index: Any, threads: int) -> None:
        self.index = index
        self._threads = threads

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        self.index.set_ef(ef_search)
        try:
            ids, _ = self.index.knn_query(queries, k=k, num_threads=self._threads)
        except RuntimeError as error:
            # hnswlib refuses a whole batch when one query reaches fewer than k rows.
            if "contiguous 2D array" not in str(error):
                raise
            return np.stack([self._reached(query, k) for query in queries])
        return np.asarray(ids, dtype=np.int64)

    def _reached(self, query: np.ndarray, k: int) -> np.ndarray:
        """Ids (k,) of as many rows as a query reaches, then -1: the largest count that does not fail."""
        reached = np.full(k, -1, dtype=np.int64)
        enough, too_many = 0, k + 1
        while too_many - enough > 1:
            count = (enough + too_many) // 2
            try:
                ids, _ = self.index.knn_query(query, k=count, num_threads=1)
            except RuntimeError:
                too_many = count
            else:
                enough = count
                reached[:count] = ids[0].astype(np.int64)
        return reached


def build(base: np.ndarray, order: np.ndarray, metric: str, params: Params, seed: int) -> HnswlibSearcher:
    """An index of `base` (n, d) with row order[i] inserted i-th; levels are drawn by position from `seed`."""
    import hnswlib

    index = hnswlib.Index(space=metric, dim=base.shape[1])
    index.init_index(max_elements=len(order), M=params.M, ef_construction=params.ef_construction, random_seed=seed)
    for start in range(0, len(order), _INSERT_BLOCK):
        ids = order[start : start + _INSERT_BLOCK]
        index.add_items(base[ids], ids, num_threads=params.threads)
    return HnswlibSearcher(index, params.threads)


ENGINE = Engine(
    build=build,
    package="hnswlib",
    prepare=importing("hnswlib"),
    about="the authors' C++ library; levels by position, from the seed",
)
