"""usearch. One thread keeps the caller's order, whatever the size of a call; levels depend on position, not a seed."""

from typing import Any, Literal

import numpy as np

from bench.indexes.engine import Engine, importing
from bench.indexes.insertion import Chunk, JitteredParams, calls, check_jitter, jittered

_METRICS = {"l2": "l2sq", "cosine": "cos", "ip": "ip"}


class UsearchParams(JitteredParams, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows a call of `add`; on one thread it changes no graph.
    dtype: what vectors are stored and compared as. The library's own default is bf16 where the machine has it; i8 keeps
        directions only, and is for cosine.
    """

    chunk: Chunk = 1000
    dtype: Literal["f32", "bf16", "f16", "i8"] = "f32"


class UsearchSearcher:
    """A built usearch index, whose keys are base ids."""

    def __init__(self, index: Any, threads: int) -> None:
        self.index = index
        self._threads = threads

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        self.index.expansion_search = ef_search
        matches = self.index.search(queries, k, threads=self._threads)
        if matches.visited_members == 0:  # as in its exact searches
            raise RuntimeError("usearch visited no node of its graph: it answers by an exact scan")
        if len(queries) == 1:  # it has another type for one query, and fewer keys where fewer were found
            keys = matches.keys.astype(np.int64)[None]
            return np.pad(keys, ((0, 0), (0, k - keys.shape[1])), constant_values=-1)
        return np.where(np.arange(k) < matches.counts.astype(np.int64)[:, None], matches.keys.astype(np.int64), -1)


def build(base: np.ndarray, order: np.ndarray, metric: str, params: UsearchParams, seed: int) -> UsearchSearcher:
    """Return an index of `base` (n, d) with row order[i] inserted i-th, except rows that `jitter` moves by the seed.

    Raises ValueError if i8 cannot serve the metric.
    """
    from usearch.index import Index

    if params.dtype == "i8" and metric != "cosine":
        raise ValueError(f"dtype = i8 keeps no lengths of vectors, which {metric} needs: take metric cosine, or f16")
    index = Index(
        ndim=base.shape[1],
        metric=_METRICS[metric],
        dtype=params.dtype,
        connectivity=params.M,
        expansion_add=params.ef_construction,
    )
    for ids in calls(jittered(order, params.jitter, seed), params.chunk):
        index.add(ids, base[ids], threads=params.threads)
    return UsearchSearcher(index, params.threads)


ENGINE = Engine(
    build=build,
    package="usearch",
    libraries=("numkong",),  # which its distances come from
    about="Unum's C++ library, float32 here; levels by position, always the same: the seed moves rows",
    params=UsearchParams,
    check=check_jitter,
    extra="usearch",
    prepare=importing("usearch.index"),
)
