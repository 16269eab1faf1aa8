"""What the harness says to its user: mistakes to mend, and warnings."""

from collections.abc import Callable, Iterable

Log = Callable[[str], None]  # takes a line of progress


class BenchError(Exception):
    """A mistake of the user's: one line that names the file or option and the way out."""


class BenchWarning(UserWarning):
    """Something the user should know about a result that stands all the same."""


def unknown(kind: str, name: object, known: Iterable[str]) -> BenchError:
    """The error for a name that does not exist: says which do."""
    return BenchError(f"unknown {kind} {str(name)!r}; known: {', '.join(known) or 'none'}")
