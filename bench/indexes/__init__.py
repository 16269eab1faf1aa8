"""Engines: base + order + parameters + seed -> Searcher, with the caller's order kept exactly.

An adapter inserts row `order[i]` as the i-th, on one thread unless told otherwise, and answers with base
ids. It alone translates to its engine's spelling.
"""

from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from bench.errors import BenchError
from bench.indexes import faiss, hnswlib


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shapes a graph beside its data, order and seed; the defaults are the study's.

    chunk: rows per call of the engine's add, within which it may reorder. threads: of build and search;
    with more than one, neither the order nor the result of two builds is the same.
    """

    M: int = 16
    ef_construction: int = 128
    chunk: int = 1
    threads: int = 1


MOST = {"M": 10_000, "ef_construction": 2**31 - 1, "chunk": 2**31 - 1, "threads": 1024}  # hnswlib lowers a larger M


class Searcher(Protocol):
    """A built index."""

    def search(self, queries: np.ndarray, k: int, ef_search: int) -> np.ndarray:
        """Base ids (q, k) int64 of the nearest found, nearest first; -1 where fewer than k were."""


class Engine(NamedTuple):
    """build(base (n, d), order (n,), metric, params, seed) -> Searcher, and the package it comes with."""

    build: Callable[[np.ndarray, np.ndarray, str, Params, int], Searcher]
    package: str
    about: str


INDEXES: dict[str, Engine] = {
    "hnswlib": Engine(hnswlib.build, "hnswlib", "the authors' C++ library; levels by position, from the seed"),
    "faiss": Engine(faiss.build, "faiss-cpu", "IndexHNSWFlat; one row per add, since a larger add reorders"),
}


def version(engine: str) -> str:
    """The version of an engine's package; a BenchError where it is not installed."""
    package = INDEXES[engine].package
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise BenchError(f"engine {engine!r} needs the package {package}: pip install {package}") from None


def check(engine: str, params: Params, told: str) -> None:
    """A BenchError that names `told` and the parameter that no HNSW graph, or not this engine's, can have."""
    for name in ("M", "ef_construction", "chunk", "threads"):
        value = getattr(params, name)
        if not 0 < value <= MOST[name]:
            wanted = "a positive number" if value < 1 else f"at most {MOST[name]:,}"
            raise BenchError(f"{told}: {name} = {value}: give {wanted}")
    if params.M < 2:
        raise BenchError(f"{told}: M = 1: give at least 2, since levels are drawn with 1 / ln M")
    if params.ef_construction < params.M:
        raise BenchError(
            f"{told}: ef_construction = {params.ef_construction} is below M = {params.M}: give at least M, "
            "which is what engines raise it to"
        )
    if engine == "hnswlib" and params.chunk != 1:
        raise BenchError(f"{told}: chunk = {params.chunk}: hnswlib never reorders rows; leave chunk out")
