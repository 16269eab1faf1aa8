"""How much does the order in which vectors are inserted change the recall of an HNSW index?

From Python: `compare`, `load`, `order`, `lid` and `Result`, see `bench.api`, which is loaded when one of them is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Result as Result
    from bench.api import load as load

__all__ = ["Result", "load"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bench import api

    return getattr(api, name)
