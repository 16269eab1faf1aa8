"""What can change a result, by what took part in it: versions, compiled files, and the code of ours."""

from functools import cache as cache_once
from importlib import metadata
from pathlib import Path

from bench import digests
from bench.indexes import INDEXES
from bench.indexes.engine import Engine, version
from bench.orders import ORDERS
from bench.orders.order import Order, make_order
from bench.study.environment import binary
from bench.study.trial import Provenance

_PACKAGE = Path(__file__).parents[1]


def provenance(engine: str, judged: bool) -> Provenance:
    """The Provenance of outcomes of this engine. judged: whether the data has relevance judgements."""
    return _provenance(engine, INDEXES[engine], judged)


@cache_once
def _provenance(name: str, engine: Engine, judged: bool) -> Provenance:
    packages = ["numpy", "faiss-cpu"] + ["ir-measures"] * judged
    scoring = [_PACKAGE / "measure" / "recall.py"] + [_PACKAGE / "measure" / "retrieval.py"] * judged
    parts = {
        "neighbours": digests.code_digest(*(_PACKAGE / "geometry" / name for name in ("__init__.py", "knn.py"))),
        "scoring": digests.code_digest(*scoring),
        "build": digests.code_digest(_PACKAGE / "study" / "build.py"),
        "engine": digests.definition_digest(engine.build, _PACKAGE / "indexes"),
        "params": digests.definition_digest(engine.params, _PACKAGE / "indexes"),
    }
    return Provenance(
        engine_version=version(name, engine),
        engine_binary=binary(engine.package) or "",
        libraries=", ".join(f"{package} {metadata.version(package)}" for package in packages),
        code=digests.key_digest(parts)[:16],
    )


def order_code(name: str) -> str:
    """Digest of the code, and of the libraries beyond those of `provenance`, that make an order."""
    return _order_code(ORDERS[name])


@cache_once
def _order_code(order: Order) -> str:
    parts = {
        "order": digests.definition_digest(order.make, _PACKAGE / "orders"),
        "make": digests.definition_digest(make_order, _PACKAGE / "orders"),
    }
    if order.estimates_dimension:
        parts["dimension"] = digests.code_digest(_PACKAGE / "geometry" / "dimension.py")
        parts["scikit-dimension"] = metadata.version("scikit-dimension")
    return digests.key_digest(parts)[:16]
