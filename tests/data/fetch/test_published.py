import re

import pytest
from support.downloads import CONTENT, OTHER, SHA256, fetch, files

from bench.data.fetch import Published, check
from bench.errors import BenchError, BenchWarning


def test_a_mirror_that_is_a_folder_is_used_in_place(tmp_path, folder, monkeypatch):
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))
    published = Published(file="x/y.npy", checksum=f"sha256:{SHA256}")
    with pytest.raises(BenchError, match=r"x/y\.npy, which is not in BENCH_MIRROR \(.*mirror\)"):
        fetch(published)
    (tmp_path / "mirror" / "x").mkdir()
    path = tmp_path / "mirror" / "x" / "y.npy"
    path.write_bytes(b"abc")
    with pytest.raises(BenchError, match=rf"y\.npy: SHA-256 is ba7816bf8f01.* states {SHA256[:12]}"):
        fetch(published)
    assert path.exists()
    path.write_bytes(CONTENT)
    assert fetch(published) == (path, SHA256, "mirror")
    assert files(folder) == []


def test_without_mirror_and_url_the_way_out_is_a_mirror():
    with pytest.raises(BenchError, match=r"x/y\.npy, .* or set BENCH_MIRROR"):
        fetch(Published(file="x/y.npy"))


def test_a_mirror_that_is_a_url_is_tried_first(server, folder, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", f"{server.url}/mirror/")
    server.answers["/mirror/d%20d/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/own/x.npy", file="d d/x.npy")
    assert fetch(published) == (folder / "d d" / "x.npy", SHA256, f"{server.url}/mirror/d%20d/x.npy")
    assert len(server.requests) == 1


def test_what_a_mirror_does_not_have_comes_from_its_publisher(server, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", f"{server.url}/mirror")
    server.answers["/own/x.npy"] = [{"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/own/x.npy")).origin == f"{server.url}/own/x.npy"
    assert [path for path, _ in server.requests] == ["/mirror/x.npy", "/own/x.npy"]


@pytest.mark.parametrize(
    "mirror", ["ftp://example.org/data", "localhost:8765", "not/there", "http://[x", "http://h:port/", "file://h/data"]
)
def test_a_mirror_that_is_neither_a_folder_nor_a_url_is_reported(monkeypatch, mirror):
    monkeypatch.setenv("BENCH_MIRROR", mirror)
    with pytest.raises(BenchError, match=rf"BENCH_MIRROR '{re.escape(mirror)}'"):
        fetch(Published(url="https://example.org/x.npy"))


def test_a_mirror_may_be_a_url_of_a_folder(tmp_path, monkeypatch):
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data" / "x.npy").write_bytes(CONTENT)
    monkeypatch.setenv("BENCH_MIRROR", f"file://{tmp_path}/my%20data")
    assert fetch(Published(file="x.npy")) == (tmp_path / "my data" / "x.npy", SHA256, "mirror")


@pytest.mark.parametrize("content", [b"<html>Log in first", CONTENT[:-1], OTHER])
def test_a_mirror_of_something_else_leaves_it_to_the_publisher(server, monkeypatch, content):
    monkeypatch.setenv("BENCH_MIRROR", f"{server.url}/mirror")
    server.answers["/mirror/x.npy"], server.answers["/own/x.npy"] = [{"content": content}], [{"content": CONTENT}]
    published = Published(url=f"{server.url}/own/x.npy", checksum=f"sha256:{SHA256}" if content == OTHER else "")
    with pytest.warns(BenchWarning, match=r"/mirror/x\.npy.* trying .*/own/x\.npy"):
        assert fetch(published).origin == published.url


@pytest.mark.parametrize(
    ("published", "message"),
    [
        (Published(url="ftp://h/x.npy"), "does not begin with https://"),
        (Published(url="https://[h/x.npy"), "does not begin with https://"),
        (Published(url="https:///x.npy"), "does not begin with https:// or http:// and a host"),
        (Published(url="https://h/"), "not a path below a folder"),
        (Published(url="https://h/x", file="../x"), r"'\.\./x' is not a path below a folder"),
        (Published(url="https://h/x", file="/x"), "not a path below a folder"),
        (Published(url="https://h/x", checksum="sha256:abc"), "checksum 'sha256:abc' of x is not sha256: and 64"),
        (Published(url="https://h/x", checksum=f"md5:{'g' * 32}"), "is not .*hexadecimal"),
        (Published(url="https://h/x", checksum="crc:abc"), "checksum 'crc:abc' of x is not"),
        (Published(url="https://h/x.npy", members=["*"]), r"'x\.npy' has members, but is not one of \.zip"),
    ],
)
def test_what_could_not_be_fetched_is_reported_at_once(published, message):
    with pytest.raises(BenchError, match=f"x.toml: .*{message}"):
        check(published, "x.toml")


def test_a_mirror_that_does_not_answer_leaves_it_to_the_publisher(server, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", "http://127.0.0.1:9")
    server.answers["/v.npy"] = [{"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/v.npy")).origin == f"{server.url}/v.npy"
