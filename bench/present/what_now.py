"""What now: conclusions below a table, in a few sentences. The same words for terminal, page and notebook."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.advice import GIVEN, Advice, alike, widest
from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import varying_by_engine
from bench.analysis.summary import BETTER, WORSE
from bench.present.effects import (
    RANDOM,
    Varying,
    best_by_dataset,
    best_here,
    command,
    in_how_many,
    in_points,
    in_setting,
    named,
    reference_of,
    rule,
)
from bench.present.text import heading, points

MOST_NAMED = 3  # orders that a sentence lists
ONE_BUILD = "One build of each order shows no interval: build five at least (`--seeds 5`)."


def sentences(advice: Advice, settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return an Advice in sentences. settings: fields of all settings of the experiment, which name one of them."""
    varying = varying_by_engine(settings)
    if advice.broken:
        where = named(advice.broken[0], varying)
        return [
            f"Hardly a neighbour is found{where}, whatever the order: does the engine return row numbers of the base?"
            " The checks in `bench.indexes.contract` tell."
        ]
    if not advice.reference:
        return ["Nothing is compared: no order is named as the reference."]
    if not advice.settings:
        if advice.orders == [advice.reference]:
            return [f"Only {advice.reference} was built: add an order to compare with it, as `given`."]
        return [f"Nothing is compared: add {advice.reference} to the orders, to see what order costs against it."]
    if not advice.compared:
        return ["One query shows no interval: give more with `--queries`." if advice.queries == 1 else ONE_BUILD]
    texts = _shown(advice, varying) if advice.sure else [_nothing_shown(advice)]
    if advice.without_interval:
        have = _counted(advice.without_interval, "comparison has", "comparisons have")
        texts.append(f"{have} a single build, and no part in this.")
    return texts


def ties_first(experiment: str) -> str:
    """Return all that is said if ties decide."""
    return (
        "Rows repeat, and which of equal rows counts may decide: compare by"
        f" `bench table {shlex.quote(experiment)} --ties` before anything else."
    )


def _shown(advice: Advice, varying: Varying) -> list[str]:
    """Say what to make of orders if one of them at least is shown to differ from the reference."""
    shown = _counted(
        advice.sure,
        f"difference to {reference_of(advice)} is",
        f"differences to {reference_of(advice)} are",
        advice.compared,
    )
    alone = len(advice.datasets) == 1
    return [
        f"Order matters here: {shown} beyond chance.",
        *_given(advice, varying),
        *(best_here if alone else best_by_dataset)(advice, varying),
        *(_worst(advice, varying) if alone else []),
        rule(advice),
        *_what_to_do(advice),
    ]


def _given(advice: Advice, varying: Varying) -> list[str]:
    """Say how much the order of the file costs or gains."""
    effect, reference = advice.given, reference_of(advice)
    if effect is None or _all_best(advice) == effect.order:
        return []
    costs, gains = effect.surely(WORSE), effect.surely(BETTER)
    if costs and gains:
        return [
            f"Your order (given) costs {in_setting(costs[0], varying)} and gains {in_setting(gains[0], varying)}"
            f" against {reference}."
        ]
    if effect.sure:
        rows, verdict, verb = (costs, WORSE, "costs") if costs else (gains, BETTER, "gains")
        share = in_how_many(effect, verdict)
        return [f"Your order (given) {verb} {in_setting(rows[0], varying)} against {reference}{share}."]
    if alike(effect):
        return [f"Your order (given) is as good as {reference}, within {in_points(advice.worth)}."]
    row, difference = widest(effect, advice.compared)
    between = f"{100 * difference.low:+.2f} and {100 * difference.high:+.2f}"
    return [
        f"Whether your order (given) differs from {reference} is undecided: the difference lies between {between}"
        f" points{named(row, varying)}."
    ]


def _all_best(advice: Advice) -> str:
    """Return the order that is best on every dataset, or an empty text."""
    orders = {effect.order for effect in advice.best}
    return orders.pop() if len(orders) == 1 and len(advice.best) == len(advice.datasets) else ""


def _worst(advice: Advice, varying: Varying) -> list[str]:
    """Name the worst order, unless it is that of the file."""
    if not advice.worse or advice.worse[0] is advice.given:
        return []
    effect = advice.worse[0]
    most = effect.surely(WORSE)[0]
    return [f"Worst is {effect.order}: it costs {in_setting(most, varying)}{in_how_many(effect, WORSE)}."]


def _what_to_do(advice: Advice) -> list[str]:
    orders = {effect.order: effect for effect in advice.best}
    everywhere = len(advice.best) == len(advice.datasets)
    shuffle = _load_as_reference(advice) if advice.given_costs and not everywhere else []
    if len(orders) > 1:
        example = f"`bench order FILE --order ORDER --metric {advice.metric} --output ids.npy`"
        return [f"Load each dataset in its best order: {example}.", *shuffle]
    if orders:
        [effect] = orders.values()
        where = "" if everywhere else " where it is best"
        if effect.order == GIVEN:
            return [f"Load the rows in the order of the file{where}.", *shuffle]
        return [f"Load the rows in the order {effect.order}{where}{command(effect.option, advice.metric)}.", *shuffle]
    if any(best.mixed for best in advice.datasets):
        return ["Go by the setting that you use."]
    if shuffle:
        return shuffle
    if advice.given and (advice.given.sure or alike(advice.given)):
        return ["Load the rows as they come."]
    names = [effect.order for effect in advice.worse if effect.surely_by(WORSE, advice.worth)]
    worse = " or ".join(names) if len(names) <= MOST_NAMED else "those that are worse"
    return [f"Load the rows in any order except {worse}."] if names else []


def _load_as_reference(advice: Advice) -> list[str]:
    """Say what to do if the order of the file costs and no order is better than the reference."""
    elsewhere = ", for datasets without a best order" if advice.best else ""
    text = "" if advice.best else command(advice.reference_option, advice.metric)
    if advice.reference == RANDOM:
        return [f"Shuffle the rows before you load them{elsewhere}{text}."]
    return [f"Load the rows in the order {advice.reference}{elsewhere}{text}."]


def _nothing_shown(advice: Advice) -> str:
    """That order does not matter, or what is open."""
    reference, bound = reference_of(advice), f"{100 * advice.bound:.2f} points"
    if not advice.differ and not advice.undecided:
        return (
            f"Order does not matter here: none of these orders differs from {reference} by more than {bound}, with 95 %"
            f" confidence in all of them at once. Load the rows {'as they come' if advice.given else 'in any order'}."
        )
    parts = []
    if advice.differ:
        differ = _counted(advice.differ, "comparison differs", "comparisons differ", advice.compared)
        parts.append(f"{differ}, none once the number of settings is allowed for.")
    if advice.undecided:
        are = _counted(advice.undecided, "comparison is", "comparisons are", advice.compared)
        parts.append(f"{are} undecided.")
    if advice.bound < 1:
        at_once = "Over all comparisons at once, d" if advice.compared > 1 else "D"
        parts.append(f"{at_once}ifferences of up to {bound} are not excluded.")
    else:
        parts.append("For some of these orders no difference at all is excluded.")
    if advice.needed.builds:
        also = f" and {advice.needed.queries:,} queries" if advice.needed.queries else ""
        settle = f"{advice.needed.builds} builds of each order{also} would settle each in four studies of five"
        parts.append(f"{settle}, estimated from the present builds.")
    elif advice.undecided:
        parts.append("Too few builds: the number that would decide all of them is unknown.")
    return " ".join(parts)


def _counted(number: int, one: str, more: str, of: int | None = None) -> str:
    """A number with its noun and verb, as `1 of 3 comparisons is`."""
    return f"{number} {f'of {of} ' if of else ''}{one if number == 1 and not (of and of > 1) else more}"


def of_retrieval(rows: Sequence[Retrieval], varying: Sequence[str]) -> str:
    """Return how an index in place of exact search changes the first measure: at worst, and at best."""
    measure = next(iter(rows[0].scores))
    scored = sorted(
        (row for row in rows if measure in row.scores), key=lambda row: row.scores[measure].difference.value
    )

    def moved(row: Retrieval) -> str:
        where = ", ".join(filter(None, (row.order, heading(row.setting.fields, varying))))
        return f"{points(row.scores[measure].difference)} points ({where})"

    text = f"In place of exact search the index moves {measure} by {moved(scored[0])}"
    return f"{text}." if len(scored) == 1 else f"{text} at worst, and by {moved(scored[-1])} at best."
