"""Code that an engine imports and no version identifies: modules outside the standard library and installed packages.

An installation in place (`pip install -e`) is no installed package here, since its code may change any time.
"""

import csv
import json
import os
import sys
import sysconfig
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from bench import digests

OWN_MODULE = "_bench_engine_"  # begins the name of the module that a user's file is loaded as
_HARNESS = "bench"
_NEVER_FORGOTTEN = ("engine", "imports", "own")  # of `bench.indexes`: what engines are made of, not adapters
_SITE = {"site-packages", "dist-packages"}
_STANDARD = tuple({os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")})
_FILES: dict[str, dict[str, str]] = {}  # by the file of an engine, or by its name if it has none


def note(engine: str, files: Mapping[str, str]) -> None:
    """Keep which files of code an engine imports, by module; see `loaded`."""
    _FILES[engine] = dict(files)


def noted(engine: str) -> dict[str, str]:
    """The files of code that an engine was seen to import, by module."""
    return _FILES.get(engine, {})


def digest(engine: str) -> str:
    """SHA-256 of the files that are noted of an engine, as they are now; empty if there are none."""
    files = noted(engine)
    return digests.key_digest({module: _file_digest(Path(file)) for module, file in files.items()}) if files else ""


def names(engine: str) -> frozenset[str]:
    """Top-level names of what the noted files of an engine import in turn."""
    files = [Path(file) for file in noted(engine).values() if file.endswith(".py") and Path(file).is_file()]
    return frozenset(name for file in files for name in digests.imported_names(file))


def forget_adapters() -> None:
    """Make this process import the adapters of the harness again, so that `loaded` shows which an engine uses."""
    package = sys.modules[f"{_HARNESS}.indexes"]
    for name in [name for name in sys.modules if _adapter(name)]:
        del sys.modules[name]
        vars(package).pop(name.rpartition(".")[2], None)


def loaded() -> dict[str, str]:
    """The files of modules of this process that no version identifies, by module, after `forget_adapters`."""
    files = {name: _file(module) for name, module in list(sys.modules.items())}
    return {name: file for name, file in sorted(files.items()) if file and _is_unversioned(name, file)}


def runs_in_place(distribution: metadata.Distribution) -> bool:
    """Return whether a package runs from where its source lies, of which no files are recorded."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))


def runs_elsewhere(package: str) -> bool:
    """Return whether a package is installed in place, or its modules are found somewhere else, as by PYTHONPATH."""
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    folder = os.path.normpath(str(distribution.locate_file("")))
    names = (distribution.read_text("top_level.txt") or "").split()
    found = [spec.origin for name in names if name.isidentifier() and (spec := PathFinder.find_spec(name))]
    return runs_in_place(distribution) or any(not _is_below(file, folder) for file in found if file)


def _adapter(module: str) -> bool:
    """Return whether a module of the harness is one that an engine may use and that changes what it builds."""
    package, _, name = module.rpartition(".")
    return package == f"{_HARNESS}.indexes" and name not in _NEVER_FORGOTTEN


def _is_unversioned(module: str, file: str) -> bool:
    top = module.partition(".")[0]
    if top == _HARNESS:
        return _adapter(module)
    if top.startswith((OWN_MODULE, "__m")) or (top.startswith("_") and "editable" in top):
        return False  # a user's file has its own digest; the others lead to modules, and are none that build
    files, folders = _installed()
    standard = any(_is_below(os.path.realpath(file), folder) for folder in _STANDARD)
    in_site = not _SITE.isdisjoint(Path(file).parts)
    return file not in files and not any(_is_below(file, folder) for folder in folders) and (in_site or not standard)


def _file(module: ModuleType) -> str:
    """The file that a module, or the archive that it is in, comes from; empty if it has none."""
    stated = getattr(module, "__dict__", {}).get("__file__")
    path = Path(os.path.abspath(stated)) if isinstance(stated, str) else None
    return next((str(place) for place in (path, *path.parents) if place.is_file()), "") if path else ""


def _file_digest(file: Path) -> str:
    """The digest of what a file of Python does, or of the content of another; empty if it is gone."""
    try:
        return digests.code_digest(file) if file.suffix == ".py" else digests.file_digest(file)
    except (OSError, SyntaxError):
        return ""


@cache
def _installed() -> tuple[frozenset[str], tuple[str, ...]]:
    """Files of installed packages, and files and folders of those that an installer recorded without a list."""
    files: set[str] = set()
    folders: list[str] = []
    for distribution in metadata.distributions():
        folder = str(distribution.locate_file(""))
        if runs_in_place(distribution):
            continue
        if record := distribution.read_text("RECORD"):
            files |= {os.path.normpath(os.path.join(folder, row[0])) for row in csv.reader(record.splitlines()) if row}
        elif not _SITE.isdisjoint(Path(folder).parts):
            names = (distribution.read_text("top_level.txt") or "").split()
            folders += [os.path.join(folder, name + end) for name in names for end in ("", ".py")]
    return frozenset(files), tuple(folders)


def _is_below(file: str, folder: str) -> bool:
    return file == folder or file.startswith(folder.rstrip(os.sep) + os.sep)
