"""A disk that is full."""

import resource
from contextlib import contextmanager


@contextmanager
def files_of_at_most(size):
    """Writing on after so many bytes of a file fails, as on a full disk, with what fits written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
