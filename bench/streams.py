"""Standard streams, of which a closed or full one does no harm."""

import codecs
import errno
import io
import os
import sys
from typing import Any, TextIO

from bench.errors import BYTES, BenchError, plain

_OUTPUT, _ERROR = 1, 2


def secure() -> None:
    """Make the standard streams safe to use, from here on and in processes that this one starts.

    A closed stream is opened, since the next file, a store or a pipe, would otherwise take its number and receive the
    printed text. Standard output raises BenchError once if it cannot be written, and not if its reader has gone away;
    text that standard error cannot take is lost.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number is taken, which is this one. Output that is open for reading alone fails as if closed.
            os.set_inheritable(os.open(os.devnull, os.O_WRONLY if number == _ERROR else os.O_RDONLY), True)
    sys.stdout = _text(_Output(_OUTPUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Lossy(_ERROR, "w", closefd=False), sys.stderr)


def say(line: str) -> None:
    """Print a line of progress, or a warning, to standard error."""
    sys.stderr.write(plain(line, "\n" + BYTES) + "\n")
    sys.stderr.flush()


def print_to_error() -> None:
    """Send what this process prints to standard error, what libraries print too; what that cannot take is lost."""
    os.dup2(_ERROR, _OUTPUT)
    sys.stdout = sys.stderr = _text(_Lossy(_ERROR, "w", closefd=False), sys.stderr)


def check_stdout() -> None:
    """Raises BenchError if standard output is known to be unwritable before anything is written."""
    try:
        os.write(_OUTPUT, b"")
    except BrokenPipeError:
        pass
    except OSError as error:
        raise _cannot_write(error) from None


class _Lossy(io.FileIO):
    """A file that treats text that it cannot write as written."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


class _Output(io.FileIO):
    """A file that reports once that it cannot be written, and reports nothing if its reader has closed it."""

    _over = False

    def write(self, data: Any) -> int:
        if self._over:  # as Python tries what is left again when it ends
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:
            self._over = True
            return len(data)
        except OSError as error:
            self._over = True
            raise _cannot_write(error) from None


def _cannot_write(error: OSError) -> BenchError:
    if error.errno == errno.EBADF:
        return BenchError("standard output is closed: give the result a place, as in `> result.txt`")
    return BenchError(f"cannot write to standard output: {error.strerror}; give the result another place")


def _text(file: io.FileIO, before: TextIO | None) -> TextIO:
    """Return a text stream on a file, like the one before it; if that was closed, in the locale's encoding."""
    encoding = before.encoding if before else None
    return io.TextIOWrapper(
        io.BufferedWriter(file), encoding, _FROM_NAMES, line_buffering=file.isatty() or file.fileno() == _ERROR
    )


def _from_names(error: UnicodeError) -> tuple[bytes, int]:
    """Return replacements for characters that an encoding lacks: bytes of file names as they are, otherwise `?`."""
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    return b"".join(bytes([ord(s) - 0xDC00]) if "\udc80" <= s <= "\udcff" else b"?" for s in signs), error.end


_FROM_NAMES = "bench.from_names"
codecs.register_error(_FROM_NAMES, _from_names)
