"""Engines: base + order + parameters + seed -> Searcher, with the caller's order kept exactly.

One file an engine, and a line here.
"""

from bench.indexes import faiss, hnswlib
from bench.indexes.engine import Engine

INDEXES: dict[str, Engine] = {
    "hnswlib": hnswlib.ENGINE,
    "faiss": faiss.ENGINE,
}
