"""What now: the sentences below a table, from summaries whose answer is known."""

import math
import re

import msgspec
import pytest
from scipy.special import stdtrit
from support.examples import TRIAL
from support.messages import names
from support.summaries import steady_samples

from bench.analysis.advice import advise
from bench.analysis.setting import Setting
from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE, Comparison, Summary
from bench.orders import ORDERS
from bench.present.what_now import sentences
from bench.statistics.intervals import Estimate
from bench.statistics.power import Needed
from bench.study.trial import changed

EF = (25.2, 21.6, 28.9)  # equals ef, and the ends of its interval


def row(order, difference=None, verdict=NO_DIFFERENCE, half=0.01, p=0.001, needed=None, ef=EF, recall=None, **fields):
    """A Summary; difference: to random, None for random itself."""
    against = None
    if difference is not None:
        against = Comparison(
            difference=estimate(difference, half),
            misses_removed=estimate(5 * difference, 0.05),
            p=p,
            verdict=verdict,
            needed=Needed(*needed) if isinstance(needed, tuple) else Needed(needed, None),
            detectable=0.01,
        )
    name = order.partition(" ")[0]
    value = 0.8 + (difference or 0.0) if recall is None else recall
    return Summary(
        setting=Setting(experiment="e", of=changed(TRIAL, **fields).setting, name=fields.get("dataset", "d")),
        order=order,
        option=order.replace(" ", ":") if name in ORDERS else None,
        builds=5,
        recall=estimate(value, 0.01),
        sd=0.01,
        against=against,
        equivalent_ef=ef if against else None,
        below_half=estimate(0.1, 0.01),
        percentile_5=estimate(0.5, 0.1),
        recall_tie=value,
        order_seconds=0.1,
        build_seconds=1.0,
        search_seconds=0.1,
    )


def estimate(value, half):
    return Estimate(value, value - half, value + half, half / stdtrit(10, 0.975), 10.0)


def said(*rows, reference="random"):
    """Return the sentences, except that order matters, the time of the best order, and how it is chosen."""
    texts = everything(*rows, reference=reference)
    return [text for text in texts if not (names(text, "beyond chance") or names(text, "s") or names(text, "--worth"))]


def advice_of(sentences):
    """Return the last of several sentences, which says what to do."""
    return re.split(r"\. (?=[A-Z])", sentences)[-1]


def everything(*rows, reference="random", worth=0.01):
    [advice] = advise(rows, steady_samples(rows), reference, worth)
    return sentences(advice, [each.setting.fields for each in rows])


def test_seconds_to_compute_the_best_order_stand_beside_those_of_a_build():
    texts = everything(row("lid-descending", 0.03, BETTER), row("random"))
    assert [text for text in texts if names(text, "0.1 s", "1 s")]


def test_only_differences_beyond_chance_among_all_settings_are_counted():
    rows = []
    for number in range(10):
        p = 0.001 if number == 3 else 0.02
        rows += [row("given", -0.05, WORSE, p=p, dataset=str(number)), row("random", dataset=str(number))]
    first, given, *_ = everything(*rows)
    assert names(first, "1 of 10")
    assert names(given, "given", "1 of 10 settings", "(3)")


def test_the_rule_for_the_best_order_names_the_smallest_gain():
    rows = (row("lid-descending", 0.03, BETTER), row("random"))
    [rule] = [text for text in everything(*rows, worth=0.005) if "--worth" in text]
    assert "0.5 points" in rule


def test_the_cost_of_the_files_order_the_best_order_and_its_command_are_named():
    given, best, todo = said(row("radius-descending", 0.0537, BETTER), row("random"), row("given", -0.0214, WORSE))
    assert names(given, "given", "costs", "2.14 [1.14, 3.14] points")
    assert names(best, "Best", "radius-descending", "gains", "5.37 [4.37, 6.37] points")
    assert names(best, "27 % [22, 32]", "ef_search 25 [22, 29]")
    assert "`bench order FILE --order radius-descending --metric l2 --output ids.npy`" in todo


def test_the_bound_is_named_if_order_does_not_matter():
    [only] = said(row("given", 0.001, half=0.004), row("lid-ascending", -0.002, half=0.005), row("random"))
    assert names(only, "0.79 points", "random order")
    # Rows are to be loaded as they come only if the order of the file was compared
    [other] = said(row("lid-ascending", -0.002, half=0.005), row("random"))
    assert names(other, "0.70 points")
    assert advice_of(other) != advice_of(only)


def test_undecided_comparisons_are_counted_with_the_builds_that_settle_them():
    [only] = said(row("given", 0.01, UNDECIDED, half=0.02, needed=17), row("reverse", 0.001), row("random"))
    assert names(only, "1 of 2 comparisons", "undecided", "3.36 points", "17 builds")
    [only] = said(row("given", 0.01, UNDECIDED, half=0.02), row("random"))
    assert names(only, "1 of 1 comparison", "undecided")
    assert not re.search(r"\d builds", only)
    [only] = said(
        *(row("given", 0.01, UNDECIDED, half=0.02), row("reverse", 0.01, UNDECIDED, half=0.02, needed=9)), row("random")
    )
    assert names(only, "2 of 2 comparisons", "undecided")
    assert not re.search(r"\d builds", only)


def test_builds_that_exclude_no_difference_have_no_bound():
    [only] = said(row("given", 0.01, UNDECIDED, half=5.0, needed=17), row("random"))
    assert names(only, "1 of 1 comparison", "undecided", "17 builds")
    assert "points" not in only


def test_a_bad_file_order_is_shuffled_if_no_order_is_better():
    given, none, todo = said(row("given", -0.05, WORSE), row("random"))
    assert names(given, "given", "costs", "5.00 [4.00, 6.00] points")
    assert names(none, "No order")
    assert names(todo, "Shuffle", "--order random --metric l2")


def test_below_the_smallest_gain_nothing_is_worth_doing():
    rows = (row("lid-descending", 0.006, BETTER, half=0.003), row("given", 0.0, half=0.009), row("random"))
    given, nothing, todo = said(*rows)
    assert names(given, "given", "as good as random order")
    assert names(nothing, "Nothing", "1 point")
    assert names(todo, "as they come")
    assert "lid-descending" in everything(*rows, worth=0.005)[-1]
    # What is not excluded is not denied
    _, nothing, _ = said(row("lid-descending", 0.006, BETTER, half=0.005), row("given", 0.0), row("random"))
    assert names(nothing, "Nothing", "1.10 points")


def test_a_file_order_that_costs_less_than_the_smallest_gain_is_kept():
    *_, todo = said(row("given", -0.005, WORSE, half=0.003), row("random"))
    assert names(todo, "as they come")


def test_a_good_file_order_is_kept():
    best, worst, todo = said(row("given", 0.05, BETTER), row("random"), row("lid-ascending", -0.05, WORSE))
    assert names(worst, "Worst", "lid-ascending", "costs")
    assert names(best, "Best", "given", "gains", "5.00 [4.00, 6.00] points")
    assert names(todo, "order of the file")


def test_the_worst_order_is_named_if_the_files_order_is_not_compared():
    best, worst, _ = said(row("lid-descending", 0.03, BETTER), row("lid-ascending", -0.06, WORSE), row("random"))
    assert names(best, "Best", "lid-descending")
    assert names(worst, "Worst", "lid-ascending", "costs", "6.00 [5.00, 7.00] points")


def test_several_settings_are_counted_and_the_one_spoken_of_is_named():
    rows = []
    for engine, gain, verdict in (("hnswlib", 0.02, BETTER), ("faiss", 0.04, BETTER), ("other", 0.0, NO_DIFFERENCE)):
        rows += [row("lid-descending", gain, verdict, engine=engine), row("random", engine=engine)]
    best, _ = said(*rows)
    assert names(best, "Best", "lid-descending", "gains", "4.00 [3.00, 5.00] points", "(faiss)", "2 of 3 settings")


def test_an_order_that_is_better_here_and_worse_there_is_not_called_best():
    rows = []
    for ef_search, gain, verdict in ((10, 0.02, BETTER), (40, -0.03, WORSE), (80, -0.03, WORSE)):
        rows += [row("lid-descending", gain, verdict, ef_search=ef_search), row("random", ef_search=ef_search)]
    none, todo = said(*rows)
    assert names(none, "No order", "gains", "2.00 [1.00, 3.00] points", "(ef_search 10)")
    assert names(none, "costs", "3.00 [2.00, 4.00] points", "(ef_search 40)")
    assert names(todo, "setting")


def test_a_cost_that_chance_explains_denies_no_winner():
    rows = []
    for number in range(60):
        gain, verdict, p = {7: (0.03, BETTER, 1e-6), 9: (-0.012, WORSE, 0.03)}.get(number, (0.0, NO_DIFFERENCE, 1.0))
        rows += [row("lid-descending", gain, verdict, p=p, ef_search=10 + number), row("random", ef_search=10 + number)]
    best, todo = said(*rows)
    assert names(best, "Best", "lid-descending", "gains", "3.00 [2.00, 4.00] points", "1 of 60 settings")
    assert names(todo, "lid-descending")


def test_the_files_order_is_not_both_costly_and_best():
    rows = []
    for engine, gain, verdict in (("a", 0.1, BETTER), ("b", -0.05, WORSE)):
        rows += [row("given", gain, verdict, engine=engine), row("random", engine=engine)]
    given, best, todo = said(*rows)
    assert re.search(r"costs 5\.00 \[4\.00, 6\.00\] points[^.(]*\(b\)", given)
    assert re.search(r"gains 10\.00 \[9\.00, 11\.00\] points[^.(]*\(a\)", given)
    assert names(best, "No order")
    assert names(todo, "setting")


def test_each_dataset_has_its_best_order_and_those_without_one_share_a_sentence():
    rows = []
    for dataset, radius, lid in (("a", 0.05, 0.02), ("b", -0.04, 0.03), ("c", 0.0, 0.0), ("d", 0.001, 0.0)):
        for order, gain in (("radius-descending", radius), ("lid-descending", lid)):
            verdict = BETTER if gain > 0.01 else WORSE if gain < -0.01 else NO_DIFFERENCE
            rows.append(row(order, gain, verdict, half=0.005, dataset=dataset))
        rows.append(row("random", dataset=dataset))
    on_a, on_b, nothing, todo = said(*rows)
    assert names(on_a, "Best on a", "radius-descending", "gains", "5.00 [4.50, 5.50] points")
    assert names(on_b, "Best on b", "lid-descending", "gains", "3.00 [2.50, 3.50] points")
    assert names(nothing, "Nothing", "c and d")
    assert "`bench order FILE --order ORDER --metric l2 --output ids.npy`" in todo
    # Of those that are not decided, each has its largest gain that is not excluded
    rows += [row("lid-descending", 0.006, UNDECIDED, half=0.02, dataset="e"), row("random", dataset="e")]
    *_, nothing, _ = said(*rows)
    assert names(nothing, "c, d and e", "0.50, 0.60 and 2.60 points")
    # One that is best wherever there is a best one is named with its command
    everywhere = [one for one in rows if one.order != "lid-descending"]
    *_, todo = said(*everywhere)
    assert names(todo, "radius-descending")


def test_orders_are_ranked_over_the_settings_that_all_have():
    # residual-descending was built where little is to be gained, too
    rows = [row("random", ef_search=ef) for ef in (10, 40)]
    rows += [row("residual-descending", gain, BETTER, ef_search=ef) for ef, gain in ((10, 0.05), (40, 0.01))]
    rows.append(row("lid-descending", 0.04, BETTER, ef_search=10))
    assert names(said(*rows)[0], "Best", "residual-descending")


def test_a_difference_of_the_files_order_is_held_to_the_same_bar():
    rows = []
    for number in range(10):
        rows.append(row("lid-descending", 0.03, BETTER, dataset=str(number)))
        given = (-0.012, WORSE) if number == 3 else (-0.002, NO_DIFFERENCE)
        rows.append(row("given", *given, p=0.04, dataset=str(number)))
        rows.append(row("random", dataset=str(number)))
    given, *_, todo = said(*rows)
    assert names(given, "given", "random order", "undecided")
    low, high = (float(end) for end in re.findall(r"[-+]\d+\.\d+", given))
    assert low < 0 < high  # an interval that holds for all settings does not contradict the sentence
    assert "lid-descending" in todo


def test_all_orders_that_are_worse_are_named():
    rows = [row("lid-ascending", -0.02, WORSE), row("radius-ascending", -0.04, WORSE), row("random")]
    *_, todo = said(*rows)
    assert names(todo, "except", "radius-ascending or lid-ascending")


def test_nothing_is_advised_if_hardly_a_neighbour_is_found():
    [only] = said(row("given", 0.0, recall=0.01), row("random", recall=0.02))
    assert names(only, "`bench.indexes.contract`")


def test_one_difference_among_many_settings_may_be_chance():
    rows = []
    for number in range(20):
        verdict = BETTER if number == 7 else NO_DIFFERENCE
        rows.append(row("given", 0.005, verdict, half=0.004, p=0.01, dataset=str(number)))
        rows.append(row("random", dataset=str(number)))
    [only] = said(*rows)
    assert names(only, "1 of 20 comparisons", "1.22 points")
    sure = [
        msgspec.structs.replace(one, against=msgspec.structs.replace(one.against, p=0.001)) if one.against else one
        for one in rows
    ]
    given = said(*sure)[0]
    assert names(given, "given", "gains", "0.50 [0.10, 0.90] points", "(7)", "1 of 20 settings")


def test_rows_are_loaded_in_the_order_of_another_reference():
    given, _, todo = said(row("given", -0.05, WORSE), row("residual-descending"), reference="residual-descending")
    assert names(given, "given", "costs", "residual-descending")
    assert "random" not in given
    assert names(todo, "bench order FILE --order residual-descending")


@pytest.mark.parametrize(
    ("ef", "named"),
    [
        ((math.inf, 80.0, math.inf), ["largest ef_search"]),
        ((30.0, 25.0, math.inf), ["ef_search 30 [25, more]", 10]),
        ((math.nan, math.nan, math.nan), []),
    ],
)
def test_the_ef_search_that_an_order_equals_may_be_beyond_the_largest_or_unknown(ef, named):
    best, *_ = said(row("lid-descending", 0.03, BETTER, ef=ef), row("random"))
    assert names(best, "misses", *named)
    assert ("ef_search" in best) == bool(named)


def test_a_share_of_misses_whose_interval_reaches_0_is_left_out():
    best = row("lid-descending", 0.03, BETTER)
    against = msgspec.structs.replace(best.against, misses_removed=Estimate(0.85, 0.0, 1.0, 0.3, 10.0))
    gained, *_ = said(msgspec.structs.replace(best, against=against), row("random"))
    assert "3.00 [2.00, 4.00]" in gained
    assert "misses" not in gained


def test_parameters_of_the_best_order_are_part_of_the_command():
    *_, todo = said(row("residual-descending clusters=50", 0.03, BETTER), row("random"))
    assert "--order residual-descending:clusters=50 --metric l2 --output" in todo
    *_, todo = said(row("cluster", 0.03, BETTER, metric="cosine"), row("random", metric="cosine"))
    assert "--order cluster --metric cosine --output" in todo
    *_, todo = said(row("category", 0.03, BETTER), row("random"))
    assert "--order category --metric l2 --labels LABELS --output" in todo


def test_without_a_reference_nothing_is_compared_and_none_is_named():
    [only] = said(row("random"), row("given"), reference="")
    assert "random" not in only
    assert "given" not in only


def test_an_order_of_a_file_needs_no_command():
    *_, todo = said(row("mine.npy", 0.03, BETTER), row("random"))
    assert names(todo, "mine.npy")
    assert "bench order" not in todo


def test_one_order_or_one_build_shows_nothing():
    [without_reference] = said(row("given"))
    assert names(without_reference, "random")
    [reference_alone] = said(row("random"))
    assert names(reference_alone, "random", "`given`")
    nothing = Estimate(0.03, *[math.nan] * 4)

    def lone(**fields):
        one = row("given", 0.03, UNDECIDED, **fields)
        return msgspec.structs.replace(one, against=msgspec.structs.replace(one.against, difference=nothing))

    [one_build] = said(lone(), row("random"))
    assert names(one_build, "`--seeds 5`")
    [one_query] = said(lone(queries=1), row("random", queries=1))
    assert names(one_query, "`--queries`")
    several = [row("given", 0.03, BETTER, M=8), row("random", M=8), lone(), row("random")]
    for rows in (several, several[::-1]):
        assert names(said(*rows)[-1], "1 comparison", "single build")
        assert names(said(*rows)[0], "Best", "given", "gains", "3.00 [2.00, 4.00] points")
