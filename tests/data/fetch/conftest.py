from types import SimpleNamespace

import pytest
from support.downloads import Server

from bench.data.fetch import transfer


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The downloads of an empty cache, without a mirror; waits between tries pass at once."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_MIRROR", raising=False)
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))
    return tmp_path / "cache" / "downloads"


@pytest.fixture
def single_try(monkeypatch):
    monkeypatch.setattr(transfer, "RETRIES", 0)
