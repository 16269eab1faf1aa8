import hashlib
import json

import h5py
import numpy as np
import pytest
from support.disk import files_of_at_most
from support.downloads import CONTENT, MD5, OTHER, SHA256, fetch, files

from bench.data.fetch import Published, local_file
from bench.data.fetch.checksums import write_record
from bench.errors import BenchError


def test_a_file_once_verified_is_not_read_again_until_it_changes(server, folder, monkeypatch):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    fetched = fetch(published)
    monkeypatch.setattr("hashlib.file_digest", lambda *_, **__: pytest.fail("read again"))
    assert local_file(published, "x").sha256 == SHA256
    monkeypatch.undo()
    monkeypatch.setenv("BENCH_CACHE", str(folder.parent))
    fetched.path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(BenchError, match=rf"x\.npy: SHA-256 is .* it was {SHA256[:12]}"):
        local_file(published, "x")


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
    # By a checksum it is the same file, whatever its origin.
    assert fetch(Published(url=f"{server.url}/b/x.npy", checksum=f"md5:{MD5}")).origin == "cache"


def test_a_damaged_record_is_written_again(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    fetch(published)
    (folder / "x.npy.json").write_text('{"checksums"')
    assert fetch(published) == (folder / "x.npy", SHA256, "cache")
    assert json.loads((folder / "x.npy.json").read_text())["checksums"]["sha256"] == SHA256


def test_a_full_disk_leaves_no_half_a_record(folder):
    with files_of_at_most(10), pytest.raises(BenchError, match=r"cannot write .*x\.npy\.json: File too large"):
        write_record(Published(url="http://h/x.npy"), {"checksums": {"sha256": SHA256}})
    assert list(folder.iterdir()) == []


def hdf5(tmp_path):
    with h5py.File(tmp_path / "written.hdf5", "w") as file:
        file["train"] = np.ones((1000, 8), np.float32)
    return (tmp_path / "written.hdf5").read_bytes()


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


def test_a_name_that_is_taken_is_refused_before_any_request(server):
    server.answers["/a/x.npy"] = server.answers["/b/x.npy"] = [{"content": CONTENT}]
    fetch(Published(url=f"{server.url}/a/x.npy")).path.unlink()
    with pytest.raises(BenchError, match=r"x\.npy is the name of .*/a/x\.npy"):
        fetch(Published(url=f"{server.url}/b/x.npy"))
    assert server.requests == [("/a/x.npy", None)]
