"""Why rows go into FAISS one a call, and what `chunk` does."""

import faiss
import numpy as np
import pytest
from support.graphs import graph, plain

from bench.indexes.faiss import FaissParams, build

RNG = np.random.default_rng(0)
BASE = RNG.standard_normal((1500, 16)).astype(np.float32)
ORDER = np.arange(1500)
ONE = FaissParams(M=6, ef_construction=30)


def chunked(chunk, threads=1):
    return graph(
        "faiss", build(BASE, ORDER, "l2", FaissParams(M=6, ef_construction=30, chunk=chunk, threads=threads), 1).index
    )


def test_a_bulk_add_does_not_keep_the_callers_order():
    bulk = faiss.IndexHNSWFlat(16, 6)
    bulk.hnsw.efConstruction = 30
    bulk.hnsw.rng = faiss.RandomGenerator(1)
    bulk.add(BASE)
    one_by_one = plain("faiss", BASE, ORDER, "l2", ONE, 1)
    # Levels depend on position either way: it is the order of linking that a bulk add changes.
    assert np.array_equal(faiss.vector_to_array(bulk.hnsw.levels), faiss.vector_to_array(one_by_one.hnsw.levels))
    assert graph("faiss", bulk) != graph("faiss", one_by_one)
    assert chunked(1) == graph("faiss", one_by_one)
    assert chunked(1500) == graph("faiss", bulk)
    assert chunked("all") == graph("faiss", bulk)


@pytest.mark.parametrize("chunk", [7, 1024, 1030])
def test_chunks_are_those_of_the_callers_order(chunk):
    index = faiss.IndexHNSWFlat(16, 6)
    index.hnsw.efConstruction = 30
    index.hnsw.rng = faiss.RandomGenerator(1)
    with_one_thread = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    for start in range(0, 1500, chunk):
        index.add(BASE[start : start + chunk])
    faiss.omp_set_num_threads(with_one_thread)
    assert chunked(chunk) == graph("faiss", index)


def test_the_callers_number_of_threads_is_left_as_it_was():
    before = faiss.omp_get_max_threads()
    build(BASE[:50], ORDER[:50], "l2", ONE, 1).search(BASE[:5], 3, 10)
    assert faiss.omp_get_max_threads() == before
