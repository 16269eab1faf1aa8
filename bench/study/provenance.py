"""What can change a result, by what took part in it: versions, compiled files, and the code of ours."""

from functools import cache as cache_once
from importlib import metadata
from pathlib import Path

from bench import digests
from bench.indexes import INDEXES
from bench.indexes.engine import version
from bench.orders import ORDERS
from bench.study.environment import binary
from bench.study.trial import Provenance

_PACKAGE = Path(__file__).parents[1]


def provenance(engine: str, order: str, judged: bool) -> Provenance:
    """The Provenance of outcomes of this engine and order. judged: whether the data has relevance judgements."""
    known = INDEXES[engine]
    packages = ["numpy", "faiss-cpu"]
    packages += ["scikit-dimension"] * ORDERS[order].estimates_dimension + ["ir-measures"] * judged
    return Provenance(
        engine_version=version(engine, known),
        engine_binary=binary(known.package) or "",
        libraries=", ".join(f"{package} {metadata.version(package)}" for package in packages),
        code=_code(engine, order, judged),
    )


@cache_once
def _code(engine: str, order: str, judged: bool) -> str:
    """Digest of the code that makes and scores an outcome; that of other engines and orders has no part in it."""
    geometry = [_PACKAGE / "geometry" / name for name in ("__init__.py", "knn.py")]
    geometry += [_PACKAGE / "geometry" / "dimension.py"] * ORDERS[order].estimates_dimension
    scoring = [_PACKAGE / "measure" / "recall.py"] + [_PACKAGE / "measure" / "retrieval.py"] * judged
    parts = {
        "geometry": digests.code_digest(*geometry),
        "scoring": digests.code_digest(*scoring),
        "build": digests.code_digest(_PACKAGE / "study" / "build.py"),
        "order": order_digest(order),
        "engine": digests.definition_digest(INDEXES[engine].build, _PACKAGE / "indexes"),
    }
    return digests.key_digest(parts)[:16]


@cache_once
def order_digest(order: str) -> str:
    """Digest of the code that makes an order; that of other orders has no part in it."""
    return digests.definition_digest(ORDERS[order].make, _PACKAGE / "orders")
