"""Chroma: a collection of an ephemeral client, on a fork of hnswlib. Rows go in one an `add`, which keeps their order.

Within an `add`, rows pass through a hash map and are linked on all cores, in no order, and no build repeats. Levels
come from a fixed seed: the build seed moves rows a little. `ef_search` belongs to a collection, and `modify` leaves a
live one as it is. But hnswlib searches as wide as it is asked for results: so `ef_search` results are asked for, and
the first k are the answer, the same as of a collection that is made with that `ef_search`.
"""

import uuid
import weakref
from typing import Any

import numpy as np

from bench.indexes.engine import Engine, importing
from bench.indexes.insertion import Chunk, JitteredParams, calls, check_jitter, jittered

_LEAST_EF = 1  # of the collection: the results asked for are what counts
_QUERIES = 100  # a call


class ChromaParams(JitteredParams, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows per `add`; with more than one, their order is lost, and no build repeats.
    batch_size, sync_threshold: rows after which Chroma clears its log of writes; the graph has them before, so that
        they affect build time only. Chroma's defaults are 100 and 1000, which take three times as long.
    """

    chunk: Chunk = 1
    batch_size: int = 2
    sync_threshold: int = 2


class ChromaSearcher:
    """A collection, whose ids are base ids as text, of a client that lives in this process's memory."""

    def __init__(self, client: Any, collection: Any, rows: int) -> None:
        self.collection = collection
        self._rows = rows
        weakref.finalize(self, _drop, client, collection.name).atexit = False  # memory, which goes with the process

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k), nearest first; -1 where fewer than k were found."""
        results = min(max(ef_search, k), self._rows)
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        for start in range(0, len(queries), _QUERIES):
            block = queries[start : start + _QUERIES]
            found = self.collection.query(query_embeddings=block, n_results=results, include=[])
            for row, answer in enumerate(found["ids"], start):
                ids[row, : min(k, len(answer))] = [int(name) for name in answer[:k]]
        return ids


def build(base: np.ndarray, order: np.ndarray, metric: str, params: ChromaParams, seed: int) -> ChromaSearcher:
    """A collection of `base` (n, d) with row order[i] inserted i-th, moved a little by `seed`.

    A ValueError for a chunk of more rows than Chroma takes.
    """
    import chromadb
    from chromadb.config import Settings

    client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False))
    hnsw: Any = {
        "space": metric,
        "max_neighbors": params.M,
        "ef_construction": params.ef_construction,
        "ef_search": _LEAST_EF,
        "num_threads": 1,
        "batch_size": params.batch_size,
        "sync_threshold": params.sync_threshold,
    }
    collection = client.create_collection(
        f"bench-{uuid.uuid4().hex}", configuration={"hnsw": hnsw}, embedding_function=None
    )
    searcher = ChromaSearcher(client, collection, len(order))  # which ends it, also where the build fails
    _check_chunk(params.chunk, len(order), client.get_max_batch_size())
    for rows in calls(jittered(order, params.jitter, seed), params.chunk):
        collection.add(ids=[str(row) for row in rows], embeddings=base[rows])
    return searcher


def _check_chunk(chunk: Chunk, rows: int, most: int) -> None:
    rows_of_a_call = rows if chunk == "all" else min(chunk, rows)
    if rows_of_a_call > most:
        raise ValueError(
            f"chunk: Chroma takes at most {most:,} rows an add, not {rows_of_a_call:,}; give chunk = {most}"
        )


def _drop(client: Any, name: str) -> None:
    client.delete_collection(name)
    client.close()


def _check(params: ChromaParams) -> None:
    check_jitter(params)
    if params.threads != 1:
        raise ValueError(
            f"threads = {params.threads}: Chroma takes no number of threads, and links a row an add on one; give 1 "
            "(the rows of a larger chunk are linked on all cores)"
        )
    for name in ("batch_size", "sync_threshold"):
        if getattr(params, name) < 2:
            raise ValueError(f"{name} = {getattr(params, name)}: give at least 2, as Chroma does")


ENGINE = Engine(
    build=build,
    package="chromadb",
    about="a collection in memory, a fork of hnswlib; one row an add, since a larger add loses order",
    params=ChromaParams,
    check=_check,
    extra="chroma",
    repeats_with=lambda params: params.chunk == 1,
    prepare=importing("chromadb.api.rust"),
)
