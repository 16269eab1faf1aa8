"""The bytes of a built graph, and builds by the engines' own calls, one row at a time."""

import faiss
import hnswlib
import numpy as np


def graph(engine, index):
    """Everything that makes up the graph, as bytes."""
    if engine == "hnswlib":
        state = index.__getstate__()[0]
        parts = [state[name] for name in ("data_level0", "link_lists", "element_levels")]
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts) + bytes([state["max_level"]])
    hnsw = index.hnsw
    arrays = [faiss.vector_to_array(vector) for vector in (hnsw.neighbors, hnsw.offsets, hnsw.levels)]
    return b"".join(array.tobytes() for array in arrays) + str(hnsw.entry_point).encode()


def plain(engine, base, order, metric, params, seed):
    """An index built by the engine's own calls, a row a call, in `order`."""
    if engine == "hnswlib":
        index = hnswlib.Index(space=metric, dim=base.shape[1])
        index.init_index(len(base), M=params.M, ef_construction=params.ef_construction, random_seed=seed)
        for row in order:
            index.add_items(base[row], row, num_threads=1)
        return index
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
