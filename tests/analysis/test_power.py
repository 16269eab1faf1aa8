import numpy as np
import pytest
from support.recalls import simulated

from bench.analysis import power, stats
from bench.analysis.sample import independent


def test_the_detectable_effect_is_detected_four_times_in_five():
    rng = np.random.default_rng(0)
    sd = 0.01
    a = [independent(np.repeat(0.8 + sd * rng.standard_normal((10, 1)), 2, axis=1)) for _ in range(1000)]
    b = [independent(np.repeat(0.8 + sd * rng.standard_normal((10, 1)), 2, axis=1)) for _ in range(1000)]
    effect = np.mean([power.minimum_detectable_effect(stats.difference(x, y)) for x, y in zip(a, b, strict=True)])
    significant = [
        stats.p_value(stats.difference(x._replace(recalls=x.recalls + effect), y)) < 0.05
        for x, y in zip(a, b, strict=True)
    ]
    assert np.mean(significant) == pytest.approx(0.8, abs=0.06)


def test_builds_needed_are_enough_and_not_too_many():
    rng = np.random.default_rng(0)
    hardness = 0.2 * rng.standard_normal(2000)
    a, b = (independent(simulated(rng, 8, 2000, build_sd=0.02, hardness=hardness)) for _ in range(2))
    level = b._replace(recalls=b.recalls - b.recalls.mean() + a.recalls.mean())
    # Within .01 by 2 standard errors of .02 sqrt(2 / builds): about 31, by a spread that 8 builds tell to 40 %
    assert 10 < power.builds_needed(a, level, margin=0.01) < 80
    few, other = (simulated(rng, 5, 20) for _ in range(2))
    assert power.builds_needed(independent(few), independent(other - other.mean() + few.mean()), margin=0.01) is None
    # Builds that show the difference are enough, be it larger than the margin: 5 do not, some more do.
    clear = independent(simulated(rng, 5, 2000, build_sd=0.02, hardness=hardness, mean=0.85))
    assert power.builds_needed(clear, a) == power.builds_needed(clear, a, margin=1e-9)
    assert power.builds_needed(independent(np.ones((1, 5))), independent(np.ones((1, 5)))) is None


def test_no_effect_is_detectable_that_recalls_cannot_have():
    opposite, none = independent(np.repeat([[0.0], [1.0]], 30, axis=1)), independent(np.zeros((2, 30)))
    assert np.isnan(power.minimum_detectable_effect(stats.difference(opposite, none)))
    # An interval that ends at 1 does not make the effect smaller that is needed to be shown
    halves = independent(np.repeat([[0.9], [1.0]], 30, axis=1))
    whole = stats.difference(halves, none)
    assert whole.high == 1
    assert power.minimum_detectable_effect(whole) > stats.reach(whole, 1) == pytest.approx(0.05 * 12.706, abs=0.001)
