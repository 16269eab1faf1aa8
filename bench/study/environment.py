"""What a result was made with: versions, commit, machine."""

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache as cache_once
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from bench import cache, digests, indexes

# What the ids that a build returns depend on, beside its trial: where all are equal, so must the ids be.
DECIDES = ("versions", "binaries", "platform", "cpu", "simd", "cores", "omp_num_threads")

# The exact search that all are scored by, and their orders come from: it concerns every engine.
_TRUTH = "faiss-cpu"
_SIMD = ("sse", "ssse", "avx", "fma", "f16c", "amx", "asimd", "sve")
_LIBRARIES = ("hnsw-order-bench", "numpy", "scipy", "scikit-learn", "scikit-dimension", "faiss-cpu", "ir-measures")


def environment(jobs: int) -> dict[str, Any]:
    """Versions of the libraries that shape a result, git commit, machine, and how many builds ran side by side."""
    engines = [engine.package for engine in indexes.INDEXES.values()]
    model, simd = _cpu()
    return {
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in dict.fromkeys([*_LIBRARIES, *engines])},
        "binaries": {package: binary(package) for package in engines},
        "commit": _commit(),
        "platform": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]).strip(),
        "cpu": model,
        "simd": simd,
        "cores": os.cpu_count(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "jobs": jobs,
    }


class Change(NamedTuple):
    """What of DECIDES is another: a package's name or a field's, and a phrase: `numpy 2.2.0 -> 2.3.1`."""

    of: str
    told: str

    def concerns(self, engine: str) -> bool:
        """Whether the ids that this engine returns may be others for it."""
        packages = {other.package for other in indexes.INDEXES.values()}
        return self.of not in packages - {indexes.INDEXES[engine].package, _TRUTH}


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Every Change between two environments. Of a package whose compiled files are not known, none can be excluded."""
    for name in DECIDES:
        a, b = then.get(name), now.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            for package in sorted({*a, *b}):
                was, now_is = a.get(package), b.get(package)
                # Another version is another binary too: that is not worth a second phrase.
                same_version = then["versions"].get(package) == now["versions"].get(package)
                installed = now["versions"].get(package) is not None
                if name == "versions" and was != now_is:
                    yield Change(package, f"{package} {was} -> {now_is}")
                elif name == "binaries" and same_version and installed and (was != now_is or now_is is None):
                    yield Change(package, f"{package}, compiled {was or 'unknown'} -> {now_is or 'unknown'}")
        elif a != b:
            yield Change(name, f"{name} {a} -> {b}")


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
    """A digest of the compiled files of a package, by the hashes that its installation recorded.

    None where it recorded none, as in place (`pip install -e`): what was compiled there may be another any time.
    """
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    compiled = {
        str(file): file.hash.value
        for file in files
        if file.hash and (file.suffix in (".so", ".pyd", ".dylib") or ".so." in file.name)
    }
    return digests.key_digest(compiled)[:16] if compiled else None


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
