"""Spotify's voyager, from hnswlib. One thread keeps the caller's order, whatever the size of a call.

With inner products, each row gets a coordinate more as it is inserted: the square root of R² - |x|², where R is the
largest length so far. Links are chosen by the products of these longer vectors, so that the order changes what is
compared while building, as well as who meets whom. A query gets a 0 there: answers are ranked by true inner products.
"""

import re
from typing import Any, Literal

import numpy as np

from bench.indexes.engine import Engine, Params, importing
from bench.indexes.insertion import Chunk, calls

_METRICS = {"l2": "Euclidean", "cosine": "Cosine", "ip": "InnerProduct"}
_STORED = {"f32": "Float32", "i8": "Float8", "e4m3": "E4M3"}


class VoyagerParams(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows a call of `add_items`; on one thread it changes no graph.
    dtype: what vectors are stored as: float32, or eight bits: i8 (fixed point, values within -1 and 1), or e4m3.
    """

    chunk: Chunk = 1000
    dtype: Literal["f32", "i8", "e4m3"] = "f32"


class VoyagerSearcher:
    """A built voyager index, whose ids are base ids."""

    def __init__(self, index: Any, threads: int) -> None:
        self.index = index
        self._threads = threads

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        import voyager

        ef_search = max(k, ef_search)  # it refuses less
        queries = np.require(queries, requirements="W")  # it refuses what cannot be written
        try:
            ids, _ = self.index.query(queries, k=k, num_threads=self._threads, query_ef=ef_search)
        except voyager.RecallError:  # of a whole batch, when one query reaches fewer than k rows
            return np.stack([self._reached(query, k, ef_search) for query in queries])
        return np.asarray(ids, dtype=np.int64)

    def _reached(self, query: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Ids (k,) of the rows that a query reaches, then -1: as many as the error counts."""
        import voyager

        reached = np.full(k, -1, dtype=np.int64)
        count = k
        while count:
            try:
                ids, _ = self.index.query(query, k=count, num_threads=1, query_ef=ef_search)
            except voyager.RecallError as error:
                found = re.search(r"only found (\d+) of", str(error))
                if found is None or int(found[1]) >= count:
                    raise
                count = int(found[1])
            else:
                reached[:count] = ids
                break
        return reached


def build(base: np.ndarray, order: np.ndarray, metric: str, params: VoyagerParams, seed: int) -> VoyagerSearcher:
    """An index of `base` (n, d) with row order[i] inserted i-th; levels are drawn by position from `seed`."""
    import voyager

    index = voyager.Index(
        getattr(voyager.Space, _METRICS[metric]),
        num_dimensions=base.shape[1],
        M=params.M,
        ef_construction=params.ef_construction,
        random_seed=seed,
        max_elements=len(order),
        storage_data_type=getattr(voyager.StorageDataType, _STORED[params.dtype]),
    )
    for ids in calls(order, params.chunk):
        index.add_items(base[ids], ids.tolist(), num_threads=params.threads)
    return VoyagerSearcher(index, params.threads)


ENGINE = Engine(
    build=build,
    package="voyager",
    about="Spotify's fork of hnswlib; levels by position, from the seed",
    params=VoyagerParams,
    extra="voyager",
    prepare=importing("voyager"),
)
