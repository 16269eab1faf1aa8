"""Small data, a cache and a command line for all tests."""

import os
from functools import partial
from pathlib import Path

import pytest
from support.commands import SCRIPT, as_script, in_process
from support.datasets import clustered, judged
from support.needs import MISSING

from bench.data.dataset import Dataset
from bench.indexes import INDEXES


def pytest_addoption(parser):
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden again, from present output")


def pytest_runtest_setup(item):
    """Skip a test whose marker names what is missing here, and say so."""
    for mark in item.iter_markers():
        if reason := MISSING.get(mark.name, lambda *_: "")(*mark.args):
            pytest.skip(reason)


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
    return SCRIPT


@pytest.fixture
def golden(request):
    """Compares a text with the file of this name in tests/golden, or writes the file with --renew-golden."""

    def compare(name, text):
        path = Path(__file__).parent / "golden" / f"{name}.txt"
        if request.config.getoption("--renew-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), "if the change is meant, run `make golden`"

    return compare


@pytest.fixture
def cli(tmp_path):
    """Calls `bench` in an empty folder, in this process; writes pages, which take long, only with --report."""
    return partial(_called, in_process, tmp_path)


@pytest.fixture
def cli_with_workers(tmp_path):
    """Calls `bench` as `cli` does, with builds in worker processes, as users have them."""
    return partial(_called, partial(in_process, workers=True), tmp_path)


@pytest.fixture
def script(tmp_path):
    """Runs `bench` as `cli` calls it, in a process of its own, for what is about processes."""
    return partial(_called, as_script, tmp_path)


def _called(call, folder, *words, check=None, **environment):
    words = [*map(str, words)]
    if words and words[0] in ("run", "compare") and not {"--report", "--help"} & set(words):
        words.insert(1, "--no-report")
    done = call(words, folder, environment)
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done
