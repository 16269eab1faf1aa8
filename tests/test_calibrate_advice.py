"""The calibration of What now, on builds that hardly vary."""

import calibrate_advice
import numpy as np
from support.recalls import simulated


def test_a_winner_in_one_of_sixty_settings_is_named_and_no_cost_is_invented():
    rng = np.random.default_rng(1)
    hardness = 0.1 * rng.standard_normal(100)
    drawn = [simulated(rng, 40, 100, build_sd=0.002, residual_sd=0.01, hardness=hardness) for _ in range(3)]
    levelled = [recalls - recalls.mean() + 0.8 for recalls in drawn]
    assert calibrate_advice.shares(rng, levelled, builds=5, queries=100, studies=2) == {
        "a cost is invented": 0,
        "the winner is not named": 0,
    }
