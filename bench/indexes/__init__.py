"""Engines: base + order + parameters + seed -> Searcher, with the caller's order kept exactly.

Each engine has one file, and a line here. `find` adds users' engines.
"""

from pathlib import Path

import msgspec

from bench.convert import as_text
from bench.errors import BenchError, unknown
from bench.indexes import (
    chroma,
    duckdb,
    faiss,
    hnswlib,
    imports,
    lancedb,
    own,
    pgvector,
    qdrant,
    usearch,
    vectorlite,
    voyager,
)
from bench.indexes.engine import Engine

INDEXES: dict[str, Engine] = {
    "hnswlib": hnswlib.ENGINE,
    "faiss": faiss.ENGINE,
    "usearch": usearch.ENGINE,
    "voyager": voyager.ENGINE,
    "duckdb": duckdb.ENGINE,
    "chroma": chroma.ENGINE,
    "qdrant": qdrant.ENGINE,
    "lancedb": lancedb.ENGINE,
    "pgvector": pgvector.ENGINE,
    "vectorlite": vectorlite.ENGINE,
}
_SHIPPED = tuple(INDEXES)


def find(engine: str) -> str:
    """Return the key in INDEXES of an engine, given its name, an entry point's name or the path of a Python file,
    which is then its name. An engine that is not there yet is loaded. Raises BenchError if there is no such engine."""
    name = _found(engine)
    whole = INDEXES[name]
    source = whole.file or name
    if (digest := imports.digest(source)) != whole.imports_digest:
        used = {*whole.libraries, *own.libraries(imports.names(source), whole.package)}
        INDEXES[name] = msgspec.structs.replace(whole, imports_digest=digest, libraries=tuple(sorted(used)))
    return name


def is_own(name: str) -> bool:
    """Return whether an engine, by its key in INDEXES, is a user's file or comes from an entry point."""
    return bool(INDEXES[name].file) or (name not in _SHIPPED and name in own.entry_points())


def _found(engine: str) -> str:
    """As `find`, without the digest of its imports."""
    if engine.endswith(own.SUFFIX):
        name = as_text(Path(engine).stem)
        if name in _SHIPPED or name in own.entry_points():
            raise BenchError(f"{engine}: {name} is the name of another engine: give the file another")
        INDEXES[name] = own.from_file(Path(engine))
        return name
    if engine not in INDEXES or INDEXES[engine].file:  # a file is named by its path
        points = own.entry_points()
        if engine not in points:
            known = dict.fromkeys([*(name for name, one in INDEXES.items() if not one.file), *points])
            raise BenchError(f"{unknown('engine', engine, known)}, or the path of a Python file")
        INDEXES[engine] = own.from_entry_point(points[engine])
    return engine
