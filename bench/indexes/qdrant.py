"""Qdrant Edge: Qdrant's core in this process. Its graph is built in ascending point id, whatever arrives first.

So a row's point id is its place in the order. Levels are drawn without a seed, and no build repeats.
"""

from typing import Any, Literal

import numpy as np

from bench.indexes.engine import Engine, Params, Promises, importing
from bench.indexes.insertion import Chunk, calls
from bench.indexes.scratch import Scratch

_DISTANCES = {"l2": "Euclid", "cosine": "Cosine", "ip": "Dot"}
_INSERT_BLOCK = 1024  # rows made points at a time: a point is an object of Python's
_QUERIES = 100  # a call: Ctrl-C is heard between calls


class QdrantParams(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows per upsert. The graph is built afterwards, by point id, so that it affects build time only.
    indexing_threshold: kilobytes of vectors below which Qdrant builds no graph, and the build fails.
    quantization: of the vectors that builds and searches compare; searches do not rank again by the float32 vectors.
    """

    chunk: Chunk = 1000
    indexing_threshold: int = 1
    quantization: Literal["none", "int8"] = "none"


class QdrantSearcher:
    """A shard of Qdrant Edge, whose point ids are places in the order, and the order that turns them into base ids."""

    def __init__(self, shard: Any, scratch: Scratch, order: np.ndarray) -> None:
        self.shard = shard
        self._scratch = scratch  # removed with this object
        self._order = order

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        import qdrant_edge

        _check_indexed(self.shard, len(self._order))
        params = qdrant_edge.SearchParams(hnsw_ef=ef_search, indexed_only=True)
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        for start in range(0, len(queries), _QUERIES):
            requests = [
                qdrant_edge.QueryRequest(limit=k, query=qdrant_edge.Query.Nearest(query.tolist()), params=params)
                for query in queries[start : start + _QUERIES]
            ]
            for row, points in enumerate(self.shard.query_batch(qdrant_edge.QueryBatchRequest(requests)), start):
                ids[row, : len(points)] = self._order[[point.id for point in points]]
        return ids


def build(base: np.ndarray, order: np.ndarray, metric: str, params: QdrantParams, seed: int) -> QdrantSearcher:
    """A shard of `base` (n, d) with row order[i] as point i; `seed` is not used, since Qdrant takes none."""
    import qdrant_edge

    scratch = Scratch()
    shard = qdrant_edge.EdgeShard.create(str(scratch.path), _config(base.shape[1], metric, params))
    place = 0
    for rows in calls(order, params.chunk):
        _upsert(shard, base, rows, place)
        place += len(rows)
    shard.optimize()
    _check_indexed(shard, len(order))
    return QdrantSearcher(shard, scratch, order)


def _config(dimension: int, metric: str, params: QdrantParams) -> Any:
    """One segment, whose graph answers however few rows it has."""
    import qdrant_edge

    int8 = qdrant_edge.ScalarQuantizationConfig(type=qdrant_edge.ScalarType.Int8)
    return qdrant_edge.EdgeConfig(
        vectors=qdrant_edge.EdgeVectorParams(
            size=dimension, distance=getattr(qdrant_edge.Distance, _DISTANCES[metric])
        ),
        hnsw_config=qdrant_edge.HnswIndexConfig(
            m=params.M,
            ef_construct=params.ef_construction,
            full_scan_threshold=0,  # else fewer kilobytes are scanned, though a graph holds them
            max_indexing_threads=params.threads,
        ),
        optimizers=qdrant_edge.EdgeOptimizersConfig(
            indexing_threshold=params.indexing_threshold, default_segment_number=1
        ),
        max_search_threads=params.threads,
        quantization_config=int8 if params.quantization == "int8" else None,
        wal_enabled=False,  # what is killed is not loaded again
    )


def _upsert(shard: Any, base: np.ndarray, rows: np.ndarray, place: int) -> None:
    """Rows of one call as points from `place` on."""
    import qdrant_edge

    points: list[Any] = []
    for start in range(0, len(rows), _INSERT_BLOCK):
        vectors = base[rows[start : start + _INSERT_BLOCK]].tolist()
        points += [qdrant_edge.Point(place + i, vector) for i, vector in enumerate(vectors, start)]
    shard.update(qdrant_edge.UpdateOperation.upsert_points(points))


def _check_indexed(shard: Any, rows: int) -> None:
    """Raises RuntimeError if a graph does not hold all rows: the others would be scanned, or not be found."""
    indexed = shard.info().indexed_vectors_count
    if indexed != rows:
        raise RuntimeError(
            f"Qdrant's graph holds {indexed} of {rows} rows, and the others would be scanned: give more rows, or an "
            "indexing_threshold (kilobytes) of 1"
        )


def _check(params: QdrantParams) -> None:
    if params.indexing_threshold < 1:
        raise ValueError(
            f"indexing_threshold = {params.indexing_threshold}: give at least 1 (kilobyte); 0 builds no graph"
        )


ENGINE = Engine(
    build=build,
    package="qdrant-edge-py",
    about="Qdrant's core in this process; builds by ascending point id, which is the place in the order",
    params=QdrantParams,
    check=_check,
    extra="qdrant",
    prepare=importing("qdrant_edge"),
    promises=Promises(repeats=False, seeded=False),
)
