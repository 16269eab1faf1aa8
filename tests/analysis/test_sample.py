import pytest

from bench.analysis.sample import balanced


@pytest.mark.parametrize(
    ("pairs", "rows"),
    [
        ([(1, 1), (2, 2), (3, 3)], [0, 1, 2]),  # independent
        ([(5, 1), (6, 2)], [0, 1]),  # with other seeds
        ([(1, 1), (1, 2), (1, 3)], [0, 1, 2]),  # one order, several builds
        ([(o, b) for o in (1, 2) for b in (1, 2, 3)], [0, 1, 2, 3, 4, 5]),  # crossed
        ([(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)], [0, 1, 3, 4]),  # cut short: two by two are more than one by three
        ([(1, 1), (1, 2), (1, 3), (2, 1)], [0, 1, 2]),
        ([(1, 1), (2, 2), (3, 3), (4, 4), (1, 2), (2, 1)], [0, 1, 2, 3]),  # four independent, and a part crossed
        ([(1, 1), (2, 2), (3, 3), (1, 2), (2, 1)], [0, 1, 3, 4]),
    ],
)
def test_builds_that_share_seeds_never_pass_for_independent(pairs, rows):
    assert balanced(pairs) == rows
