import subprocess
import sys

import numpy as np
import pytest

from bench import memory

MB = 10**6
ROUNDING = MB // 2  # kernels count pages in batches, a core its own

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")


def touched(megabytes):
    return np.ones(megabytes * MB, np.uint8)


@needs_linux
def test_what_is_allocated_and_touched_is_the_growth_also_where_it_is_gone_at_the_end():
    for _ in range(2):
        with memory.growth() as grown:
            assert grown.bytes is None
            touched(50)
        assert 50 * MB - ROUNDING <= grown.bytes < 100 * MB


@needs_linux
def test_what_is_not_touched_and_what_was_there_before_is_no_growth():
    before = touched(50)
    with memory.growth() as grown:
        untouched = np.empty(50 * MB, np.uint8)
    assert grown.bytes < 5 * MB
    assert len(before) == len(untouched)


SMALL_BLOCKS = """
import numpy as np
from bench import memory
for _ in range(3):
    with memory.growth() as grown:
        kept = [np.ones(50_000, np.uint8) for _ in range(1000)]  # small enough for the heap, which keeps what is freed
    last = np.ones(50_000, np.uint8)  # at the heap's end, so that it does not shrink by itself
    del kept
    print(grown.bytes)
"""


@needs_linux
def test_small_blocks_that_were_freed_count_again_when_they_are_used_again():
    """In a process of its own: the holes that other tests leave in a heap are filled before it grows."""
    done = subprocess.run([sys.executable, "-c", SMALL_BLOCKS], capture_output=True, text=True, check=True)
    sizes = [int(line) for line in done.stdout.split()]
    assert len(sizes) == 3
    assert all(50 * MB - ROUNDING <= size < 60 * MB for size in sizes)


@needs_linux
def test_a_part_within_a_part_leaves_the_outer_ones_peak_alone():
    with memory.growth() as outer:
        touched(80)
        held = touched(20)
        with memory.growth() as inner:
            touched(40)
    assert len(held) == 20 * MB
    for part, megabytes in ((outer, 80), (inner, 40)):
        assert megabytes * MB - ROUNDING <= part.bytes < (megabytes + 10) * MB


@needs_linux
def test_a_part_that_fails_is_over():
    def fails():
        with memory.growth():
            raise ValueError("no")

    with memory.growth() as outer:
        with pytest.raises(ValueError, match="no"):
            fails()
        touched(50)
    assert 50 * MB - ROUNDING <= outer.bytes < 60 * MB


@needs_linux
def test_pages_of_a_file_count_only_for_who_reads_them_first(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((5_000_000, 2), np.float32))
    for paged_in in (False, True):
        array = np.load(tmp_path / "a.npy", mmap_mode="r")
        if paged_in:
            memory.page_in(array)
        with memory.growth() as grown:
            array.max()
        assert (grown.bytes < 5 * MB) if paged_in else (grown.bytes > 39 * MB)


def stated_by(folder, status="VmHWM:\t  9 kB\nVmRSS:\t  8 kB\n", can_reset=True):
    """A folder in place of /proc/self."""
    folder.mkdir()
    if status is not None:
        (folder / "status").write_text(status)
    if not can_reset:
        (folder / "clear_refs").mkdir()
    return folder


@pytest.mark.parametrize(
    "proc", [{"status": None}, {"status": ""}, {"status": "VmRSS:\t  8 kB\n"}, {"can_reset": False}]
)
def test_where_the_kernel_does_not_tell_there_is_no_figure(tmp_path, monkeypatch, proc):
    monkeypatch.setattr(memory, "_PROC", stated_by(tmp_path / "proc", **proc))
    with memory.growth() as grown:
        touched(1)
    assert grown.bytes is None


def test_without_malloc_trim_as_on_other_systems_there_is_no_figure(monkeypatch):
    monkeypatch.setattr(memory, "_TRIM", None)
    with memory.growth() as grown:
        touched(1)
    assert grown.bytes is None


@needs_linux
def test_a_part_within_that_is_not_known_makes_no_wrong_figure_of_the_outer_one(tmp_path, monkeypatch):
    with memory.growth() as outer:
        touched(50)
        with monkeypatch.context() as patch:
            patch.setattr(memory, "_PROC", tmp_path)
            with memory.growth() as inner:
                pass
    assert inner.bytes is None
    assert outer.bytes is None  # the peak may have been reset
    with memory.growth() as after:
        touched(50)
    assert after.bytes > 49 * MB
