"""The things that can change a result: versions, compiled files, and the code of this program."""

import inspect
from functools import cache as cache_once
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import digests
from bench.indexes import INDEXES
from bench.indexes.engine import Engine, version
from bench.orders import ORDERS
from bench.orders.order import Order
from bench.study.environment import binary
from bench.study.trial import Provenance

_PACKAGE = Path(__file__).parents[1]
# What has a part in every outcome: neighbours, the build, recall
_SCORING = [
    *("geometry/__init__.py", "geometry/knn.py", "geometry/copies.py"),
    *("study/execution/build.py", "measure/recall.py"),
]


def provenance(engine: str, judged: bool) -> Provenance:
    """The Provenance of outcomes of this engine. judged: whether the data has relevance judgements."""
    served = INDEXES[engine].served
    return _provenance(engine, INDEXES[engine], judged, served() if served else None)


@cache_once
def _provenance(name: str, engine: Engine, judged: bool, served: str | None) -> Provenance:
    """served: the version of what answers, which may be another server later, where packages do not state it."""
    packages = ["numpy", "faiss-cpu"] + ["ir-measures"] * judged
    ours = [_PACKAGE / file for file in _SCORING + ["measure/retrieval.py"] * judged]
    parts = {"ours": digests.code_digest(*ours), "engine": _adapter(engine)}
    return Provenance(
        engine_version=served or version(name, engine),
        engine_binary="" if engine.elsewhere() else " ".join(filter(None, map(binary, engine.packages))),
        libraries=", ".join(f"{package} {metadata.version(package)}" for package in packages),
        code=digests.key_digest(parts)[:16],
    )


def _adapter(engine: Engine) -> list[str]:
    """Return the digests of the code that drives an engine, and of the modules that it imports and no version states.

    For a shipped engine: its module and the modules of `indexes/` that it imports. For a user's engine: its file, or
    the module of its package.
    """
    imported = [engine.imports_digest] if engine.imports_digest else []
    if engine.file_digest:
        return [engine.file_digest, *imported]
    file = Path(inspect.getfile(engine.build))
    within = _PACKAGE / "indexes" if file.is_relative_to(_PACKAGE) else file.parent
    return [digests.program(file, within, foreign=frozenset()).digest, *imported]


def order_code(name: str) -> str:
    """Return the digest of the code, and of the libraries beyond those of `provenance`, that make an order."""
    return _order_code(ORDERS[name])


@cache_once
def _order_code(order: Order) -> str:
    parts: dict[str, Any] = {
        "order": digests.function_digest(order.make, [other.make for other in ORDERS.values()]),
        "make": digests.code_digest(_PACKAGE / "orders" / "order.py"),
    }
    if order.estimates_dimension:
        parts["dimension"] = digests.code_digest(_PACKAGE / "geometry" / "dimension.py")
        parts["scikit-dimension"] = metadata.version("scikit-dimension")
    return digests.key_digest(parts)[:16]
