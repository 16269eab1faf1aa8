"""What a result was made with: versions, commit, machine."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import cache, indexes

_LIBRARIES = ("hnsw-order-bench", "numpy", "scipy", "scikit-learn", "scikit-dimension", "faiss-cpu", "ir-measures")


def environment(jobs: int) -> dict[str, Any]:
    """Versions of the libraries that shape a result, git commit, machine, and how many builds ran side by side."""
    packages = dict.fromkeys([*_LIBRARIES, *(engine.package for engine in indexes.INDEXES.values())])
    return {
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
        "commit": _commit(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "jobs": jobs,
    }


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


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
