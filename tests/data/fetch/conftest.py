import pytest
from support.downloads import Server


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of its own and no mirror; waits between tries pass at once."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_MIRROR", raising=False)
    monkeypatch.setattr("bench.data.fetch._LONGEST_WAIT", 0.0)
    return tmp_path / "cache" / "downloads"
