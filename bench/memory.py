"""How much memory a part of the work takes: what the kernel says of this process, on Linux with glibc."""

import ctypes
import math
import mmap
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_PROC = Path("/proc/self")
_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

# Of the parts that are measured now, outermost first: their peak until the kernel was last told to look for a new one
_PEAKS: list[float] = []


class Growth:
    """What a part came to. bytes: None while it goes on, and where it cannot be known."""

    bytes: int | None = None


@contextmanager
def growth() -> Iterator[Growth]:
    """Measure how far the peak resident memory of this process rises above what it holds at the start, in bytes.

    It is the peak of all that the process has in RAM, of every thread: what the part allocates and touches, if only
    for a while, what the allocator keeps of that, code loaded on first use, and pages of memory-mapped files read for
    the first time, see `page_in`. It is not the size of an index, nor what stays. What libraries freed before is given
    back to the system first (`malloc_trim`), so that the fifth build in a process counts as the first does; Python's
    own small objects may still fill what they left, some 0.1 MB. Parts may lie within parts. Kernels count pages in
    batches, and may be off by 0.1 MB a core.

    None where the kernel does not tell (other systems, a refused /proc) or memory cannot be given back (no glibc).
    Resets the peak that others see of the process (VmHWM, `ru_maxrss`).
    """
    part = Growth()
    _keep_peak()
    start = _start()
    _PEAKS.append(start)
    try:
        yield part
    finally:
        _keep_peak()
        grown = _PEAKS.pop() - start
        part.bytes = None if math.isnan(grown) else int(grown)


def page_in(array: np.ndarray) -> None:
    """Read a value of every page of a C-contiguous array, so that who reads it next is not charged for its pages."""
    array.reshape(-1)[:: mmap.PAGESIZE // array.itemsize].max(initial=0)


def _keep_peak() -> None:
    """Raise the peaks of the parts that are measured now to that of the process."""
    if _PEAKS:
        _PEAKS[:] = np.maximum(_PEAKS, _stated("VmHWM")).tolist()


def _start() -> float:
    """Resident bytes, from which on the kernel looks for a new peak; NaN where it does not."""
    if _TRIM is None:
        return math.nan
    _TRIM(0)
    try:
        (_PROC / "clear_refs").write_bytes(b"5")
    except OSError:
        return math.nan
    return _stated("VmRSS")


def _stated(name: str) -> float:
    """What the kernel states of this process under a name, in bytes; NaN where it does not."""
    try:
        stated = re.search(rf"\b{name}:\s*(\d+) kB".encode(), (_PROC / "status").read_bytes())
    except OSError:
        return math.nan
    return 1024.0 * int(stated[1]) if stated else math.nan
