"""The bytes of a built graph, and builds by the engines' own calls, one row at a time."""

import faiss
import hnswlib
import numpy as np

from bench.indexes.insertion import jittered


def graph(engine, index):
    """Everything that makes up the graph, as bytes."""
    if engine == "hnswlib":
        state = index.__getstate__()[0]
        parts = [state[name] for name in ("data_level0", "link_lists", "element_levels")]
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts) + bytes([state["max_level"]])
    if engine == "usearch":
        return bytes(index.save(None))
    if engine == "voyager":
        return index.as_bytes()
    if engine == "vectorlite":  # which shows no graph: the rows that each of its first rows finds by few links
        search = (
            "SELECT near.rowid FROM (SELECT vector FROM vectors WHERE rowid = ?) AS row, vectors AS near "
            "WHERE knn_search(near.vector, knn_param(row.vector, 10, 10))"
        )
        found = [index.execute(search, (row,)).fetchall() for row in range(200)]
        assert all(found)
        return repr(found).encode()
    hnsw = index.hnsw
    arrays = [faiss.vector_to_array(vector) for vector in (hnsw.neighbors, hnsw.offsets, hnsw.levels)]
    return b"".join(array.tobytes() for array in arrays) + str(hnsw.entry_point).encode()


def plain(engine, base, order, metric, params, seed):
    """An index built by the engine's own calls, one row per call, in `order`."""
    return PLAIN[engine](base, order, metric, params, seed)


def _hnswlib(base, order, metric, params, seed):
    index = hnswlib.Index(space=metric, dim=base.shape[1])
    index.init_index(len(base), M=params.M, ef_construction=params.ef_construction, random_seed=seed)
    for row in order:
        index.add_items(base[row], row, num_threads=1)
    return index


def _faiss(base, order, metric, params, seed):
    if metric == "cosine":
        base = base.copy()
        faiss.normalize_L2(base)
    index = faiss.IndexHNSWFlat(
        base.shape[1], params.M, faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    )
    index.hnsw.efConstruction = params.ef_construction
    index.hnsw.rng = faiss.RandomGenerator(seed)
    for row in order:
        index.add(base[row : row + 1])
    return index


def _usearch(base, order, metric, params, seed):
    from usearch.index import Index

    index = Index(
        ndim=base.shape[1],
        metric={"l2": "l2sq", "cosine": "cos", "ip": "ip"}[metric],
        dtype="f32",
        connectivity=params.M,
        expansion_add=params.ef_construction,
    )
    for row in jittered(order, params.jitter, seed):
        index.add(int(row), base[row], threads=1)
    return index


def _voyager(base, order, metric, params, seed):
    import voyager

    space = {"l2": "Euclidean", "cosine": "Cosine", "ip": "InnerProduct"}[metric]
    index = voyager.Index(
        getattr(voyager.Space, space),
        base.shape[1],
        M=params.M,
        ef_construction=params.ef_construction,
        random_seed=seed,
        max_elements=len(base),
    )
    for row in order:
        index.add_item(base[row].copy(), int(row))
    return index


def _vectorlite(base, order, metric, params, seed):
    import apsw
    import vectorlite_py

    connection = apsw.Connection(":memory:")
    connection.enable_load_extension(True)
    vectorlite_py.load_vectorlite(connection)
    options = f"max_elements={len(base)},ef_construction={params.ef_construction},M={params.M},random_seed={seed}"
    connection.execute(
        f"CREATE VIRTUAL TABLE vectors USING vectorlite(vector float32[{base.shape[1]}] {metric}, hnsw({options}))"
    )
    for row in order:
        connection.execute("INSERT INTO vectors(rowid, vector) VALUES (?, ?)", (int(row), base[row].tobytes()))
    return connection


PLAIN = {
    "hnswlib": _hnswlib,
    "faiss": _faiss,
    "usearch": _usearch,
    "voyager": _voyager,
    "vectorlite": _vectorlite,
}
