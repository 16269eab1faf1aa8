import io
import os
import tarfile
import zipfile
from contextlib import suppress

import pytest

from bench.data.fetch import archives


def as_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def as_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


MAKERS = {"x.zip": as_zip, "x.tar.gz": as_tar}
each_kind = pytest.mark.parametrize("name", MAKERS)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpack(tmp_path, name, members, patterns=("*",)):
    return archives.unpack(MAKERS[name](tmp_path / name, members), tmp_path / "in" / "out", patterns)


@each_kind
def test_members_that_match_are_unpacked_with_their_folders(tmp_path, name):
    members = {"a/b/c.tsv": b"1", "a/d.jsonl": b"22", "a/e.bin": b"3" * 1000}
    assert sorted(unpack(tmp_path, name, members, ["*.tsv", "a/d*"])) == ["a/b/c.tsv", "a/d.jsonl"]
    assert files(tmp_path / "in") == {"out/a/b/c.tsv": b"1", "out/a/d.jsonl": b"22"}


@each_kind
@pytest.mark.parametrize("member", ["../x.txt", "a/../../x.txt", "/../x.txt"])
def test_nothing_is_written_outside_the_folder(tmp_path, name, member):
    with suppress(archives.BadArchiveError):  # tar files are refused, members of zip files get another name
        unpack(tmp_path, name, {"good.txt": b"1", member: b"2"})
    assert set(files(tmp_path / "in")) <= {"out/good.txt", "out/x.txt", "out/a/x.txt"}
    assert not (tmp_path / "x.txt").exists()


def test_a_link_that_leads_outside_is_refused(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(archives.BadArchiveError, match=r"x\.tar\.gz"):
        archives.unpack(tmp_path / "x.tar.gz", tmp_path / "out", ["*"])
    assert files(tmp_path / "out") == {}


@each_kind
@pytest.mark.parametrize("kept", [50_000, 100_050])
def test_a_truncated_archive_is_reported_and_leaves_nothing(tmp_path, name, kept):
    archive = MAKERS[name](tmp_path / name, {"a.txt": os.urandom(100_000)})
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises(archives.BadArchiveError, match=name):
        archives.unpack(archive, tmp_path / "out", ["*"])
    assert files(tmp_path / "out") == {}


def test_a_damaged_member_is_reported_and_leaves_nothing(tmp_path):
    archive = as_zip(tmp_path / "x.zip", {"a.txt": b"a" * 10, "b.txt": os.urandom(1000)})
    content = bytearray(archive.read_bytes())
    content[300] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(archives.BadArchiveError, match=r"x\.zip"):
        archives.unpack(archive, tmp_path / "out", ["*"])
    assert files(tmp_path / "out") == {}


def test_an_archive_without_the_members_is_reported(tmp_path):
    with pytest.raises(archives.BadArchiveError, match=r"x\.zip .*\*\.jsonl, b/\*"):
        unpack(tmp_path, "x.zip", {"a.txt": b"1"}, ["*.jsonl", "b/*"])


@each_kind
def test_files_of_other_names_stay_in_the_folder(tmp_path, name):
    for content, second in ((b"1", "a/gone.txt"), (b"2", "new/b.txt")):
        unpack(tmp_path, name, {"a/x.txt": content, second: content})
        (tmp_path / "in" / "out" / "a" / "mine.txt").write_bytes(b"3")
    expected = {"a/x.txt": b"2", "a/gone.txt": b"1", "new/b.txt": b"2", "a/mine.txt": b"3"}
    assert files(tmp_path / "in" / "out") == expected
