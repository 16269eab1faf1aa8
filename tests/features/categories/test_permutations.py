import itertools
import json
import math

import msgspec
import numpy as np
import pytest
from support import examples
from support.messages import lines_naming

from bench.analysis.category_orders import FEWEST, separated
from bench.features.categories.permutations import crossed, permuted
from bench.features.categories.permutations_text import permuted_text
from bench.present.text import Layout
from bench.statistics import intervals
from bench.statistics.sample import Sample

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


def test_a_range_and_its_parts_by_hand():
    # Recalls of abc .1 and .3, acb .5 and .7: a seed adds .2 to all, and nothing is left for noise.
    hits = {"abc": (1, 3), "acb": (5, 7), "bac": (4, 6), "bca": (4, 6), "cab": (4, 6), "cba": (4, 6)}
    outcomes = [of(name, [h, h], seed) for name, both in hits.items() for seed, h in enumerate(both, start=1)]
    [row] = permuted(outcomes)
    assert (row.permutations, row.possible, row.seeds) == (6, 6, 2)
    assert (row.lowest, row.median, row.highest) == pytest.approx((0.2, 0.5, 0.6))
    assert (row.worst, row.best) == (list("abc"), list("acb"))
    assert row.range == pytest.approx(0.4)
    sd = np.std([0.2, 0.6, 0.5, 0.5, 0.5, 0.5], ddof=1)
    assert (row.range_by_luck, row.sd.value, row.p) == pytest.approx((0, sd, 0), abs=1e-9)
    assert row.true_range.value == pytest.approx(2.534 * sd, rel=1e-3)  # the mean range of six normal draws
    assert row.sd.low < sd < row.sd.high
    text = permuted_text([row], Layout(wide=True))
    assert "a, c, b" in text
    assert "| 13.66 [" in text
    assert text.count("| < 0.001 |") == 1


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
    assert {"experiment", "setting", "sd", "true_range", "p"} < plain.keys()
    assert plain["sd"].keys() == {"value", "low", "high"}
    assert (plain["experiment"], plain["setting"]["dataset"], plain["setting"]["ef_search"]) == ("e", "d", 10)
    assert plain["best"] == list("cba")


def test_no_range_exceeds_1():
    # Every build finds all or nothing, by chance
    outcomes = [of(one, [10 * ((place + seed) % 2)] * 3, seed) for seed in (1, 2) for place, one in enumerate(SIX)]
    [row] = permuted(outcomes)
    assert 0 == row.sd.low == row.true_range.low
    assert max(row.sd.high, row.range_by_luck, row.true_range.high) <= 1


def test_one_seed_has_a_range_and_nothing_beside_it():
    [row] = permuted([of(name, [h, h]) for h, name in enumerate(SIX)])
    assert row.range == pytest.approx(0.5)
    assert all(math.isnan(value) for value in (row.range_by_luck, row.sd.value, row.true_range.high, row.f, row.p))
    text = permuted_text([row], Layout(wide=True))
    assert "50.00" in text
    assert "nan" not in text


def test_p_values_are_adjusted_for_the_settings_of_their_experiment():
    noise = np.random.default_rng(0).integers(0, 10, size=(3, 2, 6, 50))

    def outcomes(experiment, ef_search, hits):
        builds = [(seed, place) for seed in (1, 2) for place in range(6)]
        fields = {"experiment": experiment, "ef_search": ef_search}
        return [of(SIX[place], hits[seed - 1, place], seed, **fields) for seed, place in builds]

    alone = [permuted(outcomes(name, 10, hits))[0].p for name, hits in zip("eef", noise, strict=True)]
    together = [(name, ef, hits) for name, ef, hits in zip("eef", (10, 40, 10), noise, strict=True)]
    rows = permuted([one for of_setting in together for one in outcomes(*of_setting)])
    assert [row.p for row in rows] == pytest.approx([*intervals.holm(alone[:2]), alone[2]])


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
    few = [of(name, [1, 1], experiment="f") for name in SIX[: FEWEST - 1]]
    drawn = outcome([1, 1], "category", '{"permutation":null}')
    unlike = [*few, drawn, outcome([2, 2])]
    many_of, others = separated([*many, *unlike])
    assert [outcome.trial for _, outcome in many_of] == [outcome.trial for _, outcome in many]
    assert [(name, outcome.trial) for name, outcome in others] == [(name, outcome.trial) for name, outcome in unlike]


def test_settings_and_experiments_have_rows_of_their_own():
    outcomes = [of(name, [h, h]) for h, name in enumerate(SIX)]
    outcomes += [of(name, [9, 9], ef_search=40) for name in SIX]
    outcomes += [of(name, [h, h], experiment="f") for h, name in enumerate(SIX)]
    rows = permuted(outcomes)
    assert [(row.experiment, row.setting["ef_search"]) for row in rows] == [("e", 10), ("e", 40), ("f", 10)]
    assert rows[1].range == 0
    heads = lines_naming(permuted_text(rows, Layout(wide=True)), "dataset d")
    assert [line.partition(":")[0] for line in heads] == ["e", "f"]
