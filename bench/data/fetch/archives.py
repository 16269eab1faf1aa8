"""Zip and tar files: some of their members are unpacked, all inside one folder."""

import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bench.errors import BenchError

# zipfile raises the last one for passwords and unknown compression
_UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


class BadArchiveError(BenchError):
    """An archive that is damaged, or has none of the files that are needed."""


def unpack(archive: Path, folder: Path, patterns: Sequence[str]) -> list[str]:
    """Unpack the files whose names match one of `patterns` into `folder`; return their names.

    They come into the folder once all are unpacked. Files of the same names are replaced, others stay.
    patterns: as in a shell, but `*` matches slashes too.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder.parent) as temporary:
            unpacked = Path(temporary)
            _extract(archive, unpacked, patterns)
            names = [file.relative_to(unpacked).as_posix() for file in unpacked.rglob("*") if file.is_file()]
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (unpacked / name).replace(folder / name)
    except _UNREADABLE as error:
        raise BadArchiveError(f"{archive} is damaged ({error}): get it again") from None
    except OSError as error:
        raise BenchError(f"cannot unpack {archive} into {folder}: {error.strerror}; make room or allow it") from None
    if not names:
        raise BadArchiveError(f"{archive} has no file that matches {', '.join(patterns)}: get it again")
    return names


def _extract(archive: Path, into: Path, patterns: Sequence[str]) -> None:
    """Extract the members that match; zipfile, and the filter of tarfile, keep them inside the folder."""

    def matches(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(into, [name for name in opened.namelist() if matches(name)])
    else:
        with tarfile.open(archive) as opened_tar:
            opened_tar.extractall(into, [member for member in opened_tar if matches(member.name)], filter="data")
