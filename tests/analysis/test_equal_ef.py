import math

import numpy as np
import pytest
from support import examples
from tools.calibrate_equal_ef import coverage, true_equal_ef

from bench.analysis.equal_ef import equal_ef, point
from bench.analysis.summary import summarize
from bench.statistics.sample import independent

LADDER = [10, 14, 20, 28, 40, 57, 80]


def one_build(recall):
    return independent(np.full((1, 4), recall), k=10)


def value(recall, curve):
    return equal_ef(one_build(recall), {ef: point(one_build(of_curve)) for ef, of_curve in curve.items()})[0]


def test_between_two_points_log_misses_are_straight_against_log_ef():
    curve = {10: 0.6, 40: 0.9}  # misses fall fourfold while ef rises fourfold: misses 4 / ef
    assert value(0.8, curve) == pytest.approx(20)
    assert value(0.6, curve) == pytest.approx(10)
    assert value(0.9, curve) == pytest.approx(40)
    assert value(0.59, curve) == -math.inf
    assert value(0.91, curve) == math.inf


def test_a_curve_that_falls_or_is_level_is_taken_for_level():
    assert value(0.8, {10: 0.8, 20: 0.8, 40: 0.9}) == pytest.approx(10)
    assert value(0.8, {10: 0.8, 20: 0.7, 40: 0.9}) == pytest.approx(10)


def test_an_order_without_misses_equals_the_first_point_without_misses():
    assert value(1.0, {10: 0.9, 20: 1.0, 40: 1.0}) == pytest.approx(20)
    # No misses count as one hit of 40: from .25 to .025 misses while ef doubles, .1 is log 2.5 / log 10 of the way
    assert value(0.9, {10: 0.75, 20: 1.0}) == pytest.approx(10 * 2 ** math.log10(2.5))


def test_a_single_build_has_no_interval():
    assert np.isnan(equal_ef(one_build(0.8), {10: point(one_build(0.6)), 40: point(one_build(0.9))})[1:]).all()


def population(rng, builds=40, queries=400):
    """Orders whose misses fall as 1 / ef, in graphs and queries that differ; `good` is as `random` at twice the ef."""
    hardness = rng.gamma(2, 0.5, queries)

    def drawn(ef):
        graphs = rng.lognormal(0, 0.1, (builds, 1))
        hits = rng.binomial(10, 1 - np.clip(2 * graphs * hardness / ef, 0, 1))
        return hits / 10

    return {ef: {"random": drawn(ef), "good": drawn(2 * ef)} for ef in LADDER}


def test_the_interval_holds_the_truth_of_a_simulated_population():
    rng = np.random.default_rng(3)
    share = coverage(rng, population(rng), "good", 20, builds=5, queries=200, studies=400)["held"]
    assert share == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 400))


def test_the_truth_of_a_population_is_known():
    curve = {ef: 1 - 2 / ef for ef in LADDER}
    assert true_equal_ef(1 - 2 / 33, curve) == pytest.approx(33)
    assert [true_equal_ef(recall, curve) for recall in (0.5, 0.99)] == [-np.inf, np.inf]


def test_an_uncertain_curve_widens_the_interval():
    rng = np.random.default_rng(5)
    own = {ef: of for ef, of in population(rng).items() if ef in (10, 14, 20, 28, 40, 57)}
    sample = independent(own[20]["good"], 10)
    few, many = (
        equal_ef(sample, {ef: point(independent(of["random"][:b], 10)) for ef, of in own.items()}) for b in (4, 40)
    )
    for of in (few, many):
        assert of[1] < of[0] < of[2]
    assert math.log(few[2] / few[1]) > 1.3 * math.log(many[2] / many[1])


def test_where_too_few_are_missed_there_is_no_upper_end():
    ones = np.ones((3, 50))
    one_miss = ones.copy()
    one_miss[0, 0] = 0.9
    curve = {ef: point(independent(recalls, 10)) for ef, recalls in ((10, ones - 0.1), (20, ones), (40, ones))}
    assert equal_ef(independent(one_miss, 10), curve)[2] == math.inf
    assert equal_ef(independent(ones, 10), curve)[2] == math.inf


def outcome(hits, **fields):
    return "e", examples.outcome(hits, **fields)


def test_the_ladder_gives_the_curve_more_points_and_no_rows():
    outcomes = [outcome([6, 6]), outcome([7, 7], order="given")]
    assert [row.equivalent_ef for row in summarize(outcomes)] == [None, None]
    ladder = [outcome([8, 8], ef_search=40), outcome([9, 9], ef_search=80)]
    given, random = summarize(outcomes, ladder=ladder)
    assert given.equivalent_ef[0] == pytest.approx(10 * 4 ** (math.log(4 / 3) / math.log(2)))
    assert random.equivalent_ef is None
    assert summarize(outcomes, "given", ladder=ladder)[1].equivalent_ef is None  # it is not the ladder's


def test_points_of_a_single_build_count_only_where_none_has_more():
    outcomes = [outcome([6, 6, 5], order=order, build_seed=seed) for order in ("random", "given") for seed in (1, 2)]
    ladder = [outcome([8, 9, 8], ef_search=40, build_seed=seed) for seed in (1, 2)]
    cut_short = [*ladder, outcome([9, 9, 9], ef_search=80)]
    assert summarize(outcomes, ladder=cut_short)[0].equivalent_ef == summarize(outcomes, ladder=ladder)[0].equivalent_ef
