import hashlib
import os

import pytest
from support.downloads import CONTENT, MD5, OTHER, SHA256, fetch, files, zipped

from bench.data.fetch import Published, WrongFileError, is_local, local_file, required_path
from bench.errors import BenchError, BenchWarning


def test_a_file_is_downloaded_once_and_kept_with_its_checksum(server, folder):
    server.answers["/a/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/a/x.npy", checksum=f"sha256:{SHA256}")
    assert not is_local(published)
    assert local_file(published, "x") is None
    steps = []
    first = fetch(published, progress=lambda *step: steps.append(step))
    assert first == (folder / "x.npy", SHA256, published.url)
    assert first.path.read_bytes() == CONTENT
    assert os.stat(first.path).st_mode & 0o777 == 0o644  # others may share the cache
    assert steps[0] == ("x.npy", 0, len(CONTENT))
    assert steps[-1] == ("x.npy", len(CONTENT), len(CONTENT))
    assert fetch(published) == (folder / "x.npy", SHA256, "cache")
    assert is_local(published)
    assert server.requests == [("/a/x.npy", None)]
    assert files(folder) == ["x.npy"]


@pytest.mark.usefixtures("single_try")
def test_a_file_may_be_put_by_hand_where_nothing_can_be_downloaded(folder):
    published = Published(url="http://127.0.0.1:1/x.npy")
    with pytest.raises(BenchError) as error:
        fetch(published)
    for named in ("dataset 'x'", published.url, str(folder / "x.npy"), "BENCH_MIRROR"):
        assert named in str(error.value)
    assert "\n" not in str(error.value)
    (folder / "x.npy").write_bytes(CONTENT)
    assert fetch(published) == (folder / "x.npy", SHA256, "cache")


def test_an_unwritable_cache_is_reported(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(BenchError, match=r"/file/cache.*BENCH_CACHE"):
        fetch(Published(url=f"{server.url}/x.npy"))


def test_members_of_an_archive_are_unpacked_and_kept(server, folder, monkeypatch):
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
    with pytest.raises(WrongFileError, match=rf"x\.zip .*{MD5[:12]}"):
        fetch(stated)


def test_an_archive_in_a_mirror_stays_there(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path))
    (tmp_path / "x.zip").write_bytes(zipped({"corpus.jsonl": b"{}", "queries.jsonl": b"{}"}))
    published = Published(url="http://127.0.0.1:1/x.zip", members=["*.jsonl"])
    assert not is_local(published)
    assert fetch(published).path == folder / "x"
    assert files(folder) == ["corpus.jsonl", "queries.jsonl"]
    assert (tmp_path / "x.zip").is_file()


def test_another_archive_replaces_its_members(server, folder):
    published = Published(url=f"{server.url}/a.zip", members=["*.txt"])
    server.answers["/a.zip"] = [{"content": zipped({"x.txt": b"old"})}, {"content": zipped({"x.txt": b"new"})}]
    assert (fetch(published).path / "x.txt").read_bytes() == b"old"
    (folder / "a" / "mine.npy").write_bytes(b"my own")
    (folder / "a.zip.json").unlink()  # as the error about a changed file advises
    assert (fetch(published).path / "x.txt").read_bytes() == b"new"
    assert (folder / "a" / "mine.npy").read_bytes() == b"my own"


def test_an_archive_with_a_missing_member_is_fetched_again(server, folder):
    published = Published(url=f"{server.url}/a.zip", members=["*.txt"])
    server.answers["/a.zip"] = [{"content": zipped({"x.txt": b"1", "y.txt": b"2"})}]
    path = fetch(published).path
    (path / "y.txt").unlink()
    assert not is_local(published)
    with pytest.raises(BenchError, match=r"a\.zip.*bench fetch x"):
        required_path(published, "dataset 'x'", "x")
    assert fetch(published).origin == published.url
    assert (path / "y.txt").read_bytes() == b"2"


def test_an_archive_that_does_not_unpack_is_not_kept(server, folder):
    whole = zipped({"x.txt": b"1"})
    published = Published(url=f"{server.url}/a.zip", members=["*.txt"])
    server.answers["/a.zip"] = [{"content": whole[:-9], "length": False}, {"content": whole}]
    with pytest.raises(BenchError, match=r"a\.zip"):
        fetch(published)
    assert files(folder) == []
    assert fetch(published).sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("checksum", ["", f"md5:{MD5}", f"sha256:{SHA256.upper()}"])
def test_a_damaged_download_is_replaced(server, folder, checksum):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy", checksum=checksum)
    path = fetch(published).path
    path.write_bytes(CONTENT[:1000])
    with pytest.warns(BenchWarning, match=r"x\.npy"):
        assert fetch(published).origin == published.url
    assert path.read_bytes() == CONTENT
    assert files(folder) == ["x.npy"]


def test_a_damaged_download_is_replaced_only_by_the_same_file(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}, {"content": OTHER}]
    published = Published(url=f"{server.url}/x.npy")
    fetch(published).path.write_bytes(CONTENT[:1000])
    with pytest.warns(BenchWarning), pytest.raises(WrongFileError, match=SHA256[:12]):
        fetch(published)
    assert files(folder) == []
