"""What can change a result, by what took part in it: versions, compiled files, and the code of ours."""

import inspect
from collections.abc import Callable
from functools import cache as cache_once
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import digests
from bench.geometry import Geometry, knn
from bench.indexes import INDEXES
from bench.indexes.engine import Engine, version
from bench.measure import recall, retrieval
from bench.orders import ORDERS
from bench.orders.order import Order, make_order
from bench.study.environment import binary
from bench.study.trial import Provenance

_PACKAGE = Path(__file__).parents[1]


def provenance(engine: str, judged: bool) -> Provenance:
    """The Provenance of outcomes of this engine. judged: whether the data has relevance judgements."""
    served = INDEXES[engine].served
    return _provenance(engine, INDEXES[engine], judged, served() if served else None)


@cache_once
def _provenance(name: str, engine: Engine, judged: bool, served: str | None) -> Provenance:
    """served: the version of what answers, which may be another server later, where packages do not state it."""
    packages = ["numpy", "faiss-cpu"] + ["ir-measures"] * judged
    scoring: list[Callable[..., Any]] = [recall.hits, recall.hits_with_ties, *[retrieval.scores] * judged]
    parts = {
        "neighbours": [
            *_geometry("ground_truth", "points", "query_points", "query_duplicates", "ranks_by"),
            *(digests.definition_digest(of, _PACKAGE / "geometry") for of in (knn.true_distances, knn.farthest_tie)),
        ],
        "scoring": [digests.definition_digest(function, _PACKAGE / "measure") for function in scoring],
        "build": digests.code_digest(_PACKAGE / "study" / "execution" / "build.py"),
        "engine": _adapter(engine),
    }
    return Provenance(
        engine_version=served or version(name, engine),
        engine_binary="" if engine.elsewhere() else " ".join(filter(None, map(binary, engine.packages))),
        libraries=", ".join(f"{package} {metadata.version(package)}" for package in packages),
        code=digests.key_digest(parts)[:16],
    )


def _adapter(engine: Engine) -> list[str]:
    """Return the digests of the code that drives an engine (ours, a user's file, or its package), and of the modules
    that it imports and no version identifies."""
    imported = [engine.imports_digest] if engine.imports_digest else []
    if engine.file_digest:
        return [engine.file_digest, *imported]
    return imported + [
        digests.definition_digest(definition, _folder(inspect.getmodule(definition)))
        for definition in (engine.build, engine.params)
    ]


def _folder(module: ModuleType | None) -> Path:
    """Where code lies that takes part where a module does: of ours one room, of others the package it is in."""
    assert module is not None
    if module.__name__.startswith("bench."):
        return _PACKAGE / "indexes"
    file = Path(inspect.getfile(module))
    above = module.__name__.count(".") - (file.name != "__init__.py")
    return file if above < 0 else file.parents[above]


def order_code(name: str) -> str:
    """Digest of the code, and of the libraries beyond those of `provenance`, that make an order."""
    return _order_code(ORDERS[name])


@cache_once
def _order_code(order: Order) -> str:
    folder = _PACKAGE / "orders"
    parts: dict[str, Any] = {
        "order": digests.definition_digest(order.make, folder),
        "make": digests.definition_digest(make_order, folder),
        "geometry": _geometry(*sorted(digests.attributes_used(order.make, folder, "geometry"))),
        "knn": [
            digests.definition_digest(getattr(knn, name), _PACKAGE / "geometry")
            for name in sorted(digests.attributes_used(order.make, folder, "knn"))
        ],
    }
    if order.estimates_dimension:
        parts["scikit-dimension"] = metadata.version("scikit-dimension")
    return digests.key_digest(parts)[:16]


def _geometry(*names: str) -> list[str]:
    """Digests of what Geometry computes under these names."""
    members = (inspect.getattr_static(Geometry, name) for name in names)
    functions = (getattr(member, "func", None) or getattr(member, "fget", None) or member for member in members)
    return [digests.definition_digest(function, _PACKAGE / "geometry") for function in functions]
