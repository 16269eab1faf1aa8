"""Small data, a cache and a command line for all tests."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.data.dataset import Dataset, Judgements, checked


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


@pytest.fixture(scope="session")
def mirror():
    """The folder of real data."""
    if not os.environ.get("BENCH_MIRROR"):
        pytest.skip("BENCH_MIRROR is not set: no real data from files")
    return Path(os.environ["BENCH_MIRROR"])


def clustered(n: int = 400, d: int = 8, queries: int = 40, metric: str = "l2", seed: int = 0) -> Dataset:
    """Five labelled Gaussian clusters of different spread, in random order."""
    rng = np.random.default_rng(seed)
    label = rng.integers(5, size=n + queries)
    centres = 3 * rng.standard_normal((5, d))
    points = centres[label] + (0.2 + 0.3 * label)[:, None] * rng.standard_normal((n + queries, d))
    points = points.astype(np.float32)
    return checked("clustered", points[:n], points[n:], metric, label[:n])


def judged(model: str, noise: float, n: int = 400, d: int = 8, queries: int = 30) -> Dataset:
    """What a model that blurs vectors by `noise` makes of the same documents and queries; the last query is not judged.

    Relevant to a query, with grades 2 and 1, are the five and the next ten documents nearest to it before blurring.
    """
    rng = np.random.default_rng(0)
    points = rng.standard_normal((n + queries, d))
    distances = np.linalg.norm(points[n:, None] - points[None, :n], axis=2)
    nearest = distances.argsort(axis=1)[:, :15]
    qrels = {f"q{i}": {f"d{j}": 2 if rank < 5 else 1 for rank, j in enumerate(row)} for i, row in enumerate(nearest)}
    del qrels[f"q{queries - 1}"]
    ids = (np.array([f"{kind}{i}" for i in range(count)]) for kind, count in (("q", queries), ("d", n)))
    blurred = points + noise * np.random.default_rng([*model.encode()]).standard_normal(points.shape)
    name, judgements = f"blurred(model={model})", Judgements(*ids, qrels)
    return checked(name, blurred[:n], blurred[n:], "l2", judgements=judgements)


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
    """Runs `bench` in an empty folder, as a user does."""

    def call(*words, check=None, **environment):
        done = subprocess.run(
            [bench_script, *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | environment,
            timeout=300,
        )
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    return call
