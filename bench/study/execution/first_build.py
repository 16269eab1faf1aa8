"""A first build of a few rows, which shows what code an engine imports, before outcomes are identified by it."""

import warnings
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from bench.data.dataset import Dataset
from bench.errors import BenchWarning
from bench.indexes import INDEXES, find, imports, is_own
from bench.study.execution.build import build_index, prepare
from bench.study.execution.processes import DiedError, apart
from bench.study.trial import Index

_ROWS = 50
_PATIENCE = 60.0  # seconds to load an engine, and to build and search with all of its parameters
_Sample = tuple[str, np.ndarray]  # a metric and rows
_SEEN: dict[str, object] = {}  # by engine, what its imports were found with, and their digest then


def note_imports(indexes: Sequence[Index], datasets: Collection[Dataset]) -> None:
    """Note which modules every engine imports whose code no version identifies: those of a user, or run in place.

    Each is loaded, and builds a few rows, in a process of its own that has imported nothing of it. What an earlier call
    found stays, if no file of it has changed.
    """
    samples = {(data.metric, data.d): np.array(data.base[:_ROWS]) for data in datasets}
    for name in dict.fromkeys(index.engine for index in indexes):
        engine = INDEXES[name]
        if not is_own(name) and not any(map(imports.runs_elsewhere, engine.packages)):
            continue
        source = engine.file or name
        of_engine = [index for index in indexes if index.engine == name]
        asked = (engine.file_digest, tuple(of_engine), tuple(samples))
        if _SEEN.get(source) != (asked, imports.digest(source)):
            rows = [(metric, of_data) for (metric, _), of_data in samples.items()]
            imports.note(source, _found(source, of_engine, rows))
            _SEEN[source] = (asked, imports.digest(source))
        find(source)


def _found(engine: str, indexes: Sequence[Index], samples: Sequence[_Sample]) -> dict[str, str]:
    """Return the last result of `_imported`. Issues a BenchWarning if its process ends before."""
    files: dict[str, str] = {}
    try:
        for seen in apart(_imported, (engine, indexes, samples), _PATIENCE):
            files = seen
    except DiedError as death:
        warnings.warn(
            f"{engine}: a first build of {_ROWS} rows ended ({death}): changes of modules that it imports later are "
            "not noticed, so use a new --store after each",
            BenchWarning,
            stacklevel=3,
        )
    return files


def _imported(engine: str, indexes: Sequence[Index], samples: Sequence[_Sample]) -> Iterator[dict[str, str]]:
    """Yield the files of modules that loading an engine imports, then those of building too; in another process."""
    imports.forget_adapters()
    find(engine)
    yield imports.loaded()
    for index in indexes:
        for metric, rows in samples:
            try:
                prepare(index)
                build_index(index, rows, np.arange(len(rows)), metric, 1).search(rows[:5], min(5, len(rows)), _ROWS)
            except BaseException:  # noqa: BLE001 - an engine may raise anything, and its trials will say so
                pass
    yield imports.loaded()
