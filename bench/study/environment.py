"""The environment that a result was made in: versions, commit, machine."""

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache as cache_once
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from bench import cache, digests, indexes
from bench.indexes.engine import Engine
from bench.indexes.imports import runs_in_place

# The ids that a build returns depend on its trial and on these: if all are equal, the ids must be equal.
DECIDES = ("versions", "binaries", "platform", "cpu", "simd", "cores", "omp_num_threads")

# The exact search that all are scored by, and their orders come from: it concerns every engine.
_TRUTH = "faiss-cpu"
_COMPILED = (".so", ".pyd", ".dylib", ".duckdb_extension")
_SIMD = ("sse", "ssse", "avx", "fma", "f16c", "amx", "asimd", "sve")
_LIBRARIES = ("hnsw-order-bench", "numpy", "scipy", "scikit-learn", "scikit-dimension", "faiss-cpu", "ir-measures")


def environment(side_by_side: int, built: Iterable[str] = ()) -> dict[str, Any]:
    """Versions of the libraries and engines that shape a result, commit, machine, and how many builds ran side by side.

    Of this process, which is to be the one that builds. built: engines that build; the servers of others are not asked.
    """
    named = {name: indexes.INDEXES[name] for name in built}
    served = tuple((name, engine.served()) for name, engine in named.items() if engine.served)
    elsewhere = frozenset(name for name, engine in indexes.INDEXES.items() if engine.elsewhere())
    return _environment(side_by_side, tuple(indexes.INDEXES.items()), served, elsewhere)


@cache_once
def _environment(
    side_by_side: int,
    engines: tuple[tuple[str, Engine], ...],
    served: tuple[tuple[str, str], ...],
    elsewhere: frozenset[str],
) -> dict[str, Any]:
    here = [engine for name, engine in engines if name not in elsewhere]
    packages = list(dict.fromkeys(package for engine in here for package in engine.packages))
    model, simd = _cpu()
    return {
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in dict.fromkeys([*_LIBRARIES, *packages])} | dict(served),
        "binaries": {package: binary(package) for package in packages},
        "engine_files": {name: engine.code_digest[:12] for name, engine in engines if engine.code_digest},
        "commit": _commit(),
        "platform": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]).strip(),
        "cpu": model,
        "simd": simd,
        "cores": os.cpu_count(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "side_by_side": side_by_side,
        "measured": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),  # when this process first built
    }


def distinct(environments: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each environment once, in the sequence that they come in, whenever it measured."""
    listed: list[dict[str, Any]] = []
    for one in ({key: value for key, value in of.items() if key != "measured"} for of in environments):
        if one not in listed:
            listed.append(one)
    return listed


class Change(NamedTuple):
    """A difference in one of DECIDES.

    name: a package's, or a field's.
    text: a phrase, `numpy 2.2.0 -> 2.3.1`.
    engine: the only one that it concerns, if the change is in a user's file or an engine's server.
    """

    name: str
    text: str
    engine: str = ""

    def concerns(self, engine: str) -> bool:
        """Return whether the ids that this engine returns may be others for it."""
        if self.engine:
            return self.engine == engine
        if engine not in indexes.INDEXES:  # a user's own, and not loaded here: its package is not known
            return True
        packages = {package for other in indexes.INDEXES.values() for package in other.packages}
        return self.name not in packages - {*indexes.INDEXES[engine].packages, _TRUTH}


def differences(then: Mapping[str, Any], now: Mapping[str, Any], *, one_time: bool = False) -> Iterator[Change]:
    """Every Change between two environments in what both state.

    one_time: whether both are of one time, between which nothing was installed. Otherwise, of a package whose compiled
    files are not known, no Change can be excluded.
    """
    files, files_now = then.get("engine_files", {}), now.get("engine_files", {})
    for engine in sorted(files.keys() & files_now.keys()):
        if files[engine] != files_now[engine]:
            yield Change(engine, f"file of engine {engine} {files[engine]} -> {files_now[engine]}", engine)
    served = {name for name, engine in indexes.INDEXES.items() if engine.served}
    for name in DECIDES:
        a, b = then.get(name), now.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            for package in sorted(a.keys() & b.keys()):
                was, now_is = a[package], b[package]
                # Another version is another binary too: that is not worth a second phrase.
                same_version = then["versions"].get(package) == now["versions"].get(package)
                installed = now["versions"].get(package) is not None
                unknown = now_is is None and not one_time
                if name == "versions" and was != now_is:
                    yield Change(package, f"{package} {was} -> {now_is}", package if package in served else "")
                elif name == "binaries" and same_version and installed and (was != now_is or unknown):
                    yield Change(package, f"{package}, compiled {_compiled(was)} -> {_compiled(now_is)}")
        elif a != b:
            yield Change(name, f"{name} {a} -> {b}")


def _compiled(digest: str | None) -> str:
    """A digest that `binary` gives, in words."""
    return "unknown" if digest is None else digest or "nothing"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout that runs, with `+` where files were changed since; None for a wheel."""
    if not (cache.CHECKOUT / ".git").exists():
        return None

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(cache.CHECKOUT), *words],
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    return f"{commit}+" if commit and git("status", "--porcelain", "--untracked-files=no") else commit


@cache_once
def binary(package: str) -> str | None:
    """A digest of the compiled files of a package, by the hashes that its installation recorded; empty if it has
    none, which is pure Python.

    None if no hashes were recorded, as for an editable install (`pip install -e`): its compiled files may change at any
    time.
    """
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    files = distribution.files or []
    compiled = {str(file): file.hash.value if file.hash else None for file in files if _is_compiled(file)}
    if runs_in_place(distribution) or not any(file.hash for file in files) or None in compiled.values():
        return None
    return digests.key_digest(compiled)[:16] if compiled else ""


def _is_compiled(file: metadata.PackagePath) -> bool:
    """Return whether a file is a library or a program; files that installers write into the environment's bin are
    scripts."""
    program = file.parent.name == "bin" and not file.suffix and ".." not in file.parts
    return program or file.suffix in _COMPILED or ".so." in file.name


def _cpu() -> tuple[str, str]:
    """The model of the processor, and its vector instructions, which libraries choose their code by."""
    model, simd = platform.processor(), ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = (part.strip() for part in line.partition(":"))
            if name == "model name":
                model = value
            if name in ("flags", "Features"):
                simd = " ".join(sorted(f for f in value.split() if f.startswith(_SIMD)))
    except OSError:
        pass
    return model, simd
