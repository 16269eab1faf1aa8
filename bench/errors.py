"""Messages of the harness to its user: errors to correct, and warnings."""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

Log = Callable[[str], None]  # takes a line of progress


class BenchError(Exception):
    """A user's mistake: one line that names the file or option and says what to do."""


class BenchWarning(UserWarning):
    """Something the user should know about a result that stands all the same."""


def unknown(kind: str, name: object, known: Iterable[str]) -> BenchError:
    """The error for a name that does not exist: says which do."""
    return BenchError(f"unknown {kind} {str(name)!r}; known: {', '.join(known) or 'none'}")


def no_file(path: Path, way_out: str) -> BenchError:
    """Return the error for a path without a file: says what is there instead."""
    try:
        what = "is a folder" if path.is_dir() else "is a pipe or a device"
        path.stat()
    except FileNotFoundError:
        is_link = path.is_symlink()
        what = f"is a symbolic link to {os.readlink(path)}, which does not exist" if is_link else "does not exist"
    except OSError as error:
        circle = error.errno == errno.ELOOP
        what = "is a symbolic link that leads in a circle" if circle else f"cannot be read: {error.strerror}"
    return BenchError(f"{path} {what}: {way_out}")


BYTES = "".join(map(chr, range(0xDC80, 0xDD00)))  # of file names that are not UTF-8, as Python has them


def plain(value: object, but: str = "") -> str:
    """Return a value as text without line breaks or signs that steer a terminal, except those in `but`."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in but else " " if sign.isspace() else sign.encode("unicode_escape").decode()
        for sign in text
    )
