"""Engines that do not ship with the harness: a Python file, or a package that names one as an entry point."""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from bench import digests
from bench.data.dataset import METRICS
from bench.errors import BenchError, no_file, unknown
from bench.indexes.engine import Engine, Params

SUFFIX = ".py"
GROUP = "hnsw_order_bench.engines"  # entry points of packages that bring engines
_ARGUMENTS = ("base", "order", "metric", "params", "seed")


def from_file(path: Path) -> Engine:
    """The Engine in a Python file: its `ENGINE`, or one of its function `build` and defaults.

    What it imports may lie beside it. A BenchError names the file and what is wrong with it.
    """
    if not path.is_file():
        raise no_file(path, "give the path of a Python file that has build(...)")
    try:
        digest = digests.files_digest(path.absolute(), path.absolute().parent)
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise BenchError(f"{path} is not valid Python: {error}") from None
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from None
    name = f"_bench_engine_{digest[:16]}"
    module = sys.modules.get(name) or _loaded(name, path)
    return msgspec.structs.replace(_engine(module, str(path)), file=str(path.absolute()), file_digest=digest)


def entry_points() -> dict[str, metadata.EntryPoint]:
    """Entry points of installed packages that are engines, by name; nothing is imported."""
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def from_entry_point(point: metadata.EntryPoint) -> Engine:
    """The Engine that an entry point names: an Engine, or a module with `ENGINE` or `build`."""
    where = f"entry point {point.name} ({point.value})"
    try:
        target = point.load()
    except Exception as error:  # noqa: BLE001 - a package may raise anything
        raise BenchError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from None
    engine = _checked(target, where) if isinstance(target, Engine) else _engine(target, where)
    if engine.package or point.dist is None:
        return engine
    return msgspec.structs.replace(engine, package=point.dist.name)


def _loaded(name: str, path: Path) -> ModuleType:
    """The module of a file, run once."""
    folder = str(path.absolute().parent)
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if folder not in sys.path:
        sys.path.append(folder)  # last, so that no file beside it takes the place of an installed module
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a file may raise anything, SystemExit too
        del sys.modules[name]
        raise BenchError(
            f"{path} cannot be loaded: {_place(error, path.absolute())}{type(error).__name__}: {error}"
        ) from None
    return module


def _place(error: BaseException, path: Path) -> str:
    """The last line of a file that an exception passed through, as `line 3: `."""
    lines, step = [], error.__traceback__
    while step:
        if step.tb_frame.f_code.co_filename == str(path):
            lines.append(step.tb_lineno)
        step = step.tb_next
    return f"line {lines[-1]}: " if lines else ""


def _engine(module: Any, where: str) -> Engine:
    """The Engine that a module states, or one of its `build`."""
    stated = getattr(module, "ENGINE", None)
    if stated is not None:
        return _checked(stated, where)
    build = getattr(module, "build", None)
    if build is None:
        raise BenchError(f"{where} has neither build({', '.join(_ARGUMENTS)}) nor ENGINE: define one")
    return _checked(Engine(build=build, about=(module.__doc__ or "").strip().partition("\n")[0]), where)


def _checked(engine: Any, where: str) -> Engine:
    if not isinstance(engine, Engine):
        raise BenchError(f"{where}: ENGINE is {type(engine).__name__}: give a bench.indexes.engine.Engine")
    if not _takes(engine.build, len(_ARGUMENTS)):
        raise BenchError(f"{where}: build takes other arguments: it is called as build({', '.join(_ARGUMENTS)})")
    if not (isinstance(engine.params, type) and issubclass(engine.params, Params)):
        raise BenchError(f"{where}: params is no subclass of bench.indexes.engine.Params")
    for metric in engine.metrics:
        if metric not in METRICS:
            raise BenchError(f"{where}: {unknown('metric', metric, METRICS)}")
    if not engine.metrics:
        raise BenchError(f"{where}: metrics is empty: name one of {', '.join(METRICS)}")
    return msgspec.structs.replace(engine, metrics=tuple(engine.metrics))


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether something can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True
