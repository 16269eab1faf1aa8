"""What is needed of a zip or tar file, unpacked without anything leaving its folder."""

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple

from bench.errors import BenchError

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class BadArchiveError(BenchError):
    """An archive is damaged, or is none that may be unpacked."""


class _Member(NamedTuple):
    name: str
    size: int  # bytes, unpacked
    kind: str  # "file", "folder", or what it is that is refused
    open: Callable[[], IO[bytes] | None]


def unpack(
    archive: Path, folder: Path, wanted: Sequence[str], check_space: Callable[[Path, int, str], None]
) -> list[str]:
    """Unpack the files of `archive` whose names match a pattern of `wanted` into `folder`; their names.

    Nothing comes into the folder before all can. Files of these names are replaced, and others are left alone.

    wanted: shell patterns, in which `*` passes over slashes. check_space: called with a folder, the bytes that will
    come into it, and what for. An archive with any member that would leave the folder (an absolute path, `..`), or
    that is a link or a device, is refused whole.
    """
    try:
        with _members(archive) as members:
            for member in members:
                _check(archive, member)
            chosen = [m for m in members if m.kind == "file" and any(fnmatchcase(m.name, p) for p in wanted)]
            if not chosen:
                raise BadArchiveError(f"{archive} has no file that matches {', '.join(wanted)}: get it again")
            check_space(folder.parent, sum(member.size for member in chosen), f"unpacking {archive}")
            _write(archive, chosen, folder)
            return [member.name for member in chosen]
    except _DAMAGED as error:
        raise BadArchiveError(f"{archive} is damaged ({error}): get it again") from None
    except (RuntimeError, NotImplementedError) as error:  # as zipfile tells of passwords and unknown methods
        raise BadArchiveError(f"{archive} cannot be unpacked: {error}") from None
    except OSError as error:
        raise BenchError(f"cannot unpack {archive} into {folder}: {error.strerror or error}") from None


def only_folder(folder: Path) -> Path:
    """The one folder that everything in `folder` lies in, as archives often have it; else `folder` itself."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


@contextmanager
def _members(archive: Path) -> Iterator[list[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield [_Member(i.filename, i.file_size, _zip_kind(i), _zip_opener(opened, i)) for i in opened.infolist()]
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            yield [_Member(i.name, i.size, _tar_kind(i), _tar_opener(tar, i)) for i in tar.getmembers()]
    else:
        raise BadArchiveError(f"{archive} is neither a zip nor a tar file: get it again")


def _zip_opener(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: opened.open(info)


def _tar_opener(opened: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes] | None]:
    return lambda: opened.extractfile(info)


def _zip_kind(info: zipfile.ZipInfo) -> str:
    if info.is_dir():
        return "folder"
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
    return "a symbolic link" if kind == stat.S_IFLNK else "file" if kind in (0, stat.S_IFREG) else "a device"


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return "folder"
    return "file" if info.isfile() else "a link" if info.issym() or info.islnk() else "a device"


def _check(archive: Path, member: _Member) -> None:
    if member.kind not in ("file", "folder"):
        raise BadArchiveError(f"{archive} is refused: its member {member.name!r} is {member.kind}")
    path = PurePosixPath(member.name)
    if path.is_absolute() or PureWindowsPath(member.name).drive or ".." in path.parts or "\\" in member.name:
        raise BadArchiveError(f"{archive} is refused: its member {member.name!r} would be written outside the folder")


def _write(archive: Path, members: Sequence[_Member], folder: Path) -> None:
    """Write the members into another folder, and move that, or else its files, into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    building.chmod(0o755)  # a cache may be shared
    try:
        for member in members:
            path = building / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = member.open()
            assert content is not None
            with content, path.open("xb") as stream:
                shutil.copyfileobj(content, stream)
        if not folder.exists():
            building.rename(folder)
            return
        for member in members:
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            (building / member.name).replace(path)
    except FileExistsError:
        raise BadArchiveError(f"{archive} is refused: its member {member.name!r} is there twice") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
