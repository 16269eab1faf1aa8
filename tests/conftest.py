"""Small data, a cache and a command line for all tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.datasets import clustered, judged

from bench.data.dataset import Dataset
from bench.indexes import INDEXES


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Tests neither read nor fill the user's cache."""
    if os.environ.get("BENCH_MIRROR"):  # commands run in folders of their own
        os.environ["BENCH_MIRROR"] = os.path.abspath(os.environ["BENCH_MIRROR"])
    before = os.environ.get("BENCH_CACHE")
    os.environ["BENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["BENCH_CACHE"]
    else:
        os.environ["BENCH_CACHE"] = before


@pytest.fixture(autouse=True)
def _engines_as_before():
    """An engine of a file that a test names is there for no other test, whichever process runs it."""
    before = dict(INDEXES)
    yield
    INDEXES.clear()
    INDEXES.update(before)


@pytest.fixture(scope="session")
def mirror():
    """The folder of real data."""
    if not os.environ.get("BENCH_MIRROR"):
        pytest.skip("BENCH_MIRROR is not set: no real data from files")
    return Path(os.environ["BENCH_MIRROR"])


@pytest.fixture(scope="session")
def models() -> list[Dataset]:
    """Three models of the same documents, the best first."""
    return [judged("sharp", 0.1), judged("fair", 0.5), judged("poor", 1.0)]


@pytest.fixture(scope="session")
def small() -> Dataset:
    return clustered()


@pytest.fixture(scope="session")
def bench_script() -> str:
    """The path of the `bench` command of this environment."""
    return str(Path(sys.executable).parent / "bench")


@pytest.fixture
def cli(bench_script, tmp_path):
    """Runs `bench` in an empty folder, as a user does; pages, which take longer than the rest, where --report asks."""

    def call(*words, check=None, **environment):
        if words and words[0] in ("run", "compare") and not {"--report", "--help"} & set(words):
            words = (words[0], "--no-report", *words[1:])
        done = subprocess.run(
            [bench_script, *map(str, words)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            cwd=tmp_path,
            env=os.environ | environment,
            timeout=300,
        )
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    return call
