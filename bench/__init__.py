"""How much does the order in which vectors are inserted change the recall of an HNSW index?

From Python: `compare`, `load`, `order`, `lid` and `Result`, see `bench.api`, which is loaded when one of them is used.
"""

from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, BenchWarning

if TYPE_CHECKING:
    from bench.api import Result as Result
    from bench.api import compare as compare
    from bench.api import lid as lid
    from bench.api import load as load
    from bench.api import order as order

__all__ = ["BenchError", "BenchWarning", "Result", "compare", "lid", "load", "order"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bench import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return list(__all__)
