import io
import os
import stat
import tarfile
import zipfile

import pytest

from bench import cache
from bench.data.fetch import archives
from bench.errors import BenchError


def as_zip(path, members):
    """members: name -> content, or a symbolic link's target as text."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            kind = stat.S_IFLNK if isinstance(content, str) else stat.S_IFREG
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, content)
    return path


def as_tar(path, members):
    """members: name -> content, a symbolic link's target as text, or a type of tarfile's."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            elif isinstance(content, tuple):
                info.type, info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


MAKERS = {"x.zip": as_zip, "x.tar.gz": as_tar}


def left(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.name.startswith("x."))


@pytest.mark.parametrize("name", MAKERS)
def test_what_matches_is_unpacked_with_its_folders(tmp_path, monkeypatch, name):
    archive = MAKERS[name](tmp_path / name, {"a/b/c.tsv": b"1", "a/d.jsonl": b"22", "a/e.bin": b"3" * 1000})
    calls = []
    monkeypatch.setattr(cache, "check_space", lambda *call: calls.append(call))
    names = archives.unpack(archive, tmp_path / "out", ["*.tsv", "a/d*"])
    assert sorted(names) == ["a/b/c.tsv", "a/d.jsonl"]
    assert left(tmp_path) == ["out", "out/a", "out/a/b", "out/a/b/c.tsv", "out/a/d.jsonl"]
    assert (tmp_path / "out/a/d.jsonl").read_bytes() == b"22"
    assert calls == [(tmp_path, 3, f"unpacking {archive}")]
    assert archives.only_folder(tmp_path / "out") == tmp_path / "out" / "a"
    assert archives.only_folder(tmp_path / "out" / "a") == tmp_path / "out" / "a"


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("../x.txt", b"1", "outside"),
        ("a/../../x.txt", b"1", "outside"),
        ("/etc/x.txt", b"1", "outside"),
        ("//host/share/x.txt", b"1", "outside"),
        ("..\\x.txt", b"1", "outside"),
        ("C:/x.txt", b"1", "outside"),
        ("link", "/etc/passwd", "is a link"),
    ],
)
def test_an_archive_with_a_member_that_leaves_is_refused_whole(tmp_path, name, member, content, message):
    archive = MAKERS[name](tmp_path / name, {"good.txt": b"1", member: content})
    with pytest.raises(BenchError, match=message) as error:
        archives.unpack(archive, tmp_path / "in" / "out", ["good.txt"])
    assert repr(member) in str(error.value)
    assert str(archive) in str(error.value)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ((tarfile.LNKTYPE, "good.txt"), "a link"),
        ((tarfile.CHRTYPE, ""), "a special file"),
        ((tarfile.FIFOTYPE, ""), "a special file"),
    ],
)
def test_links_and_devices_in_a_tar_file_are_refused(tmp_path, kind, message):
    archive = as_tar(tmp_path / "x.tar.gz", {"good.txt": b"1", "odd": kind})
    with pytest.raises(BenchError, match=f"'odd' is {message}"):
        archives.unpack(archive, tmp_path / "out", ["*"])
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", MAKERS)
def test_a_truncated_archive_is_reported_and_leaves_nothing(tmp_path, name):
    archive = MAKERS[name](tmp_path / name, {"a.txt": os.urandom(100_000)})
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(BenchError, match=r"is damaged|neither a zip nor a tar file"):
        archives.unpack(archive, tmp_path / "out", ["*"])
    assert left(tmp_path) == []


def test_a_damaged_member_is_reported_and_leaves_nothing(tmp_path):
    archive = as_zip(tmp_path / "x.zip", {"a.txt": b"a" * 10, "b.txt": os.urandom(1000)})
    content = bytearray(archive.read_bytes())
    content[300] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(BenchError, match=r"x\.zip is damaged"):
        archives.unpack(archive, tmp_path / "out", ["*"])
    assert left(tmp_path) == []


def test_an_archive_without_what_is_needed_is_reported(tmp_path):
    archive = as_zip(tmp_path / "x.zip", {"a.txt": b"1"})
    with pytest.raises(BenchError, match=r"has no file that matches \*\.jsonl, b/\*: get it again"):
        archives.unpack(archive, tmp_path / "out", ["*.jsonl", "b/*"])


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.txt", b"2")
    with pytest.raises(BenchError, match=r"'a\.txt' is in it twice"):
        archives.unpack(tmp_path / "x.zip", tmp_path / "out", ["*"])
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", MAKERS)
def test_what_comes_into_a_folder_replaces_only_its_own(tmp_path, name):
    for content, second in ((b"1", "a/gone.txt"), (b"2", "new/b.txt")):
        archive = MAKERS[name](tmp_path / name, {"a/x.txt": content, second: content})
        archives.unpack(archive, tmp_path / "out", ["*"])
        (tmp_path / "out" / "a" / "mine.txt").write_bytes(b"3")
    assert left(tmp_path / "out") == ["a", "a/gone.txt", "a/mine.txt", "new", "new/b.txt"]
    assert (tmp_path / "out" / "a" / "x.txt").read_bytes() == b"2"
    assert (tmp_path / "out" / "a" / "mine.txt").read_bytes() == b"3"
    archive.write_bytes(b"no archive")
    with pytest.raises(archives.BadArchiveError):
        archives.unpack(archive, tmp_path / "out", ["*"])
    assert (tmp_path / "out" / "a" / "x.txt").read_bytes() == b"2"
