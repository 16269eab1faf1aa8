"""Engines: base + order + parameters + seed -> Searcher, with the caller's order kept exactly.

One file an engine, and a line here. Engines of a user's own join them by `find`.
"""

from pathlib import Path

from bench.convert import as_text
from bench.errors import BenchError, unknown
from bench.indexes import duckdb, faiss, hnswlib, own, pgvector
from bench.indexes.engine import Engine

INDEXES: dict[str, Engine] = {
    "hnswlib": hnswlib.ENGINE,
    "faiss": faiss.ENGINE,
    "duckdb": duckdb.ENGINE,
    "pgvector": pgvector.ENGINE,
}
_SHIPPED = tuple(INDEXES)


def find(engine: str) -> str:
    """The key in INDEXES of an engine by its name, by an entry point's, or by the path of a Python file, after which
    it is called; what is not there yet is loaded. A BenchError where there is none."""
    if engine.endswith(own.SUFFIX):
        name = as_text(Path(engine).stem)
        if name in _SHIPPED or name in own.entry_points():
            raise BenchError(f"{engine}: {name} is the name of another engine: give the file another")
        INDEXES[name] = own.from_file(Path(engine))
        return name
    if engine not in INDEXES or INDEXES[engine].file:  # which goes by its path
        points = own.entry_points()
        if engine not in points:
            known = dict.fromkeys([*(name for name, one in INDEXES.items() if not one.file), *points])
            raise BenchError(f"{unknown('engine', engine, known)}, or the path of a Python file")
        INDEXES[engine] = own.from_entry_point(points[engine])
    return engine
