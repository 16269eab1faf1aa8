import hashlib
import io
import json
import multiprocessing
import os
import re
import signal
import subprocess
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from bench import cache
from bench.data.fetch import Published, check, fetch_file, is_local, local_file, required_path, transfer
from bench.errors import BenchError, BenchWarning


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


CONTENT = npy(np.arange(512_000, dtype=np.uint8))
OTHER = npy(np.arange(512_000, dtype=np.uint8)[::-1])
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Serves what `answers` says for each path, in turn, and remembers the requests.

    An answer: content, and keys that make it go wrong. The last one is given again and again.
    """

    def __init__(self):
        self.answers, self.requests, self.agents = {}, [], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, self.headers.get("Range")))
                server.agents.append(self.headers.get("User-Agent"))
                given = server.answers.get(self.path, [{"status": 404}])
                answer(self, **(given.pop(0) if len(given) > 1 else given[0]))

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


def answer(
    handler,
    content=b"",
    status=200,
    cut=None,
    stall=None,
    to=None,
    tag='"1"',
    length=True,
    ranges=True,
    start_lie=0,
    headers=(),
):
    """One answer. cut: bytes after which the server closes; stall: after which it says nothing more for 2 s."""
    start = 0
    requested = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
    if requested and ranges and handler.headers.get("If-Range") == tag:
        start, status = int(requested[1]), 206
    handler.send_response(status)
    if to:
        handler.send_header("Location", to)
    if tag:
        handler.send_header("ETag", tag)
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start + start_lie}-{len(content) - 1}/{len(content)}")
    for name, value in dict(headers).items():
        handler.send_header(name, value)
    if length:
        handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    try:
        handler.wfile.write(content[start : cut or stall or len(content)])
        if stall:
            handler.wfile.flush()
            time.sleep(2)
    except ConnectionError:
        pass  # the client has what it wanted
    handler.close_connection = True


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


def files(folder):
    """The names of all files that a download left, records aside."""
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".json") if folder.exists() else []


def fetch(published, **options):
    return fetch_file(published, "dataset 'x'", **options)


def test_a_file_is_downloaded_once_and_kept_with_its_checksum(server, folder):
    server.answers["/a/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/a/x.npy", checksum=f"sha256:{SHA256}")
    assert not is_local(published)
    assert local_file(published, "x") is None
    steps = []
    first = fetch(published, progress=lambda *step: steps.append(step))
    assert first == (folder / "x.npy", SHA256, published.url)
    assert first.path.read_bytes() == CONTENT
    assert steps[0] == ("x.npy", 0, len(CONTENT))
    assert steps[-1] == ("x.npy", len(CONTENT), len(CONTENT))
    assert fetch(published) == (folder / "x.npy", SHA256, "cache")
    assert is_local(published)
    assert server.requests == [("/a/x.npy", None)]
    assert files(folder) == ["x.npy"]


def test_a_file_once_verified_is_not_read_again_until_it_changes(server, folder, monkeypatch):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    fetched = fetch(published)
    monkeypatch.setattr("hashlib.file_digest", lambda *_, **__: pytest.fail("read again"))
    assert local_file(published, "x").sha256 == SHA256
    monkeypatch.undo()
    monkeypatch.setenv("BENCH_CACHE", str(folder.parent))
    fetched.path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(BenchError, match=rf"x\.npy: SHA-256 is .* it was {SHA256[:12]}.*: run `bench fetch` again"):
        local_file(published, "x")


@pytest.mark.parametrize("checksum", ["", f"sha256:{SHA256}", f"md5:{MD5}"])
def test_a_download_that_broke_off_goes_on_from_there(server, folder, checksum):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}, {"content": CONTENT}]
    fetched = fetch(Published(url=f"{server.url}/x.npy", checksum=checksum))
    assert fetched.path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.npy", "bytes=65536-")
    assert files(folder) == ["x.npy"]


def test_another_run_goes_on_where_one_was_given_up(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError, match=r"x\.npy \(the connection broke off\)"):
        fetch(published, retries=0)
    assert not (folder / "x.npy").exists()
    [part] = files(folder)
    # Of the 100,000 bytes that came, the whole chunks of 65,536.
    assert (folder / part).read_bytes() == CONTENT[:65_536]
    server.answers["/x.npy"] = [{"content": CONTENT}]
    assert fetch(published).path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.npy", "bytes=65536-")
    assert files(folder) == ["x.npy"]


@pytest.mark.parametrize(
    "then",
    [
        {"tag": '"2"'},  # another version of the file
        {"ranges": False},
        {"start_lie": 1},
    ],
)
def test_a_download_starts_again_where_the_server_cannot_go_on(server, folder, then):
    new = OTHER
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError):
        fetch(published, retries=0)
    if then == {"start_lie": 1}:  # what it then sends is no file: refused by its length, and tried again
        server.answers["/x.npy"] = [{"content": new}, {"content": new} | then, {"content": new, "ranges": False}]
    else:
        server.answers["/x.npy"] = [{"content": new} | then]
    assert fetch(published).path.read_bytes() == new
    assert files(folder) == ["x.npy"]


def test_more_than_the_whole_file_is_not_gone_on_from(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError):
        fetch(published, retries=0)
    [part] = files(folder)
    (folder / part).write_bytes(CONTENT + CONTENT)
    server.answers["/x.npy"] = [{"content": CONTENT}]
    assert fetch(published).path.read_bytes() == CONTENT


def test_without_a_version_nothing_is_gone_on_from(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000, "tag": ""}]
    with pytest.raises(BenchError, match="broke off"):
        fetch(Published(url=f"{server.url}/x.npy"), retries=1)
    assert files(folder) == []
    assert server.requests == [("/x.npy", None)] * 2


def test_a_server_that_stalls_is_given_up(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]
    with pytest.raises(BenchError, match=r"\(it does not answer in time\); try again"):
        fetch(Published(url=f"{server.url}/x.npy"), retries=0, timeout=0.2)
    assert not (folder / "x.npy").exists()


def test_redirects_are_followed(server):
    server.answers["/old/x.npy"] = [{"status": 302, "to": "/new/y", "tag": ""}]
    server.answers["/new/y"] = [{"content": CONTENT, "cut": 100_000}, {"content": CONTENT}]
    fetched = fetch(Published(url=f"{server.url}/old/x.npy"))
    assert (fetched.path.name, fetched.sha256) == ("x.npy", SHA256)
    assert server.requests[-1] == ("/new/y", "bytes=65536-")


def test_a_server_in_trouble_is_asked_again(server):
    server.answers["/x.npy"] = [{"status": 500}, {"status": 503}, {"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/x.npy")).sha256 == SHA256
    server.answers["/y.npy"] = [{"status": 500}]
    with pytest.raises(BenchError, match=r"\(it answers 500 Internal Server Error\)"):
        fetch(Published(url=f"{server.url}/y.npy"), retries=1)


def test_a_file_that_is_not_there_is_asked_for_once(server, folder):
    with pytest.raises(BenchError, match=r"needs x\.npy: .*/x\.npy answers 404 Not Found"):
        fetch(Published(url=f"{server.url}/x.npy"))
    assert len(server.requests) == 1
    assert files(folder) == []


@pytest.mark.parametrize(
    ("name", "content", "checksum", "message"),
    [
        ("x.npy", CONTENT[:-1], f"sha256:{SHA256}", rf"SHA-256 is .{{12}}\.\.\., dataset 'x' states {SHA256[:12]}"),
        ("x.npy", CONTENT[:-1], f"md5:{MD5}", rf"MD5 is .{{12}}\.\.\., dataset 'x' states {MD5[:12]}"),
        ("x.hdf5", b"\n<!DOCTYPE html><p>Come back later", "", r"is an HTML page, not x\.hdf5"),
        ("x.csv", b"<html><p>Come back later", "", r"is an HTML page, not x\.csv"),
        ("x.hdf5", b"version https://git-lfs.github.com/spec/v1", "", r"is not a \.hdf5 file"),
        ("x.zip", b"", "", r"is not a \.zip file"),
    ],
)
def test_a_wrong_file_is_refused_and_not_kept(server, folder, name, content, checksum, message):
    server.answers[f"/{name}"] = [{"content": content}]
    with pytest.raises(BenchError, match=message) as error:
        fetch(Published(url=f"{server.url}/{name}", checksum=checksum))
    assert f"{server.url}/{name}" in str(error.value)
    assert "\n" not in str(error.value)
    assert files(folder) == []
    assert len(server.requests) == 1


def test_what_the_first_download_was_later_ones_must_be(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    fetch(published).path.unlink()
    server.answers["/x.npy"] = [{"content": OTHER}]
    with pytest.raises(BenchError, match=rf"/x\.npy: SHA-256 is .* it was {SHA256[:12]}"):
        fetch(published)
    assert files(folder) == []
    record = folder / "x.npy.json"
    assert json.loads(record.read_text())["checksums"]["sha256"] == SHA256
    record.unlink()
    assert fetch(published).sha256 == hashlib.sha256(OTHER).hexdigest()


def test_two_files_of_one_name_are_not_taken_for_each_other(server, folder):
    server.answers["/a/x.npy"] = server.answers["/b/x.npy"] = [{"content": CONTENT}]
    fetch(Published(url=f"{server.url}/a/x.npy"))
    with pytest.raises(BenchError, match=r"x\.npy is the name of .*/a/x\.npy"):
        fetch(Published(url=f"{server.url}/b/x.npy"))
    assert fetch(Published(url=f"{server.url}/b/x.npy", file="b/x.npy")).path == folder / "b" / "x.npy"
    # By a checksum it is the same file, wherever it came from.
    assert fetch(Published(url=f"{server.url}/b/x.npy", checksum=f"md5:{MD5}")).origin == "cache"


def test_a_damaged_record_is_made_again(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    fetch(published)
    (folder / "x.npy.json").write_text('{"checksums"')
    assert fetch(published) == (folder / "x.npy", SHA256, "cache")
    assert json.loads((folder / "x.npy.json").read_text())["checksums"]["sha256"] == SHA256


@pytest.mark.parametrize("stated", ["by the server", "by the catalogue"])
def test_disk_space_is_checked_first(server, folder, monkeypatch, stated):
    server.answers["/x.npy"] = [{"content": CONTENT, "length": stated == "by the server"}]
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(BenchError, match=r"x\.npy needs 512\.. kB, .*downloads has 1\.0 kB free"):
        fetch(Published(url=f"{server.url}/x.npy", bytes=512_000))
    assert files(folder) == []


def test_an_interrupted_download_leaves_nothing_under_its_name(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]

    def interrupt(name, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(Published(url=f"{server.url}/x.npy"), progress=interrupt)
    assert [name for name in files(folder) if not name.endswith(".part")] == []


def test_offline_is_told_with_the_way_out(folder):
    published = Published(url="http://127.0.0.1:1/x.npy")
    with pytest.raises(
        BenchError, match=rf"dataset 'x' .*{published.url} \(no connection\).* {folder / 'x.npy'}, .*BENCH_MIRROR"
    ) as error:
        fetch(published, retries=0)
    assert "\n" not in str(error.value)
    (folder / "x.npy").write_bytes(CONTENT)
    assert fetch(published) == (folder / "x.npy", SHA256, "cache")


def test_an_unwritable_cache_is_told(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(BenchError, match=r"cannot write .*/file/cache.*BENCH_CACHE"):
        fetch(Published(url=f"{server.url}/x.npy"))


def test_a_mirror_that_is_a_folder_is_used_in_place(tmp_path, folder, monkeypatch):
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))
    published = Published(file="x/y.npy", checksum=f"sha256:{SHA256}")
    with pytest.raises(BenchError, match=r"x/y\.npy, which is not in BENCH_MIRROR \(.*mirror\)"):
        fetch(published)
    (tmp_path / "mirror" / "x").mkdir()
    path = tmp_path / "mirror" / "x" / "y.npy"
    path.write_bytes(b"abc")
    with pytest.raises(BenchError, match=rf"y\.npy: SHA-256 is ba7816bf8f01.* states {SHA256[:12]}.*put the right"):
        fetch(published)
    assert path.exists()
    path.write_bytes(CONTENT)
    assert fetch(published) == (path, SHA256, "mirror")
    assert files(folder) == []


def test_without_mirror_and_url_the_way_out_is_a_mirror():
    with pytest.raises(BenchError, match=r"x/y\.npy, .* or set BENCH_MIRROR"):
        fetch(Published(file="x/y.npy"))


def test_a_mirror_that_is_a_url_is_asked_first(server, folder, monkeypatch):
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
def test_a_mirror_that_is_neither_a_folder_nor_a_url_is_told(monkeypatch, mirror):
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


def test_downloads_may_be_read_by_others_who_share_the_cache(server):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    fetched = fetch(Published(url=f"{server.url}/x.npy"))
    assert os.stat(fetched.path).st_mode & 0o777 == 0o644


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
        (Published(url="https://h/x.npy", members=["*"]), r"'x\.npy' has members, but is none of \.zip"),
    ],
)
def test_what_could_not_be_fetched_is_told_at_once(published, message):
    with pytest.raises(BenchError, match=f"x.toml: .*{message}"):
        check(published, "x.toml")


def test_of_an_archive_what_is_needed_is_unpacked_and_kept(server, folder, monkeypatch):
    content = zipped({"x/corpus.jsonl": b"{}", "x/qrels/test.tsv": b"a", "x/huge.bin": b"no"})
    server.answers["/x.zip"] = [{"content": content}]
    published = Published(url=f"{server.url}/x.zip", members=["*/corpus.jsonl", "*/qrels/*.tsv"])
    fetched = fetch(published)
    assert fetched.path == folder / "x" / "x"
    assert fetched.sha256 == hashlib.sha256(content).hexdigest()
    assert files(folder) == ["corpus.jsonl", "test.tsv"]
    assert fetch(published) == fetched._replace(origin="cache")
    assert is_local(published)
    assert len(server.requests) == 1
    stated = Published(url=published.url, members=published.members, checksum=f"md5:{MD5}")
    assert local_file(stated, "x") is None
    with pytest.raises(BenchError, match=rf"x\.zip: MD5 is .*dataset 'x' states {MD5[:12]}"):
        fetch(stated)


def test_an_archive_in_a_mirror_stays_there(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    (tmp_path / "x.zip").write_bytes(zipped({"corpus.jsonl": b"{}", "queries.jsonl": b"{}"}))
    published = Published(url="http://127.0.0.1:1/x.zip", members=["*.jsonl"])
    assert not is_local(published)
    assert fetch(published).path == folder / "x"
    assert files(folder) == ["corpus.jsonl", "queries.jsonl"]
    assert (tmp_path / "x.zip").is_file()


def test_an_archive_that_is_refused_leaves_nothing_unpacked(server, folder):
    server.answers["/x.zip"] = [{"content": zipped({"../corpus.jsonl": b"{}"})}]
    published = Published(url=f"{server.url}/x.zip", members=["*corpus.jsonl"])
    with pytest.raises(BenchError, match=r"'\.\./corpus\.jsonl' would be written outside"):
        fetch(published)
    assert not is_local(published)
    assert not list(folder.parent.rglob("corpus.jsonl"))


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_mirror_that_does_not_answer_leaves_it_to_the_publisher(server, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", "http://127.0.0.1:9")
    server.answers["/v.npy"] = [{"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/v.npy")).origin == f"{server.url}/v.npy"


def test_another_archive_replaces_what_was_unpacked(server, folder):
    published = Published(url=f"{server.url}/a.zip", members=["*.txt"])
    server.answers["/a.zip"] = [{"content": zipped({"x.txt": b"old"})}]
    assert (fetch(published).path / "x.txt").read_bytes() == b"old"
    (folder / "a" / "mine.npy").write_bytes(b"made of it")
    (folder / "a.zip.json").unlink()  # as the message on a changed file advises
    server.answers["/a.zip"] = [{"content": zipped({"x.txt": b"new"})}]
    assert (fetch(published).path / "x.txt").read_bytes() == b"new"
    assert (folder / "a" / "mine.npy").read_bytes() == b"made of it"


def test_what_is_gone_of_an_unpacked_archive_is_had_again(server, folder):
    published = Published(url=f"{server.url}/a.zip", members=["*.txt"])
    server.answers["/a.zip"] = [{"content": zipped({"x.txt": b"1", "y.txt": b"2"})}]
    path = fetch(published).path
    (path / "y.txt").unlink()
    assert not is_local(published)
    with pytest.raises(BenchError, match=r"needs a\.zip, which is not here"):
        required_path(published, "dataset 'x'", "x")
    assert fetch(published).origin == published.url
    assert (path / "y.txt").read_bytes() == b"2"


def test_an_archive_that_does_not_unpack_is_not_kept(server, folder):
    whole = zipped({"x.txt": b"1"})
    published = Published(url=f"{server.url}/a.zip", members=["*.txt"])
    server.answers["/a.zip"] = [{"content": whole[:-9], "length": False}, {"content": whole}]
    with pytest.raises(BenchError, match="get it again"):
        fetch(published)
    assert not list(folder.rglob("a*"))
    assert fetch(published).sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("checksum", ["", f"md5:{MD5}", f"sha256:{SHA256.upper()}"])
def test_a_download_that_was_damaged_is_had_anew(server, folder, checksum):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy", checksum=checksum)
    path = fetch(published).path
    path.write_bytes(CONTENT[:1000])
    with pytest.warns(BenchWarning, match=r"x\.npy: (MD5|SHA-256) is .*; doing so now"):
        assert fetch(published).origin == published.url
    assert path.read_bytes() == CONTENT
    assert files(folder) == ["x.npy"]


def test_what_replaces_a_damaged_download_must_be_what_was_recorded(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}, {"content": OTHER}]
    published = Published(url=f"{server.url}/x.npy")
    path = fetch(published).path
    path.write_bytes(CONTENT[:1000])
    with pytest.warns(BenchWarning), pytest.raises(BenchError, match="when first fetched it was"):
        fetch(published)
    assert path.read_bytes() == CONTENT[:1000]  # nothing is lost for nothing


def hdf5(tmp_path):
    with h5py.File(tmp_path / "made.hdf5", "w") as file:
        file["train"] = np.ones((1000, 8), np.float32)
    return (tmp_path / "made.hdf5").read_bytes()


@pytest.mark.parametrize("name", ["x.npy", "x.hdf5", "x.fvecs", "x.csv"])
def test_what_ends_too_early_is_not_recorded_as_the_file(server, folder, tmp_path, name):
    row = np.array([4], "<i4").tobytes() + np.ones(4, "<f4").tobytes()
    whole = {"x.npy": CONTENT, "x.hdf5": hdf5(tmp_path), "x.fvecs": row * 9, "x.csv": b"text\n" * 1000}[name]
    server.answers[f"/{name}"] = [{"content": whole[: len(whole) // 2], "length": False}, {"content": whole}]
    # Nothing in a text tells where it ends, but its size does, which publishers round.
    published = Published(url=f"{server.url}/{name}", bytes=5100 if name == "x.csv" else None)
    with pytest.raises(BenchError, match=rf"/{name} (is truncated|holds 2\.5 kB, not 5\.1 kB)"):
        fetch(published)
    assert not list(folder.iterdir())
    assert fetch(published).path.read_bytes() == whole


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"headers": {"Content-Length": "abc"}, "length": False}, ".*Content-Length .*'abc'"),
        ({"headers": {"Content-Encoding": "gzip"}}, ".*gzip"),
        ({"status": 302, "to": "http://[bad"}, ".*Invalid IPv6 URL"),
        ({"status": 302, "to": "ftp://h/x.npy"}, ".*ftp://h/x.npy"),
        ({"status": 403}, "403 Forbidden.* a browser may get it"),
    ],
)
def test_an_answer_without_the_file_is_told_at_once(server, folder, answer, message):
    server.answers["/x.npy"] = [{"content": CONTENT} | answer]
    with pytest.raises(BenchError, match=rf"/x\.npy answers {message}"):
        fetch(Published(url=f"{server.url}/x.npy"))
    assert len(server.requests) == 1
    assert files(folder) == []


def test_servers_are_told_who_asks(server):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    fetch(Published(url=f"{server.url}/x.npy"))
    assert server.agents == [f"hnsw-order-bench/{version('hnsw-order-bench')}"]


@pytest.mark.parametrize("status", [416, 403])
def test_a_download_starts_again_where_the_rest_is_refused(server, folder, status):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError):
        fetch(published, retries=0)
    server.answers["/x.npy"] = [{"content": CONTENT}, {"status": status, "ranges": False}, {"content": CONTENT}]
    assert fetch(published, retries=1).path.read_bytes() == CONTENT
    assert [byte_range for _, byte_range in server.requests] == [None, None, "bytes=65536-", None]


def test_whose_name_it_is_is_asked_before_anything_comes(server):
    server.answers["/a/x.npy"] = server.answers["/b/x.npy"] = [{"content": CONTENT}]
    fetch(Published(url=f"{server.url}/a/x.npy")).path.unlink()
    with pytest.raises(BenchError, match=r"x\.npy is the name of .*/a/x\.npy"):
        fetch(Published(url=f"{server.url}/b/x.npy"))
    assert server.requests == [("/a/x.npy", None)]


def test_a_download_that_was_killed_is_gone_on_from(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]
    published = Published(url=f"{server.url}/x.npy")

    def kill(name, done, total):
        if done:
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=fetch, args=(published,), kwargs={"progress": kill})
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    server.answers["/x.npy"] = [{"content": CONTENT}]
    assert fetch(published).path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.npy", "bytes=65536-")
    assert files(folder) == ["x.npy"]


def test_one_process_at_a_time_downloads_a_file(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    folder.mkdir(parents=True)
    published = Published(url=f"{server.url}/x.npy")
    with (
        transfer.locked(folder / "x.npy"),
        pytest.raises(BenchError, match=r"x\.npy is being downloaded by another process"),
    ):
        fetch(published)
    assert fetch(published).sha256 == SHA256
    assert files(folder) == ["x.npy"]


@pytest.mark.parametrize(("before", "code"), [(signal.SIG_DFL, 3), (signal.SIG_IGN, 0)])
def test_a_terminal_that_is_closed_interrupts_unless_it_may_not(server, folder, tmp_path, bench_script, before, code):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}, {"content": CONTENT}]
    (tmp_path / "my.toml").write_text(f"title = 'x'\nmetric = 'l2'\n[[download]]\nurl = '{server.url}/x.npy'")
    process = subprocess.Popen(
        [bench_script, "fetch", "my.toml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, before),  # as under nohup, or not
    )
    assert "x.npy: 0 bytes of 512.1 kB" in process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert all(name.endswith(".part" if code else "x.npy") for name in files(folder))
