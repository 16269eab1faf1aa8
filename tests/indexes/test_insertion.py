"""How rows go in: moved a little by the build seed, so many a call. `make jitter` shows what that replicates."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.messages import refused

from bench.indexes.insertion import JitteredParams, calls, check_jitter, jittered

sizes = st.integers(0, 300)
jitters = st.integers(1, 40)
seeds = st.integers(1, 2**20)


@settings(max_examples=30, deadline=None)
@given(sizes, jitters, seeds)
def test_every_row_is_moved_by_fewer_than_so_many_places(n, jitter, seed):
    order = np.random.default_rng(0).permutation(n)
    moved = jittered(order, jitter, seed)
    place = np.argsort(order)  # of a row in the order
    assert np.array_equal(np.sort(moved), np.arange(n))
    assert (np.abs(np.arange(n) - place[moved]) < jitter).all()


@settings(max_examples=30, deadline=None)
@given(sizes, seeds)
def test_a_jitter_of_one_leaves_the_order(n, seed):
    order = np.random.default_rng(0).permutation(n)
    assert np.array_equal(jittered(order, 1, seed), order)


@settings(max_examples=30, deadline=None)
@given(st.integers(100, 300), st.integers(2, 40), seeds)
def test_another_seed_moves_otherwise_and_the_same_alike(n, jitter, seed):
    order = np.arange(n)
    assert np.array_equal(jittered(order, jitter, seed), jittered(order, jitter, seed))
    assert not np.array_equal(jittered(order, jitter, seed), jittered(order, jitter, seed + 1))


@settings(max_examples=30, deadline=None)
@given(st.integers(40, 300), jitters, seeds, st.integers(0, 50))
def test_rows_that_follow_do_not_change_how_the_first_are_moved(n, jitter, seed, more):
    settled = n - jitter
    assert np.array_equal(
        jittered(np.arange(n), jitter, seed)[:settled], jittered(np.arange(n + more), jitter, seed)[:settled]
    )


def test_rows_move_as_far_as_a_draw_from_half_the_jitter_either_way():
    moved = jittered(np.arange(20_000), 16, 1) - np.arange(20_000)
    assert abs(moved.var() / (16**2 / 12) - 1) < 0.05  # of a uniform draw; its standard error is 0.006


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.one_of(st.integers(1, 400), st.just("all")))
def test_calls_are_the_order_in_pieces(n, chunk):
    order = np.random.default_rng(0).permutation(n)
    pieces = list(calls(order, chunk))
    assert np.array_equal(np.concatenate([np.empty(0, dtype=np.int64), *pieces]), order)
    size = n if chunk == "all" else chunk
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(0 < len(piece) <= size for piece in pieces)


def test_a_jitter_that_moves_nothing_by_nothing_is_refused():
    check_jitter(JitteredParams(jitter=1))
    with refused("jitter = 0", "1", error=ValueError):
        check_jitter(JitteredParams(jitter=0))
