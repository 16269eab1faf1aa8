"""Datasets of generators, each made once and kept in the cache."""

import inspect
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from bench import cache, digests
from bench.convert import converted
from bench.data import generators
from bench.data.formats.array import from_memory
from bench.data.parts import Parts
from bench.errors import BenchError, unknown


def load(stem: str, metric: str, generator: str, parameters: Mapping[str, Any], changed: Mapping[str, Any]) -> Parts:
    """Return the Parts that a generator makes. changed: parameters to replace, which the dataset's name then states."""
    generate = generators.GENERATORS[generator]
    takes = inspect.signature(generate).parameters
    arguments = {**parameters, **changed}
    for key in arguments:
        if key not in takes:
            raise BenchError(f"dataset {stem!r}: {unknown('parameter', key, takes)}")
    arguments = {
        key: converted(value, takes[key].annotation, f"dataset {stem!r}: {key}") for key, value in arguments.items()
    }
    defaults = {key: p.default for key, p in takes.items() if p.default is not inspect.Parameter.empty}
    name = stem if not changed else f"{stem}({', '.join(f'{key}={arguments[key]}' for key in changed)})"

    def make() -> dict[str, np.ndarray]:
        try:
            base, queries, labels = generate(**arguments)
        except (TypeError, ValueError) as error:
            raise BenchError(f"dataset {name!r}: {error}") from None
        except MemoryError:
            raise BenchError(f"dataset {name!r} does not fit into memory: ask for a smaller n or d") from None
        return {"base": base, "queries": queries} | ({} if labels is None else {"labels": labels})

    made_by = {
        "generator": generator,
        "parameters": defaults | arguments,
        "code": digests.code_digest(Path(generators.__file__)),
        "libraries": {package: metadata.version(package) for package in ("numpy", "scikit-learn", "pillow")},
    }
    arrays = cache.entry("datasets", made_by, make).arrays
    places = {part: from_memory(f"{name}: {part}", array) for part, array in arrays.items()}
    return Parts.of(places, metric, name)
