import itertools
import json
import math

import msgspec
import numpy as np
import pytest
from support import examples

from bench.analysis import categories
from bench.analysis.categories import crossed, found_again, noise_range, permuted, separated, variances
from bench.analysis.sample import Sample
from bench.present.categories import permuted_text
from bench.present.text import Layout

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _own_rng(monkeypatch):
    """Every test draws the same, whichever run before it."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(0))


SIX = ["abc", "acb", "bac", "bca", "cab", "cba"]


def outcome(hits, order="random", params="{}", seed=1, experiment="e", **fields):
    seeds = {"build_seed": seed, "order_seed": seed}
    return experiment, examples.outcome(hits, order=order, order_params=params, **seeds, **fields)


def of(permutation, hits, seed=1, **fields):
    return outcome(hits, "category", json.dumps({"permutation": list(permutation)}), seed, **fields)


def simulated(permutations, seeds, queries, sd, noise, favoured=0.0):
    """Recalls of a known model: permutations, seeds for all alike, builds, hard queries and luck.

    favoured: the standard deviation of what a permutation does to one query.
    """
    effect = sd * RNG.standard_normal(permutations)
    builds = effect[:, None] + 0.02 * RNG.standard_normal(seeds) + noise * RNG.standard_normal((permutations, seeds))
    luck = 0.15 * RNG.standard_normal((permutations, seeds, queries))
    luck += favoured * RNG.standard_normal((permutations, 1, queries))
    return effect, 0.7 + builds[:, :, None] + 0.2 * RNG.standard_normal(queries) + luck


def test_a_range_and_its_parts_by_hand():
    # Recalls of abc .1 and .3, acb .5 and .7: a seed adds .2 to all, and nothing is left for noise.
    hits = {"abc": (1, 3), "acb": (5, 7), "bac": (4, 6), "bca": (4, 6), "cab": (4, 6), "cba": (4, 6)}
    outcomes = [of(name, [h, h], seed) for name, both in hits.items() for seed, h in enumerate(both, start=1)]
    [row] = permuted(outcomes)
    assert (row.permutations, row.possible, row.seeds) == (6, 6, 2)
    assert (row.lowest, row.median, row.highest) == pytest.approx((0.2, 0.5, 0.6))
    assert (row.worst, row.best) == (list("abc"), list("acb"))
    assert (row.range, row.one_build_range) == pytest.approx((0.4, 0.4))
    assert (row.noise_range, row.noise_range_95, row.sd_seeds) == pytest.approx((0, 0, 0), abs=1e-9)
    assert row.found_again.value == pytest.approx(0.4)
    assert row.sd_permutations == pytest.approx(np.std([0.2, 0.6, 0.5, 0.5, 0.5, 0.5], ddof=1))
    text = permuted_text([row], Layout(wide=True))
    assert "a, c, b" in text
    assert "+40.00 [" in text


def test_labels_of_any_characters_come_out_whole():
    labels = ["R+D, HR, IT", "e:f=g", 'quoted "x"']
    sequences = [list(one) for one in itertools.permutations(labels)]
    outcomes = [of(one, [place, place]) for place, one in enumerate(sequences, start=1)]
    of_permutations, others = separated(outcomes)
    assert (len(of_permutations), others) == (6, [])
    [row] = permuted(of_permutations)
    assert (row.worst, row.best) == (sequences[0], sequences[-1])
    assert (row.permutations, row.possible) == (6, 6)
    assert 'quoted "x", "e:f=g", "R+D, HR, IT"' in permuted_text([row], Layout(wide=True))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("count", "possible"), [(18, 6402373705728000), (19, None), (77, None), (1600, None)])
def test_permutations_of_many_labels_are_a_line(count, possible, wide):
    rng = np.random.default_rng(0)
    sequences = [[f"label {i}" for i in rng.permutation(count)] for _ in range(6)]
    [row] = permuted([of(one, [place, place]) for place, one in enumerate(sequences)])
    assert (row.permutations, row.labels, row.possible) == (6, count, possible)
    assert row.best == sequences[-1]
    assert json.loads(msgspec.json.encode(row))["best"] == sequences[-1]
    text = permuted_text([row], Layout(wide=wide))
    assert f"6 of {count}!" in text
    assert f"best (0.5000): {', '.join(sequences[-1][:5])}, … ({count:,})" in text
    assert max(map(len, text.splitlines())) < 200


def test_json_of_permutations_has_the_setting_by_name():
    [row] = permuted([of(name, [h, h]) for h, name in enumerate(SIX)])
    plain = msgspec.to_builtins(row)
    assert {"experiment", "setting", "found_again"} < plain.keys()
    assert (plain["experiment"], plain["setting"]["dataset"], plain["setting"]["ef_search"]) == ("e", "d", 10)
    assert plain["best"] == list("cba")


def test_variances_by_hand():
    # Rows' means 1 and 3, what rows and columns leave ± 1: noise 4 / 1, between 2 - 4 / 2.
    assert variances(np.array([[[0.0], [2.0]], [[4.0], [2.0]]])) == (0.0, 4.0)
    assert all(math.isnan(value) for value in variances(np.array([[[0.0]], [[4.0]]])))
    # The same in both seeds: no noise. By query 1 and 5, 3 and 3: they leave ± 1, of which 4 / 2 queries are luck.
    both = np.array([[[1.0, 5.0]] * 2, [[9.0, 9.0]] * 2])
    assert variances(both) == (pytest.approx(18 - 4 / 2), pytest.approx(0))


def test_noise_has_the_range_that_order_statistics_give():
    # The expected range of normal draws (Tippett 1925): 1.128 of two, 3.078 of ten, 5.015 of a hundred
    for draws, expected in ((2, 1.128), (10, 3.078), (100, 5.015)):
        assert noise_range(draws, 1000)[0] == pytest.approx(expected, abs=0.001)
    # The upper 5 % point of the studentized range: 5.60 of ten with 10 degrees of freedom
    assert noise_range(10, 10)[1] == pytest.approx(5.60, abs=0.01)
    assert math.isnan(noise_range(10, 0)[0])


def test_permutations_that_do_not_matter_are_not_found_again():
    covers, ranges, expected = [], [], []
    for _ in range(150):
        _, recalls = simulated(30, 2, 150, sd=0.0, noise=0.01)
        again = found_again(recalls)
        covers.append(again.low <= 0 <= again.high)
        means = recalls.mean(axis=(1, 2))
        ranges.append(np.ptp(means))
        expected.append([factor * (variances(recalls)[1] / 2) ** 0.5 for factor in noise_range(30, 29)])
    # 150 studies: the standard error of a coverage of 95 % is 1.8 %; four of them, the queries' part being shared
    assert np.mean(covers) > 0.88
    # while best and worst always lie apart, by what noise alone gives
    assert min(ranges) > 0.01
    assert np.mean(ranges) == pytest.approx(np.mean([mean for mean, _ in expected]), rel=0.05)
    assert np.mean(np.array(ranges) > [high for _, high in expected]) < 0.05 + 4 * 0.018


def test_permutations_that_favour_single_queries_are_not_found_again():
    """In the mean over queries like these they are all alike, though over these very queries they are not."""
    covers, values = [], []
    for _ in range(150):
        _, recalls = simulated(30, 2, 100, sd=0.0, noise=0.002, favoured=0.1)
        again = found_again(recalls)
        covers.append(again.low <= 0 <= again.high)
        values.append(again.value)
    assert abs(np.mean(values)) < 4 * np.std(values) / 150**0.5
    assert np.mean(covers) > 0.88  # as above


@pytest.mark.parametrize("seeds", [2, 3, 4])
@pytest.mark.parametrize("favoured", [0.0, 0.1])
def test_what_is_found_again_is_what_the_picked_differ_by(seeds, favoured):
    errors, covers = [], []
    for _ in range(150):
        effect, recalls = simulated(20, seeds, 150, sd=0.02, noise=0.01, favoured=favoured)
        parts = [recalls[:, seed::2, query::2].mean(axis=(1, 2)) for seed in (0, 1) for query in (0, 1)]
        truth = np.mean([effect[part.argmax()] - effect[part.argmin()] for part in parts])
        again = found_again(recalls)
        errors.append(again.value - truth)
        covers.append(again.low <= truth <= again.high)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / 150**0.5  # not biased by the choice
    assert np.mean(covers) > 0.87


def test_sds_of_a_known_model_are_found():
    _, recalls = simulated(120, 4, 100, sd=0.02, noise=0.01)
    between, noise = variances(recalls)
    # 360 degrees of freedom for noise, which has .15² / 100 of the queries' luck besides; 119 between
    assert noise == pytest.approx(0.01**2 + 0.15**2 / 100, rel=4 * (2 / 357) ** 0.5)
    assert between**0.5 == pytest.approx(0.02, rel=4 * (1 / 238) ** 0.5 * 1.3)


def test_no_range_is_beyond_what_recalls_can_have():
    # Every build finds all or nothing, by chance
    outcomes = [of(one, [10 * ((place + seed) % 2)] * 3, seed) for seed in (1, 2) for place, one in enumerate(SIX)]
    [row] = permuted(outcomes)
    assert (row.noise_range_95, row.one_build_noise) == (1, 1)
    assert -1 <= row.found_again.low < row.found_again.high <= 1


def test_one_seed_has_a_range_and_nothing_beside_it():
    [row] = permuted([of(name, [h, h]) for h, name in enumerate(SIX)])
    assert row.range == pytest.approx(0.5)
    assert math.isnan(row.noise_range)
    assert row.found_again is None
    assert "run two at least" in permuted_text([row], Layout(wide=True))


def test_a_run_cut_short_shows_the_seeds_that_all_have():
    outcomes = [of(name, [h, h], seed) for seed in (1, 2) for h, name in enumerate(SIX)]
    [row] = permuted(outcomes[:-1])
    assert (row.permutations, row.seeds) == (6, 1)
    seeds = np.array([1, 2])
    samples = {
        "x": Sample(np.array([[0.1], [0.2]]), seeds, seeds),
        "y": Sample(np.array([[0.4], [0.3]]), seeds[::-1], seeds[::-1]),
        "z": Sample(np.array([[0.9]]), seeds[1:], seeds[1:]),
    }
    labels, recalls = crossed(samples)
    assert labels == ["x", "y", "z"]
    assert recalls[:, :, 0].tolist() == [[0.2], [0.4], [0.9]]


def test_queries_of_permutations_count_by_their_groups():
    seeds, groups = np.array([1, 2]), np.array([0, 0, 1, 1])
    recalls = np.array([[0.1, 0.3, 0.5, 0.9], [0.2, 0.2, 0.6, 0.6]])
    samples = {name: Sample(recalls, seeds, seeds, groups=groups) for name in "xy"}
    _, by_group = crossed(samples)
    assert by_group == pytest.approx(np.array([[[0.2, 0.7], [0.2, 0.6]]] * 2))


def test_permutations_are_separated_from_other_orders_where_they_are_many():
    many = [of(name, [1, 1]) for name in SIX]
    few = [of(name, [1, 1], experiment="f") for name in SIX[: categories.FEWEST - 1]]
    drawn = outcome([1, 1], "category", '{"permutation":null}')
    unlike = [*few, drawn, outcome([2, 2])]
    permutations, others = separated([*many, *unlike])
    assert [outcome.trial for _, outcome in permutations] == [outcome.trial for _, outcome in many]
    assert [(name, outcome.trial) for name, outcome in others] == [(name, outcome.trial) for name, outcome in unlike]


def test_settings_and_experiments_have_rows_of_their_own():
    outcomes = [of(name, [h, h]) for h, name in enumerate(SIX)]
    outcomes += [of(name, [9, 9], ef_search=40) for name in SIX]
    outcomes += [of(name, [h, h], experiment="f") for h, name in enumerate(SIX)]
    rows = permuted(outcomes)
    assert [(row.experiment, row.setting["ef_search"]) for row in rows] == [("e", 10), ("e", 40), ("f", 10)]
    assert rows[1].range == 0
    assert permuted_text(rows, Layout(wide=True)).count("permutations of categories") == 2
