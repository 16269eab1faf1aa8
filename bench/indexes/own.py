"""Engines that do not ship with the harness: a Python file, or a package that names one as an entry point."""

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from functools import cache
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from bench import digests
from bench.data.dataset import METRICS
from bench.errors import BenchError, no_file, unknown
from bench.indexes.engine import Engine, Params
from bench.indexes.imports import OWN_MODULE, runs_in_place

SUFFIX = ".py"
GROUP = "hnsw_order_bench.engines"  # entry points of packages that bring engines
_FOLDERS: set[str] = set()  # folders of engines that were added to sys.path
_HELPERS: set[str] = set()  # files that engines import from their own folders
_ARGUMENTS = ("base", "order", "metric", "params", "seed")


def from_file(path: Path) -> Engine:
    """The Engine in a Python file: its `ENGINE`, or one of its function `build` and defaults.

    It may import files from its folder. Raises BenchError that names the file and its fault.
    """
    if not path.is_file():
        raise no_file(path, "give the path of a Python file that has build(...)")
    file = path.resolve()
    before = _program(file, path)
    name = f"{OWN_MODULE}{digests.key_digest({'file': str(file), 'code': before.digest})[:16]}"
    module = sys.modules.get(name) or _loaded(name, file, path, before.files - {file})
    if _program(file, path).digest != before.digest:
        del sys.modules[name]
        raise BenchError(f"{path} changed while it was loaded: run the command again")
    engine = _engine(module, str(path))
    return msgspec.structs.replace(
        engine,
        file=str(file),
        file_digest=before.digest,
        helpers=tuple(sorted(map(str, before.files - {file}))),
        libraries=libraries(before.imports, engine.package),
    )


def check_apart(engines: Iterable[Engine]) -> None:
    """Raises BenchError if files of several folders import files of the same name: Python has one module per name."""
    by_name: dict[str, str] = {}
    for engine in engines:
        for helper in engine.helpers:
            name = os.path.relpath(helper, Path(engine.file).parent)
            if by_name.setdefault(name, helper) != helper:
                raise BenchError(f"{helper} and {by_name[name]} have one name, and are of two engines: rename one")


def _program(file: Path, path: Path) -> digests.Program:
    """Return the program in a file. path: as an error names it."""
    try:
        return digests.program(file, file.parent, _installed(file.parent))
    except (SyntaxError, UnicodeDecodeError) as error:
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        raise BenchError(f"{path} is not valid Python: {line}") from None
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from None


def _installed(folder: Path) -> frozenset[str]:
    """Names of modules in a folder that an installed module of the same name takes the place of."""
    with os.scandir(folder) as entries:
        names = {Path(one.name).stem for one in entries if one.name.endswith(SUFFIX) or one.is_dir()}
    elsewhere = [place for place in sys.path if place not in _FOLDERS and Path(place or ".").resolve() != folder]
    return frozenset(
        name
        for name in names
        if name == "bench" or name in sys.stdlib_module_names or PathFinder.find_spec(name, elsewhere) is not None
    )


@cache
def libraries(imported: frozenset[str], package: str) -> tuple[str, ...]:
    """Installed packages that modules of these names come with, except `package`, and numpy, which every trial names.

    One that is installed in place is left out: its version says nothing of its code.
    """
    of_module = metadata.packages_distributions()
    named = {one for name in imported if name != "bench" for one in of_module.get(name, [])} - {package, "numpy"}
    return tuple(sorted(one for one in named if not runs_in_place(metadata.distribution(one))))


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
    if not (inspect.isfunction(engine.build) or inspect.isclass(engine.build)):
        raise BenchError(f"{where}: build is {type(engine.build).__name__}: give a function or a class")
    if engine.package or point.dist is None:
        return engine
    return msgspec.structs.replace(engine, package=point.dist.name)


def _loaded(name: str, file: Path, path: Path, helpers: frozenset[Path]) -> ModuleType:
    """Return the module of a file, run once, with the helpers that it imports from its folder as they are now."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _make_way(str(file.parent), helpers)
    sys.modules[name] = module
    try:
        with redirect_stdout(sys.stderr):  # what it prints is no result
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a file may raise anything, SystemExit too
        del sys.modules[name]
        raise BenchError(f"{path} cannot be loaded: {_place(error, file)}{type(error).__name__}: {error}") from None
    return module


def _make_way(folder: str, helpers: frozenset[Path]) -> None:
    """Let an engine import from its folder: after what is installed, before folders of other engines.

    Modules imported earlier from an engine's folder are forgotten: another engine's, or this one's before an edit.
    """
    _HELPERS.update(map(str, helpers))
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in _HELPERS:
            del sys.modules[name]
    importlib.invalidate_caches()
    if folder in _FOLDERS:
        sys.path.remove(folder)
    first = next((place for place, one in enumerate(sys.path) if one in _FOLDERS), len(sys.path))
    if folder not in sys.path:
        sys.path.insert(first, folder)
        _FOLDERS.add(folder)


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
    """Return whether something can be called with `count` arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True
