import time

import numpy as np
import pytest
from support.disk import files_of_at_most
from support.messages import refused, warned

from bench import cache, digests


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made(counter):
    def make():
        counter.append(1)
        return {"a": np.arange(1000), "b": np.ones((3, 4), np.float32)}

    return make


def test_an_entry_is_made_once_and_comes_back_mapped_and_read_only(folder):
    calls = []
    first = cache.entry("kind", {"x": 1, "y": "z"}, made(calls))
    second = cache.entry("kind", {"y": "z", "x": 1}, made(calls))
    assert len(calls) == 1
    assert np.array_equal(second.arrays["a"], np.arange(1000))
    assert isinstance(second.arrays["a"], np.memmap)
    assert not second.arrays["a"].flags.writeable
    assert (
        first.digests
        == second.digests
        == {
            "a": digests.array_digest(np.arange(1000)),
            "b": digests.array_digest(np.ones((3, 4), np.float32)),
        }
    )


def test_another_key_is_another_entry(folder):
    calls = []
    cache.entry("kind", {"x": 1}, made(calls))
    cache.entry("kind", {"x": 2}, made(calls))
    cache.entry("other", {"x": 1}, made(calls))
    assert len(calls) == 3


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "no entry.json", "half an entry.json"])
def test_a_damaged_entry_is_named_and_made_again(folder, damage):
    calls = []
    cache.entry("kind", {"x": 1}, made(calls))
    [path] = folder.glob("kind/*/a.npy")
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        path.write_bytes(content[:-1] + b"\xff")
    elif damage == "gone":
        path.unlink()
    elif damage == "no entry.json":
        (path.parent / "entry.json").unlink()
    else:
        (path.parent / "entry.json").write_text('{"key"')
    with warned("damaged"):
        again = cache.entry("kind", {"x": 1}, made(calls))
    assert len(calls) == 2
    assert np.array_equal(again.arrays["a"], np.arange(1000))


def test_a_file_touched_but_not_changed_is_good(folder):
    calls = []
    cache.entry("kind", {"x": 1}, made(calls))
    [path] = folder.glob("kind/*/a.npy")
    path.write_bytes(path.read_bytes())
    cache.entry("kind", {"x": 1}, made(calls))
    assert len(calls) == 1


def test_seconds_of_an_entry_are_those_with_an_empty_cache(folder):
    def inner():
        time.sleep(0.2)
        return {"a": np.ones(10)}

    def outer():
        return {"b": cache.entry("inner", {}, inner).arrays["a"] + 1}

    first, again = (cache.entry("outer", {"made": number}, outer).seconds for number in (1, 2))
    assert cache.entry("outer", {"made": 1}, outer).seconds == first
    assert min(first, again) >= 0.2  # the second was made from what the first had cached


def test_blocks_make_the_same_entry_as_the_whole_array(folder, monkeypatch):
    monkeypatch.setattr(digests, "_BLOCK_BYTES", 100)
    array = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    blocks = cache.Blocks(array.shape, array.dtype, (array[i : i + 7] for i in range(0, 50, 7)))
    kept = cache.entry("kind", {"x": "blocks"}, lambda: {"a": blocks})
    whole = cache.entry("kind", {"x": "whole"}, lambda: {"a": array})
    assert np.array_equal(kept.arrays["a"], array)
    assert kept.digests == whole.digests == {"a": digests.array_digest(array)}
    monkeypatch.undo()
    assert digests.array_digest(array) == whole.digests["a"]


@pytest.mark.parametrize("rows", [6, 8])
def test_blocks_that_do_not_make_the_array_leave_nothing(folder, rows):
    blocks = cache.Blocks((7, 2), np.dtype(np.float32), iter([np.zeros((rows, 2), np.float32)]))
    with refused("(7, 2)", error=ValueError):
        cache.entry("kind", {"x": 1}, lambda: {"a": blocks})
    assert not list(folder.rglob("*.npy"))


def test_an_entry_that_fails_leaves_nothing(folder):
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.entry("kind", {"x": 1}, fail)
    assert not list(folder.rglob("*.npy"))


def test_a_full_disk_leaves_nothing(folder):
    with (
        files_of_at_most(1000),
        refused(folder, "File too large"),
    ):
        cache.entry("kind", {"x": 1}, lambda: {"a": np.arange(1000)})
    assert not list((folder / "kind").iterdir())


def test_an_unwritable_cache_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file" / "cache"))
    with refused(tmp_path / "file" / "cache", "BENCH_CACHE"):
        cache.entry("kind", {"x": 1}, lambda: {"a": np.arange(3)})


def test_digests_differ_by_type_shape_and_content_but_not_layout():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert digests.array_digest(a) == digests.array_digest(np.asfortranarray(a))
    different = [a, a.astype(np.float64), a.reshape(3, 2), a + 1, a[:0]]
    assert len({digests.array_digest(array) for array in different}) == len(different)
