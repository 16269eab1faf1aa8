"""Files that commands write: decides, for all commands, which files may be overwritten."""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bench.errors import BenchError

Content = bytes | Callable[[BinaryIO], object]  # or what writes it, block by block
STANDARD = Path("-")  # stands for standard output
_STANDARD = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
_DATABASE = b"SQLite format 3\0"
_JOURNALS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")  # write-ahead, and rollback
_BESIDE_A_DATABASE = ("-wal", "-shm", "-journal")


class Kind(NamedTuple):
    """A kind of file that a command writes, and may write over.

    name: as in "is no NAME".
    holds: whether a file that is not empty is of this kind, by its content; may raise a BenchError that says why not.
    """

    name: str
    holds: Callable[[Path], bool]


def is_standard(path: Path) -> bool:
    """Return whether a path stands for standard output."""
    return str(path) in _STANDARD


def is_stream(path: Path) -> bool:
    """Return whether a path leads to a pipe or a device, or stands for standard output."""
    return is_standard(path) or (path.exists() and not path.is_file() and not path.is_dir())


def writer(path: Path, kind: Kind, reads: Iterable[Path] = ()) -> Callable[[Content], None]:
    """Check an output as `check` does, and return what writes its content, whole or not at all."""
    sources = list(reads)
    check(path, kind, sources)
    return partial(_write, path, kind, sources)


def check(path: Path, kind: Kind, reads: Iterable[Path] = ()) -> None:
    """Raise BenchError if an output would destroy something, or cannot be written; costs little.

    Nothing is written over a file that is read, over a store or another SQLite file, or over a file of another kind.
    A file of the same kind, an empty file, a pipe and a device may be written.

    reads: every file that the command reads; a folder stands for the Parquet files in it.
    """
    try:
        if source := next((source for source in reads if _is_same(path, source)), None):
            raise BenchError(f"{path} is not replaced, since this command also uses {source}: name another file")
        if not is_stream(path):
            _check_file(path, kind)
    except OSError as error:
        raise _cannot_write(path, error) from None


def _check_file(path: Path, kind: Kind) -> None:
    """Raise BenchError if a path is not that of a file that may be written."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise BenchError(f"cannot write {path}: its folder does not exist; name another file")
    if path.is_dir():
        raise BenchError(f"cannot write {path}: it is a folder; name a file")
    if not os.access(folder, os.W_OK):
        raise BenchError(f"cannot write {path}: its folder is not writable; name another file")
    if _is_database(path):
        raise BenchError(f"{path} is a store or another SQLite file, and is not replaced: name another file")
    if path.exists() and path.stat().st_size and not _holds(kind, path):
        raise BenchError(f"{path} is no {kind.name}, and is not replaced: move it, or name another file")


def _holds(kind: Kind, path: Path) -> bool:
    try:
        return kind.holds(path)
    except (OSError, ValueError):  # cannot be read, or is not text
        return False


def _is_same(path: Path, source: Path) -> bool:
    """Return whether an output is a file that is read, by whatever name or link."""
    try:
        there = os.fstat(1) if is_standard(path) else path.stat()
        if source.is_dir():
            return path.suffix.lower() == ".parquet" and path.resolve().is_relative_to(source.resolve())
        return os.path.samestat(there, source.stat())
    except OSError:  # one of the two does not exist, or both
        return path.resolve() == source.resolve()


def _is_database(path: Path) -> bool:
    """Return whether a file belongs to SQLite: a database, or a file next to one until its last write is finished."""
    real = path.resolve()
    end = next((end for end in _BESIDE_A_DATABASE if real.name.lower().endswith(end)), None)
    if end and head(real.with_name(real.name[: -len(end)]), len(_DATABASE)) == _DATABASE:
        return True
    return head(real, len(_DATABASE)).startswith((_DATABASE, *_JOURNALS))


def head(path: Path, size: int) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError:
        return b""


def _write(path: Path, kind: Kind, reads: Iterable[Path], content: Content) -> None:
    """Write a file whole or not at all, after a second check; a pipe or a device directly."""
    check(path, kind, reads)
    put = content if callable(content) else lambda stream: stream.write(content)
    if is_standard(path):
        put(sys.stdout.buffer)
        return
    target = path.resolve()  # a link stays, and its file is replaced
    part = None if is_stream(path) else target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with (part or path).open("wb") as stream:
            put(stream)
        if part:
            part.replace(target)
    except OSError as error:
        raise _cannot_write(path, error) from None
    finally:
        if part:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> BenchError:
    return BenchError(f"cannot write {path}: {error.strerror}; name another file")
