"""`bench order` as a loader uses it: row numbers, and the vectors themselves in the order."""

import numpy as np
import pytest
from support.lines import one_line

from bench.data.formats import array


@pytest.fixture
def rows(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", vectors)
    return vectors


def test_the_vectors_are_written_in_the_order_of_the_row_numbers(cli, tmp_path, rows):
    cli("order", "x.npy", "--order", "radius-descending", "--output", "ids.npy", "--write", "sorted.npy", check=0)
    ids, written = np.load(tmp_path / "ids.npy"), np.load(tmp_path / "sorted.npy")
    assert written.dtype == np.float32
    assert np.array_equal(written, rows[ids])
    assert not np.array_equal(ids, np.arange(300))


def test_the_vectors_alone_are_written_under_a_metric_that_scales_them(cli, tmp_path, rows):
    cli("order", "x.npy", "--order", "reverse", "--metric", "cosine", "--write", "back.npy", check=0)
    assert np.array_equal(np.load(tmp_path / "back.npy"), rows[::-1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.npy", "x.npy"]


@pytest.mark.parametrize("blocks", [1, 7, 300])
def test_blocks_of_any_size_give_the_same_file(tmp_path, monkeypatch, rows, blocks):
    from bench.data.formats.npy import write_rows

    monkeypatch.setattr(array, "_BLOCK_BYTES", blocks * rows[0].nbytes)
    order = np.random.default_rng(1).permutation(300)
    with (tmp_path / "out.npy").open("wb") as stream:
        write_rows(stream, rows, order)
    assert np.array_equal(np.load(tmp_path / "out.npy"), rows[order])


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "--write"),
        (("--write", "x.npy"), "x.npy"),
        (("--write", "./x.npy"), "x.npy"),
        (("--write", "link.npy"), "link.npy"),
        (("--write", "l.npy", "--labels", "l.npy"), "l.npy"),
        (("--write", "y.npy", "--output", "y.npy"), "y.npy"),
        (("--write", "y.txt"), ".npy"),
        (("--write", "nowhere/y.npy"), "nowhere/y.npy"),
    ],
)
def test_vectors_are_never_written_over_an_input(cli, tmp_path, rows, words, named):
    (tmp_path / "link.npy").symlink_to("x.npy")
    np.save(tmp_path / "l.npy", np.arange(300))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert named in one_line(cli("order", "x.npy", "--order", "random", *words))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_reordered_vectors_replace_an_earlier_copy_and_no_other_vectors(cli, tmp_path, rows):
    np.save(tmp_path / "others.npy", rows + 1)
    for order in ("random", "reverse"):
        cli("order", "x.npy", "--order", order, "--write", "sorted.npy", check=0)
    assert np.array_equal(np.load(tmp_path / "sorted.npy"), rows[::-1])
    assert "others.npy" in one_line(cli("order", "x.npy", "--order", "random", "--write", "others.npy"))
    assert np.array_equal(np.load(tmp_path / "others.npy"), rows + 1)
