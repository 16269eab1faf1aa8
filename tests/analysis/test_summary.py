import math

import msgspec
import numpy as np
import pytest
from support import examples
from support.messages import refused, warned
from support.recalls import simulated

from bench.analysis.summary import shares, summarize, verdicts
from bench.statistics.sample import independent


def outcome(hits, **fields):
    return "e", examples.outcome(hits, np.minimum(np.array(hits) + 1, 10), **fields)


def test_a_summary_by_hand():
    # random: builds of recall .5 and .7, mean .6, sd sqrt(.02); given: .4 and .4.
    summaries = summarize(
        [
            outcome([4, 6], build_seed=1, seconds=1.0),
            outcome([7, 7], build_seed=2, seconds=3.0),
            outcome([4, 4], order="given", build_seed=1),
            outcome([3, 5], order="given", build_seed=2),
        ]
    )
    assert [s.order for s in summaries] == ["random", "given"]  # best first
    random, given = summaries
    assert random.builds == given.builds == 2
    assert random.recall.value == pytest.approx(0.6)
    assert random.sd == pytest.approx(math.sqrt(0.02))
    assert random.recall_tie == pytest.approx(0.7)
    assert random.against is None
    assert given.recall.value == pytest.approx(0.4)
    assert given.sd == pytest.approx(0)
    assert given.against.difference.value == pytest.approx(-0.2)
    assert (random.below_half.value, given.below_half.value) == (0.25, 0.75)
    assert given.percentile_5.value == pytest.approx(0.315)
    assert (random.build_seconds, random.search_seconds) == (2.0, pytest.approx(0.2))


def test_the_lowest_build_and_the_queries_that_a_build_loses_are_in_a_summary():
    found, lost = [10] * 16, [0] * 4 + [10] * 12
    outcomes = [outcome(found, build_seed=seed, queries=16) for seed in (1, 2, 3)]
    outcomes += [
        outcome(lost if seed == 2 else found, order="given", build_seed=seed, queries=16) for seed in (1, 2, 3)
    ]
    [random, given] = summarize(outcomes)
    assert (random.lowest_build, random.lost_queries, random.falls_apart) == (1.0, 0, False)
    assert (given.lowest_build, given.lost_queries, given.falls_apart) == (0.75, 4, True)


def test_a_query_in_a_thousand_that_a_build_loses_gives_no_hint():
    found = np.full(1000, 10)
    lost = np.where(np.arange(1000) < 1, 0, found)
    [row] = summarize([outcome(hits, build_seed=n, queries=1000) for n, hits in enumerate((found, found, lost), 1)])
    assert (row.lost_queries, row.falls_apart) == (1, False)


def test_settings_are_never_mixed():
    outcomes = [outcome([5, 5]), outcome([9, 9], ef_search=40), outcome([1, 1], M=8), outcome([2, 2], fingerprint="g")]
    outcomes += [outcome([3, 3], engine_version="0.9.0"), outcome([4, 4], chunk=100)]
    assert sorted(s.recall.value for s in summarize(outcomes)) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.9])


def test_one_build_has_no_spread_and_no_reference_no_comparison():
    [summary] = summarize([outcome([5, 5], order="given")])
    assert math.isnan(summary.sd)
    assert math.isnan(summary.recall.low)
    assert summary.against is None
    assert summary.equivalent_ef is None
    assert summarize([outcome([5, 5], order="given")], reference="given")[0].equivalent_ef is None


def test_an_order_is_worth_the_ef_at_which_the_reference_is_as_good():
    outcomes = [outcome([6, 6]), outcome([8, 8], ef_search=40), outcome([7, 7], order="given")]
    by_order = {(s.order, s.setting.fields["ef_search"]): s for s in summarize(outcomes)}
    assert by_order["given", 10].equivalent_ef[0] == pytest.approx(10 * 4 ** (math.log(4 / 3) / math.log(2)))


def test_orders_of_other_parameters_have_other_labels():
    outcomes = [
        outcome([5, 5], order="block-shuffle", order_params='{"block":64}'),
        outcome([6, 6], order="block-shuffle", order_params='{"block":1024}'),
    ]
    assert [s.order for s in summarize(outcomes)] == ["block-shuffle", "block-shuffle block=64"]


def test_datasets_of_a_sweep_go_by_number():
    names = ["s(d=128)", "s(d=16)", "s(d=2)"]
    assert [s.setting.fields["dataset"] for s in summarize([outcome([5, 5], dataset=name) for name in names])] == names[
        ::-1
    ]


def test_the_reference_is_an_order_however_its_label_reads():
    params = '{"permutation":["a=b","c+d"]}'
    outcomes = [outcome([5, 5], order="category", order_params=params), outcome([6, 6])]
    name = 'category permutation=a=b+"c+d"'
    by_order = {row.order: row for row in summarize(outcomes, reference=name)}
    assert by_order[name].against is None
    assert by_order["random"].against.difference.value == pytest.approx(0.1)


def test_two_orders_of_one_name_are_rows_of_their_own_and_neither_is_the_reference():
    outcomes = [outcome([5, 5], order_code="old"), outcome([7, 7], order_code="new"), outcome([6, 6], order="given")]
    with warned("random #0a28a0", "random #3dcea5"):
        rows = summarize(outcomes)
    assert [row.recall.value for row in rows] == pytest.approx([0.7, 0.6, 0.5])
    assert [row.against for row in rows] == [None] * 3
    [best, _, worst] = summarize(outcomes, reference=rows[2].order)
    assert best.order == rows[0].order != worst.order
    assert best.against.difference.value == pytest.approx(0.2)


def test_nothing_to_summarize_is_an_error():
    with refused("bench run"):
        summarize([])


def sample(mean, build_sd=0.002, builds=5, queries=2000, seed=0):
    rng = np.random.default_rng(seed)
    return independent(
        mean + build_sd * rng.standard_normal((builds, 1)) + 0.05 * rng.standard_normal((builds, queries))
    )


def test_verdicts_in_plain_words():
    reference = sample(0.8, seed=1)
    compared = verdicts(
        [sample(0.85, seed=2), sample(0.75, seed=3), sample(0.8, seed=4), sample(0.8, build_sd=0.05, seed=5)], reference
    )
    assert [v.verdict for v in compared] == ["better", "worse", "no difference shown", "undecided"]
    assert [v.needed.builds is None for v in compared] == [True, True, True, False]
    assert compared[3].needed.builds > 5
    assert compared[0].p < compared[2].p


def test_intervals_on_display_agree_with_verdicts():
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(100):
        reference = independent(simulated(rng, 4, 300, mean=0.8, build_sd=0.005), 10)
        others = [independent(simulated(rng, 4, 300, mean=m, build_sd=0.005), 10) for m in (0.8, 0.79, 0.78, 0.77)]
        for verdict in verdicts(others, reference):
            low, high = verdict.difference.low, verdict.difference.high
            assert (verdict.verdict in ("better", "worse")) == (low > 0 or high < 0) == (verdict.p < 0.05)
            seen.add(verdict.verdict)
    assert {"worse", "undecided"} <= seen


def test_one_build_leaves_everything_undecided():
    [verdict] = verdicts([sample(0.9, builds=1)], sample(0.5, builds=1, seed=1))
    assert verdict.verdict == "undecided"
    assert math.isnan(verdict.p)


def test_shares_need_two_orders_with_two_builds():
    outcomes = [outcome([5, 6], build_seed=1), outcome([6, 5], build_seed=2)]
    assert shares(outcomes) == []
    outcomes += [outcome([1, 2], order="given", build_seed=1), outcome([2, 2], order="given", build_seed=2)]
    [of_setting] = shares(outcomes)
    assert sum(of_setting.shares.values()) == pytest.approx(1)
    assert of_setting.shares["order"] > 0.5


def test_builds_of_several_environments_are_compared_with_a_warning():
    def on(cpu, seed):
        experiment, made = outcome([5, 5], build_seed=seed, order_seed=seed)
        here = {"versions": {"hnswlib": "0.8.0"}, "binaries": {"hnswlib": "a"}, "cpu": cpu, "side_by_side": seed}
        return experiment, msgspec.structs.replace(made, build=msgspec.structs.replace(made.build, environment=here))

    summarize([on("one", 1), on("one", 2)])
    with warned("cpu one -> other", "--store"):
        summarize([on("one", 1), on("other", 2)])
