"""What now: the sentences below a table, from summaries whose answer is known."""

import math

import msgspec
import pytest
from support.examples import TRIAL

from bench.analysis.advice import advise
from bench.analysis.setting import Setting
from bench.analysis.stats import Estimate
from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE, Summary, Verdict
from bench.present.advice import sentences
from bench.study.trial import changed


def row(order, difference=None, verdict=NO_DIFFERENCE, half=0.01, needed=None, ef=(25.2, 21.6, 28.9), **fields):
    """A Summary; difference: to random, None for random itself."""
    against = None
    if difference is not None:
        against = Verdict(
            difference=estimate(difference, half),
            misses_removed=estimate(5 * difference, 0.05),
            p=0.01,
            verdict=verdict,
            builds_needed=needed,
            detectable=0.01,
        )
    return Summary(
        setting=Setting(experiment="e", of=changed(TRIAL, **fields).setting, name=fields.get("dataset", "d")),
        order=order,
        builds=5,
        recall=estimate(0.8 + (difference or 0.0), 0.01),
        sd=0.01,
        against=against,
        equivalent_ef=ef if against else None,
        below_half=0.0,
        percentile_5=0.5,
        recall_tie=0.8,
        order_seconds=0.1,
        build_seconds=1.0,
        search_seconds=0.1,
    )


def estimate(value, half):
    return Estimate(value, value - half, value + half, half / 2, 10.0)


def said(*rows, reference="random"):
    [advice] = advise(rows, reference)
    return sentences(advice, [row.setting.fields for row in rows])


def test_what_the_files_order_costs_what_is_best_and_what_to_do():
    rows = [row("radius-descending", 0.0537, BETTER), row("random"), row("given", -0.0214, WORSE)]
    assert said(*rows) == [
        "Your order (given) costs 2.14 [1.14, 3.14] points of recall against a shuffle.",
        "Best is radius-descending: it gains 5.37 [4.37, 6.37] points of recall against a shuffle. That removes 27 %"
        " [22, 32] of the misses, as ef_search 25 [22, 29] in place of 10 would.",
        "Load the rows in that order: `bench order FILE --order radius-descending --output ids.npy` writes it.",
    ]


def test_order_that_does_not_matter_is_said_with_the_bound():
    assert said(row("given", 0.001, half=0.004), row("lid-ascending", -0.002, half=0.005), row("random")) == [
        "Order does not matter here: nothing differs from a shuffle by more than 0.70 points (95 % intervals). Load the"
        " rows as they come."
    ]


def test_what_is_undecided_is_no_advice_but_how_to_settle_it():
    [only] = said(row("given", 0.01, UNDECIDED, half=0.02, needed=17), row("reverse", 0.001), row("random"))
    assert only == (
        "1 of 2 comparisons are undecided: differences of up to 3.00 points are not excluded. 17 builds of each order"
        " would settle it four times in five."
    )
    [only] = said(row("given", 0.01, UNDECIDED, half=0.02), row("random"))
    assert only.endswith("Builds alone will not settle all of it: search with more queries.")
    [only] = said(
        *(row("given", 0.01, UNDECIDED, half=0.02), row("reverse", 0.01, UNDECIDED, half=0.02, needed=9)), row("random")
    )
    assert only.endswith("Builds alone will not settle all of it: search with more queries.")


def test_where_nothing_is_better_a_bad_file_order_is_shuffled():
    assert said(row("given", -0.05, WORSE), row("random")) == [
        "Your order (given) costs 5.00 [4.00, 6.00] points of recall against a shuffle.",
        "No order is shown to be better than a shuffle.",
        "Shuffle the rows before you load them: `bench order FILE --order random --output ids.npy` writes it.",
    ]


def test_a_good_file_order_is_left_alone():
    given, best, todo = said(row("given", 0.05, BETTER), row("random"), row("lid-ascending", -0.05, WORSE))
    assert given.startswith("Your order (given) gains 5.00")
    assert best.startswith("Best is given")
    assert todo == "Load the rows in the order of the file."


def test_without_the_files_order_the_worst_shows_what_is_at_stake():
    best, worst, _ = said(row("lid-descending", 0.03, BETTER), row("lid-ascending", -0.06, WORSE), row("random"))
    assert best.startswith("Best is lid-descending")
    assert worst == "Worst is lid-ascending: it costs 6.00 [5.00, 7.00] points of recall."


def test_several_settings_are_counted_and_the_one_spoken_of_is_named():
    rows = []
    for engine, gain, verdict in (("hnswlib", 0.02, BETTER), ("faiss", 0.04, BETTER), ("other", -0.01, WORSE)):
        rows += [row("lid-descending", gain, verdict, engine=engine), row("random", engine=engine)]
    best, _ = said(*rows)  # an order that is best by and large is not called the worst too
    assert best.startswith(
        "Best is lid-descending: it gains 4.00 [3.00, 5.00] points of recall against a shuffle (faiss), and is better"
        " in 2 of 3 settings and worse in 1."
    )


def test_one_difference_among_many_settings_is_left_to_chance():
    rows = []
    for number in range(20):
        verdict = BETTER if number == 7 else NO_DIFFERENCE
        rows += [row("given", 0.005, verdict, half=0.004, dataset=str(number)), row("random", dataset=str(number))]
    assert said(*rows) == [
        "1 of 20 comparisons differ, no more than chance gives among so many. Differences of up to 0.90 points are not"
        " excluded."
    ]
    sure = [
        msgspec.structs.replace(one, against=msgspec.structs.replace(one.against, p=0.001)) if one.against else one
        for one in rows
    ]
    assert said(*sure)[0].startswith(
        "Your order (given) gains 0.50 [0.10, 0.90] points of recall against a shuffle (7)"
    )


def test_another_reference_is_named():
    [first, *_] = said(row("given", -0.05, WORSE), row("reverse"), reference="reverse")
    assert first.endswith("against reverse.")


@pytest.mark.parametrize(
    ("ef", "ending"),
    [
        ((math.inf, 80.0, math.inf), "of the misses, more than the largest ef_search here gives a shuffle."),
        ((30.0, 25.0, math.inf), "as ef_search 30 [25, more] in place of 10 would."),
        ((math.nan, math.nan, math.nan), "of the misses."),
    ],
)
def test_what_ef_search_cannot_make_up_for_is_said(ef, ending):
    best, *_ = said(row("lid-descending", 0.03, BETTER, ef=ef), row("random"))
    assert best.endswith(ending)


def test_parameters_of_the_best_order_are_part_of_the_command():
    *_, todo = said(row("residual-descending clusters=50", 0.03, BETTER), row("random"))
    assert "--order residual-descending:clusters=50 --output" in todo
    *_, todo = said(row('category permutation="a+b"+c', 0.03, BETTER), row("random"))
    assert "--order 'category:permutation=\"a+b\"+c' --output" in todo
    *_, todo = said(row("category permutation=a+b+… (77)", 0.03, BETTER), row("random"))
    assert todo == "Load the rows in that order."


def test_an_order_of_ones_own_needs_no_command():
    *_, todo = said(row("mine.npy", 0.03, BETTER), row("random"))
    assert todo == "Load the rows in that order."


def test_one_order_or_one_build_shows_nothing():
    assert said(row("given")) == ["Nothing is compared: add random to the orders, to see what order costs against it."]
    assert said(row("random")) == ["Only random was built: add an order to compare with it, as `given`."]
    lone = row("given", 0.03, UNDECIDED)
    nan = Estimate(0.03, *[math.nan] * 4)
    lone = msgspec.structs.replace(lone, against=msgspec.structs.replace(lone.against, difference=nan))
    assert said(lone, row("random")) == [
        "One build, or one query, shows no interval: build five of each order at least (`--seeds 5`)."
    ]
