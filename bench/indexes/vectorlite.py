"""vectorlite: hnswlib as a virtual table of SQLite, in memory. Rows go in by one INSERT each, in the caller's order."""

from typing import Any

import numpy as np

from bench.indexes.engine import Engine, Params, importing
from bench.indexes.insertion import calls

_SEARCH = "SELECT rowid FROM vectors WHERE knn_search(vector, knn_param(?, ?, ?)) ORDER BY distance"
_GRAPH = "VIRTUAL TABLE INDEX 2:ks"  # in a plan: knn_search, and no other constraint
_BLOCK = 1024  # rows gathered at a time; each is an INSERT


class VectorliteSearcher:
    """A connection whose table `vectors` is the index; row ids are base ids."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        plan = self.index.execute(f"EXPLAIN QUERY PLAN {_SEARCH}", (queries[0].tobytes(), k, ef_search))
        if not any(line.endswith(_GRAPH) for *_, line in plan):
            raise RuntimeError("SQLite's plan does not search the graph of vectorlite")
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        for row, query in zip(ids, queries, strict=True):
            found = [rowid for (rowid,) in self.index.execute(_SEARCH, (query.tobytes(), k, ef_search))]
            row[: len(found)] = found
        return ids


def build(base: np.ndarray, order: np.ndarray, metric: str, params: Params, seed: int) -> VectorliteSearcher:
    """An index of `base` (n, d) with row order[i] inserted i-th; levels are drawn by position from `seed`."""
    import apsw
    import vectorlite_py

    index = apsw.Connection(":memory:")
    index.enable_load_extension(True)
    index.load_extension(vectorlite_py.vectorlite_path())
    index.execute(
        f"CREATE VIRTUAL TABLE vectors USING vectorlite(vector float32[{base.shape[1]}] {metric}, "
        f"hnsw(max_elements={len(order)}, M={params.M}, ef_construction={params.ef_construction}, "
        f"random_seed={seed}))"
    )
    for ids in calls(order, _BLOCK):
        rows = ((int(row), vector.tobytes()) for row, vector in zip(ids, base[ids], strict=True))
        index.executemany("INSERT INTO vectors(rowid, vector) VALUES (?, ?)", rows)
    return VectorliteSearcher(index)


def _check(params: Params) -> None:
    if params.threads != 1:
        raise ValueError(f"threads = {params.threads}: vectorlite inserts and searches on one; leave threads at 1")


ENGINE = Engine(
    build=build,
    package="vectorlite-py",
    libraries=("apsw",),
    about="hnswlib as a table of SQLite, a row an INSERT; levels by position, from the seed",
    check=_check,
    most_ef_search=2**31 - 1,
    extra="vectorlite",
    prepare=importing("apsw", "vectorlite_py"),
)
