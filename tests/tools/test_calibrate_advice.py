"""The calibration of What now, on builds that hardly vary."""

import numpy as np
from support.recalls import simulated
from tools import calibrate
from tools.populations import ORDERS, Population


def test_a_winner_in_one_of_sixty_settings_is_named_and_no_cost_is_invented():
    rng = np.random.default_rng(1)
    hardness = 0.1 * rng.standard_normal(100)
    built = {order: simulated(rng, 40, 100, 0.002, residual_sd=0.01, hardness=hardness) for order in ORDERS}
    [row] = calibrate.advised(Population("p", ORDERS, {10: built}, None), (5, 100), 2)
    assert row.shares == {"a cost is invented": (0, 2), "the winner is not named": (0, 2)}
