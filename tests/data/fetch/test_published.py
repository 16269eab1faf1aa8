import pytest
from support.downloads import CONTENT, OTHER, SHA256, fetch, files

from bench.data.fetch import Published, WrongFileError, check
from bench.errors import BenchError, BenchWarning


def test_a_mirror_that_is_a_folder_is_used_in_place(tmp_path, folder, monkeypatch):
    path = tmp_path / "mirror" / "x" / "y.npy"
    path.parent.mkdir(parents=True)
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))
    published = Published(file="x/y.npy", checksum=f"sha256:{SHA256}")
    with pytest.raises(BenchError, match=r"x/y\.npy.*BENCH_MIRROR \(.*mirror\)"):
        fetch(published)
    path.write_bytes(b"abc")
    with pytest.raises(WrongFileError, match=rf"y\.npy .*ba7816bf8f01.*{SHA256[:12]}"):
        fetch(published)
    assert path.exists()
    path.write_bytes(CONTENT)
    assert fetch(published) == (path, SHA256, "mirror")
    assert files(folder) == []


def test_a_mirror_may_be_a_url_of_a_folder(tmp_path, monkeypatch):
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data" / "x.npy").write_bytes(CONTENT)
    monkeypatch.setenv("BENCH_MIRROR", f"file://{tmp_path}/my%20data")
    assert fetch(Published(file="x.npy")) == (tmp_path / "my data" / "x.npy", SHA256, "mirror")


def test_a_file_that_nobody_publishes_needs_a_mirror():
    with pytest.raises(BenchError, match=r"x/y\.npy.*BENCH_MIRROR"):
        fetch(Published(file="x/y.npy"))


def test_a_mirror_that_is_a_url_is_tried_first(server, folder, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", f"{server.url}/mirror/")
    server.answers["/mirror/d%20d/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/own/x.npy", file="d d/x.npy")
    assert fetch(published) == (folder / "d d" / "x.npy", SHA256, f"{server.url}/mirror/d%20d/x.npy")
    assert len(server.requests) == 1


def test_a_file_that_a_mirror_lacks_comes_from_its_publisher(server, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", f"{server.url}/mirror")
    server.answers["/own/x.npy"] = [{"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/own/x.npy")).origin == f"{server.url}/own/x.npy"
    assert [path for path, _ in server.requests] == ["/mirror/x.npy", "/own/x.npy"]


def test_a_file_comes_from_its_publisher_if_the_mirror_does_not_answer(server, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", "http://127.0.0.1:9")
    server.answers["/v.npy"] = [{"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/v.npy")).origin == f"{server.url}/v.npy"


@pytest.mark.parametrize("content", [b"<html>Log in first", CONTENT[:-1], OTHER])
def test_a_file_comes_from_its_publisher_if_the_mirror_has_another(server, monkeypatch, content):
    monkeypatch.setenv("BENCH_MIRROR", f"{server.url}/mirror")
    server.answers["/mirror/x.npy"], server.answers["/own/x.npy"] = [{"content": content}], [{"content": CONTENT}]
    published = Published(url=f"{server.url}/own/x.npy", checksum=f"sha256:{SHA256}" if content == OTHER else "")
    with pytest.warns(BenchWarning, match=r"/mirror/x\.npy.*/own/x\.npy"):
        assert fetch(published).origin == published.url


@pytest.mark.parametrize(
    "mirror", ["ftp://example.org/data", "localhost:8765", "not/there", "http://[x", "http://h:port/", "file://h/data"]
)
def test_a_mirror_that_is_neither_a_folder_nor_a_url_is_reported(monkeypatch, mirror):
    monkeypatch.setenv("BENCH_MIRROR", mirror)
    with pytest.raises(BenchError) as error:
        fetch(Published(url="https://example.org/x.npy"))
    assert f"BENCH_MIRROR {mirror!r}" in str(error.value)


@pytest.mark.parametrize(
    ("published", "named"),
    [
        (Published(url="ftp://h/x.npy"), "url 'ftp://h/x.npy'"),
        (Published(url="https://[h/x.npy"), "url 'https://[h/x.npy'"),
        (Published(url="https:///x.npy"), "url 'https:///x.npy'"),
        (Published(url="https://h/"), "file ''"),
        (Published(url="https://h/x", file="../x"), "file '../x'"),
        (Published(url="https://h/x", file="/x"), "file '/x'"),
        (Published(url="https://h/x", checksum="sha256:abc"), "checksum 'sha256:abc'"),
        (Published(url="https://h/x", checksum=f"md5:{'g' * 32}"), f"checksum 'md5:{'g' * 32}'"),
        (Published(url="https://h/x", checksum="crc:abc"), "checksum 'crc:abc'"),
        (Published(url="https://h/x.npy", members=["*"]), "members"),
    ],
)
def test_a_file_that_could_not_be_fetched_is_reported_at_once(published, named):
    with pytest.raises(BenchError) as error:
        check(published, "x.toml")
    assert str(error.value).startswith("x.toml: ")
    assert named in str(error.value)
