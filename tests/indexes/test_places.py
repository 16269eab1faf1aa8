"""The effect of a row's place is found in faithful engines, in either direction, and not where the order is lost."""

import numpy as np
import pytest
from support.fakes import FAITHFUL, FAKES, fake, fresh_seed

from bench.indexes import places
from bench.indexes.places import BUILDS, FELT


@pytest.mark.parametrize("name", FAITHFUL)
@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_places_are_felt_in_engines_that_keep_the_order(name, metric):
    found = places.felt(FAITHFUL[name], metric)
    assert found.decided
    assert min(found.overall, found.last, found.inside) > FELT
    assert abs(found.ids) < FELT


def test_a_lost_order_gives_standard_normal_figures_each_time():
    engine = FAKES["shuffles all rows"].engine
    found = [places.felt(engine, "l2", seed) for seed in range(6)]
    figures = np.array([(one.overall, one.last, one.inside, one.ids) for one in found])
    assert {one.builds for one in found} == {BUILDS}
    # Of 24 values: the sum of squares has mean 24 and sd 6.9, and the largest exceeds 4.5 once in 6,000 times
    assert 0 < 24 * figures.var() < 24 + 5 * 6.9
    assert np.abs(figures).max() < 4.5


def test_rows_that_go_in_by_id_are_felt_by_id_alone():
    found = places.felt(fake(lambda order, seed: np.sort(order), fresh_seed), "l2")
    assert found.ids > FELT > abs(found.overall)


def test_rows_shuffled_inside_calls_are_felt_between_calls_alone():
    found = places.felt(FAKES["shuffles inside a call, never repeats"].engine, "l2", chunk=100)
    assert found.overall > FELT > abs(found.inside)


def test_the_last_tenth_put_first_is_found_by_its_sign():
    assert places.felt(FAKES["last tenth first, never repeats"].engine, "l2").last < -FELT


def test_an_order_of_islands_has_one_after_the_other():
    _, _, island = places.vectors(0)
    order = places.by_island(island, np.random.default_rng(1))
    assert sorted(order) == list(range(places.N))
    assert (np.diff(island[order]) != 0).sum() == places.ISLANDS - 1
