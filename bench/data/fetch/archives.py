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
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple, cast

from bench import cache
from bench.errors import BenchError

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class BadArchiveError(BenchError):
    """An archive that is damaged, or must not be unpacked."""


class _RefusedError(Exception):
    """A member of an archive that must not be unpacked."""


class _Member(NamedTuple):
    """A file in an archive.

    name: its path in the archive.
    size: its bytes, unpacked.
    open: gives its content.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, patterns: Sequence[str]) -> list[str]:
    """Unpack the files of `archive` whose names match one of `patterns` into `folder`; their names.

    Nothing comes into the folder before all can. Files of these names are replaced, and others are left alone.

    patterns: as of the shell, in which `*` passes over slashes. An archive with any member that would leave the folder
    (an absolute path, `..`), or that is a link or a special file, is refused whole.
    """
    try:
        with _files(archive, folder) as files:
            chosen = [file for file in files if any(fnmatchcase(file.name, pattern) for pattern in patterns)]
            if not chosen:
                raise BadArchiveError(f"{archive} has no file that matches {', '.join(patterns)}: get it again")
            cache.check_space(folder.parent, sum(file.size for file in chosen), f"unpacking {archive}")
            _write(archive, chosen, folder)
            return [file.name for file in chosen]
    except _RefusedError as error:
        raise BadArchiveError(f"{archive} is refused: {error}") from None
    except _DAMAGED as error:
        raise BadArchiveError(f"{archive} is damaged ({error}): get it again") from None
    except (RuntimeError, NotImplementedError) as error:  # from zipfile, for passwords and unknown compression
        raise BadArchiveError(f"{archive} cannot be unpacked: {error}") from None
    except OSError as error:
        raise BenchError(f"cannot unpack {archive} into {folder}: {error.strerror or error}") from None


def only_folder(folder: Path) -> Path:
    """The one folder that everything in `folder` lies in, as archives often have it; else `folder` itself."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


@contextmanager
def _files(archive: Path, folder: Path) -> Iterator[list[_Member]]:
    """The files of an archive, after all of its members were checked."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield [_of_zip(opened, info) for info in _checked_zip(opened) if not info.is_dir()]
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as opened_tar:
            yield [_of_tar(opened_tar, info) for info in _checked_tar(opened_tar, folder) if not info.isdir()]
    else:
        raise BadArchiveError(f"{archive} is neither a zip nor a tar file: get it again")


def _of_zip(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    return _Member(info.filename, info.file_size, lambda: opened.open(info))


def _of_tar(opened: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    return _Member(info.name, info.size, lambda: cast(IO[bytes], opened.extractfile(info)))


def _checked_zip(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members of a zip file, which zipfile would unpack under other names where these leave the folder."""
    for info in opened.infolist():
        _check_name(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not written on Unix
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _RefusedError(f"{info.filename!r} is {'a link' if kind == stat.S_IFLNK else 'a special file'}")
    return opened.infolist()


def _checked_tar(opened: tarfile.TarFile, folder: Path) -> list[tarfile.TarInfo]:
    """The members of a tar file: tarfile refuses special files and what leaves the folder, this all links."""
    for info in opened.getmembers():
        try:
            tarfile.data_filter(info, str(folder))
        except tarfile.FilterError as error:
            raise _RefusedError(str(error)) from None
        _check_name(info.name)  # the filter strips leading slashes rather than refusing them
        if info.issym() or info.islnk():
            raise _RefusedError(f"{info.name!r} is a link")
    return opened.getmembers()


def _check_name(name: str) -> None:
    path = PureWindowsPath(name)  # Windows' rules include those for slashes
    if path.anchor or ".." in path.parts:
        raise _RefusedError(f"{name!r} would be written outside the folder")


def _write(archive: Path, members: Sequence[_Member], folder: Path) -> None:
    """Write the members into another folder, and move that, or else its files, into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    building.chmod(0o755)  # a cache may be shared
    try:
        for member in members:
            path = building / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as content, path.open("xb") as stream:
                shutil.copyfileobj(content, stream)
        if not folder.exists():
            building.rename(folder)
            return
        for member in members:
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            (building / member.name).replace(path)
    except FileExistsError:
        raise BadArchiveError(f"{archive} is refused: {member.name!r} is in it twice") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
