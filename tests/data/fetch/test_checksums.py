import hashlib
import json

import h5py
import numpy as np
import pytest
from support.disk import files_of_at_most
from support.downloads import CONTENT, MD5, OTHER, SHA256, fetch, files

from bench.data.fetch import Published, WrongFileError, local_file
from bench.data.fetch.checksums import Record, write_record
from bench.errors import BenchError


def test_a_verified_file_is_not_read_again_until_it_changes(server, monkeypatch):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    fetched = fetch(published)
    with monkeypatch.context() as unreadable:
        unreadable.setattr("hashlib.file_digest", lambda *_, **__: pytest.fail("read again"))
        assert local_file(published, "x").sha256 == SHA256
    fetched.path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(WrongFileError, match=rf"x\.npy .*{SHA256[:12]}"):
        local_file(published, "x")


@pytest.mark.parametrize(
    ("name", "content", "checksum"),
    [
        ("x.npy", OTHER, f"sha256:{SHA256}"),
        ("x.npy", OTHER, f"md5:{MD5}"),
        ("x.hdf5", b"\n<!DOCTYPE html><p>Come back later", ""),
        ("x.csv", b"<html><p>Come back later", ""),
        ("x.hdf5", b"version https://git-lfs.github.com/spec/v1", ""),
    ],
)
def test_a_wrong_file_is_refused_and_not_kept(server, folder, name, content, checksum):
    server.answers[f"/{name}"] = [{"content": content}]
    with pytest.raises(WrongFileError) as error:
        fetch(Published(url=f"{server.url}/{name}", checksum=checksum))
    assert "dataset 'x'" in str(error.value)
    assert f"{server.url}/{name}" in str(error.value)
    assert checksum.partition(":")[2][:12] in str(error.value)
    assert "\n" not in str(error.value)
    assert files(folder) == []
    assert len(server.requests) == 1


def test_later_downloads_must_be_as_the_first(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}, {"content": OTHER}]
    published = Published(url=f"{server.url}/x.npy")
    fetch(published).path.unlink()
    record = folder / "x.npy.json"
    with pytest.raises(WrongFileError, match=rf"/x\.npy .*{SHA256[:12]}.*{record}"):
        fetch(published)
    assert files(folder) == []
    assert json.loads(record.read_text())["checksums"]["sha256"] == SHA256
    record.unlink()
    assert fetch(published).sha256 == hashlib.sha256(OTHER).hexdigest()


def test_two_files_of_one_name_are_told_apart(server, folder):
    server.answers["/a/x.npy"] = server.answers["/b/x.npy"] = [{"content": CONTENT}]
    path = fetch(Published(url=f"{server.url}/a/x.npy")).path
    for _ in range(2):
        with pytest.raises(BenchError, match=r"x\.npy .*/a/x\.npy.*file = "):
            fetch(Published(url=f"{server.url}/b/x.npy"))
        path.unlink(missing_ok=True)
    assert server.requests == [("/a/x.npy", None)]
    assert fetch(Published(url=f"{server.url}/b/x.npy", file="b/x.npy")).path == folder / "b" / "x.npy"
    # A checksum identifies a file, wherever it comes from.
    assert fetch(Published(url=f"{server.url}/b/x.npy", checksum=f"md5:{MD5}")).path == path


def test_a_damaged_record_is_written_again(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    fetch(published)
    (folder / "x.npy.json").write_text('{"checksums"')
    assert fetch(published) == (folder / "x.npy", SHA256, "cache")
    assert json.loads((folder / "x.npy.json").read_text())["checksums"]["sha256"] == SHA256


def test_a_record_that_does_not_fit_on_the_disk_is_reported(folder):
    with files_of_at_most(10), pytest.raises(BenchError, match=r"x\.npy\.json.*BENCH_CACHE"):
        write_record(Published(url="http://h/x.npy"), Record({"sha256": SHA256}, {}, ""))
    assert not (folder / "x.npy.json").exists()


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["train"] = np.ones((1000, 8), np.float32)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["x.npy", "x.hdf5", "x.fvecs"])
def test_half_a_file_is_not_taken_for_the_file(server, folder, tmp_path, name):
    row = np.array([4], "<i4").tobytes() + np.ones(4, "<f4").tobytes()
    whole = {"x.npy": CONTENT, "x.hdf5": hdf5(tmp_path / "written.hdf5"), "x.fvecs": row * 9}[name]
    server.answers[f"/{name}"] = [{"content": whole[: len(whole) // 2], "length": False}, {"content": whole}]
    published = Published(url=f"{server.url}/{name}")
    with pytest.raises(WrongFileError, match=f"/{name}"):
        fetch(published)
    assert files(folder) == []
    assert fetch(published).path.read_bytes() == whole
