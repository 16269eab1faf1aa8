"""Which order is best on a dataset, from recalls whose truth is known."""

import numpy as np
import pytest
from support.results import outcomes
from support.summaries import setting, summaries

from bench.analysis.advice import advise
from bench.analysis.findings import Findings
from bench.analysis.summary import NO_DIFFERENCE
from bench.statistics.sample import independent

LADDER = (10, 40)


def level(gain, noise=0.004, seed=1, queries=400, builds=5):
    """Recalls (builds, queries) of an order that finds `gain` more than the reference; queries differ much."""
    hard = np.random.default_rng(0).beta(4, 1.5, queries)
    luck = np.random.default_rng([seed, builds]).normal(0, noise, (builds, 1))
    return np.clip(hard - 0.1 + gain + luck - luck.mean(), 0, 1)


def study(orders, efs=LADDER, dataset="d"):
    """Summaries and samples; orders: {label: (gain at each ef_search, seconds to compute)}."""
    rows, samples = [], {}
    seconds = {label: taken for label, (_, taken) in orders.items()}
    for place, ef in enumerate(efs):
        recalls = {"random": level(0.0, seed=place)}
        recalls |= {
            label: level(gains[place % len(gains)], seed=100 + place + sum(map(ord, label)))
            for label, (gains, _) in orders.items()
        }
        of = setting(ef, dataset)
        samples[of] = {label: independent(one, 10) for label, one in recalls.items()}
        rows += summaries(of, samples[of], seconds)
    return rows, samples


def best(orders, worth=0.01, **options):
    [advice] = advise(*study(orders, **options), "random", worth)
    [of_dataset] = advice.datasets
    return of_dataset


def test_the_fastest_of_orders_not_shown_to_differ_is_best():
    found = best({"slow": ((0.05, 0.02), 7.0), "fast": ((0.049, 0.0195), 0.5)})
    assert (found.effect.order, found.highest.order) == ("fast", "slow")
    assert found.behind.low < 0 < found.behind.high
    found = best({"slow": ((0.05, 0.02), 0.5), "fast": ((0.049, 0.0195), 7.0)})
    assert (found.effect.order, found.highest) == ("slow", None)


def test_an_order_that_is_shown_to_gain_less_is_not_best_however_fast():
    assert best({"slow": ((0.05, 0.02), 7.0), "fast": ((0.025, 0.02), 0.5)}).effect.order == "slow"


def test_an_order_that_looks_a_point_behind_is_not_best_though_too_few_builds_show_it():
    rows, samples = study({"slow": ((0.07, 0.02), 7.0), "fast": ((0.069, 0.02), 0.5)})
    for of, by_order in samples.items():
        behind = by_order["slow"].recalls.mean() - 0.015
        noisy = level(0.05, noise=0.02, seed=5)
        samples[of] = by_order | {"fast": independent(noisy - noisy.mean() + behind, 10)}
    [advice] = advise(rows, samples)
    [found] = advice.datasets
    assert found.effect.order == "slow"


def test_orders_are_paired_on_queries_when_they_are_compared_with_each_other():
    found = best({"slow": ((0.05,), 7.0), "fast": ((0.049,), 0.5)}, efs=(10,))
    apart = [effect.rows[0].against.difference.half_width for effect in (found.effect, found.highest)]
    assert found.behind.half_width < np.hypot(*apart)


def test_a_gain_below_what_is_worth_it_is_not_best():
    orders = {"slow": ((0.012, 0.0), 7.0)}
    assert best(orders, worth=0.02).effect is None
    assert best(orders, worth=0.005).effect.order == "slow"


def test_one_winner_among_sixty_settings_is_named_and_costs_nowhere():
    gains = [0.0] * 60
    gains[7] = 0.05
    found = best({"winner": (gains, 1.0), "other": ((0.0,), 1.0)}, efs=tuple(range(10, 70)))
    assert found.effect.order == "winner"
    assert len(found.effect.surely("better")) == 1
    assert not found.effect.surely("worse")
    assert found.mixed is None


def test_an_order_that_is_worse_on_one_dataset_may_be_best_on_another():
    first, of_first = study({"a": ((0.05,), 1.0)}, dataset="first")
    second, of_second = study({"a": ((-0.05,), 1.0)}, dataset="second")
    [advice] = advise([*first, *second], of_first | of_second)
    assert [(one.dataset, one.effect and one.effect.order) for one in advice.datasets] == [
        ("first", "a"),
        ("second", None),
    ]


def test_an_order_that_gains_here_and_costs_there_is_mixed():
    found = best({"a": ((0.05, -0.05), 1.0)})
    assert (found.effect, found.mixed.order) == (None, "a")


def test_the_largest_gain_that_is_not_excluded_is_known():
    assert best({"a": ((0.0, 0.0), 1.0)}).most == pytest.approx(0.005, abs=0.005)


@pytest.mark.parametrize("worth", [0.001, 0.05])
def test_findings_hold_verdicts_to_the_same_smallest_difference(worth):
    found = Findings(outcomes(orders=("random", "given", "reverse"), builds=5, queries=400), worth=worth)
    [row, *_] = [row for row in found.summaries if row.against and row.against.verdict not in ("better", "worse")]
    inside = max(abs(row.against.difference.low), abs(row.against.difference.high)) < worth
    assert (row.against.verdict == NO_DIFFERENCE) == inside
    assert found.advice[0].worth == worth
