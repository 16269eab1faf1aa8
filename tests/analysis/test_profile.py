import math

import numpy as np
import pytest
from support.examples import TRIAL

from bench.analysis.profile import profile


def arrays(**changes):
    known = {
        "rows": np.arange(4),
        "row_lid": np.array([2, 4, 6, np.nan]),
        "query_lid": np.array([3.0, 5.0, np.inf]),
        "row_nearest": np.array([0, 1, 1, 1.0]),
        "row_radius": np.exp([0, 1, 2, 3.0]),
        "query_radius": np.exp([2, 3, 4.0]),
    }
    return {TRIAL.data: known | changes}


def test_a_profile_is_worked_out_by_hand():
    found = profile(TRIAL.data, arrays())
    assert found.lid_median == 4
    assert found.query_lid_median == 4
    assert found.scale_spread == pytest.approx(np.std([0, 1, 2, 3]))
    assert found.queries_outside == pytest.approx(math.e**3 / ((math.e + math.e**2) / 2))
    assert found.duplicates == 0.25
    assert (found.rows, found.queries) == (4, 3)
    assert found.uneven
    assert found.outside


def test_rows_at_no_distance_from_ten_others_have_no_scale():
    found = profile(TRIAL.data, arrays(row_radius=np.array([0, 1, 1, 1.0]), query_radius=np.ones(3)))
    assert found.scale_spread == 0
    assert found.queries_outside == 1
    assert not found.uneven
    assert not found.outside
    assert math.isnan(profile(TRIAL.data, arrays(row_radius=np.zeros(4))).scale_spread)


def test_nothing_is_said_of_data_that_nothing_is_known_of():
    assert profile(TRIAL.data, {}) is None
    assert profile(TRIAL.data, {TRIAL.data: {}}) is None
