"""What a result was made with: versions, commit, machine."""

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import cache, indexes

# What the ids that a build returns depend on, beside its trial: where all are equal, so must the ids be.
DECIDES = ("versions", "binaries", "platform", "cpu", "simd", "cores", "omp_num_threads")

_SIMD = ("sse", "ssse", "avx", "fma", "f16c", "amx", "asimd", "sve")
_LIBRARIES = ("hnsw-order-bench", "numpy", "scipy", "scikit-learn", "scikit-dimension", "faiss-cpu", "ir-measures")


def environment(jobs: int) -> dict[str, Any]:
    """Versions of the libraries that shape a result, git commit, machine, and how many builds ran side by side."""
    engines = [engine.package for engine in indexes.INDEXES.values()]
    model, simd = _cpu()
    return {
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in dict.fromkeys([*_LIBRARIES, *engines])},
        "binaries": {package: _binary(package) for package in engines},
        "commit": _commit(),
        "platform": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]).strip(),
        "cpu": model,
        "simd": simd,
        "cores": os.cpu_count(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "jobs": jobs,
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What of DECIDES differs between two environments, a phrase each: `numpy 2.2.0 -> 2.3.1`."""
    for name in DECIDES:
        a, b = then.get(name), now.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            for package in sorted({*a, *b}):
                was, now_is = a.get(package), b.get(package)
                # Another version is another binary too: that is not worth a second phrase.
                told = name == "versions" or then["versions"].get(package) == now["versions"].get(package)
                if was != now_is and told:
                    yield f"{package}{'' if name == 'versions' else ', compiled'} {was} -> {now_is}"
        elif a != b:
            yield f"{name} {a} -> {b}"


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


def _binary(package: str) -> str | None:
    """A digest of the compiled files of a package, by the hashes that its installation recorded."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    compiled = {
        str(file): file.hash.value
        for file in files
        if file.hash and (file.suffix in (".so", ".pyd", ".dylib") or ".so." in file.name)
    }
    return cache.key_digest(compiled)[:16] if compiled else None


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
