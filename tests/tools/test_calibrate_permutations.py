"""Simulated studies of permutations are of the truth that they claim."""

import itertools

import numpy as np
import pytest
from tools.calibrate_permutations import levelled, population, stand_ins

ALL = list(itertools.permutations("abcd"))


def builds(rng, permutations=24, seeds=2, queries=400):
    """Recalls with effects, favoured queries (sd .1), noise of builds (.02) and of queries (.15)."""
    recalls = 0.7 + 0.05 * rng.standard_normal((permutations, 1, 1)) + 0.2 * rng.standard_normal(queries)
    recalls = recalls + 0.1 * rng.standard_normal((permutations, 1, queries))
    recalls = recalls + 0.02 * rng.standard_normal((permutations, seeds, 1))
    return recalls + 0.15 * rng.standard_normal((permutations, seeds, queries))


def test_a_population_has_the_parts_of_its_builds_and_no_effect():
    rng = np.random.default_rng(0)
    of = population(builds(rng), ALL)
    assert np.abs(of.favoured.mean(axis=1)).max() < 1e-12
    assert np.abs(of.noise.mean(axis=1)).max() < 1e-12
    # 23 × 399 degrees of freedom, of a variance from which the noise of builds, as large, is taken off
    assert of.favoured.var() == pytest.approx(0.1**2 * 23 / 24, rel=4 * 2.1 * (2 / (23 * 399)) ** 0.5)
    # 23 degrees of freedom
    assert of.noise.mean(axis=2).var() == pytest.approx(0.02**2 + 0.15**2 / 400, rel=4 * (2 / 23) ** 0.5)
    study = levelled(rng, of, 2, 400)
    assert study.shape == (24, 2, 400)
    assert study.mean() == pytest.approx(0.7, abs=4 * (0.05**2 / 24 + 0.22**2 / 200) ** 0.5)


def test_permutations_that_agree_do_so_when_categories_and_places_change_names():
    rng = np.random.default_rng(0)
    drawn = stand_ins(rng, ALL)
    assert sorted(drawn) == list(range(24))

    def agree(one, other):
        return sum(a == b for a, b in zip(ALL[one], ALL[other], strict=True))

    for one, other in itertools.combinations(range(24), 2):
        assert agree(one, other) == agree(drawn[one], drawn[other])
    assert len(set(stand_ins(rng, ALL[:12]))) < 12  # a sample is drawn from, with replacement
