"""What now: two or three plain sentences below a table. The same words for terminal, page and notebook."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.advice import Advice, Effect, alike, undecided_widest
from bench.analysis.categories import Permuted
from bench.analysis.presets import UnderPreset
from bench.analysis.rankings import SURE, Rankings
from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import varying_by_engine, with_own_params
from bench.analysis.stats import CONFIDENCE, Estimate
from bench.analysis.summary import BETTER, WORSE, Summary
from bench.orders import ORDERS
from bench.present.text import heading, points

Varying = Mapping[str, Sequence[str]]  # by engine, see `varying_by_engine`
RANDOM = "random"
MOST_NAMED = 3  # orders that a sentence lists
ONE_BUILD = "One build of each order shows no interval: build five at least (`--seeds 5`)."


def sentences(advice: Advice, settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What an Advice says. settings: fields of all settings of the experiment, by which the one spoken of is named."""
    varying = varying_by_engine(settings)
    if advice.broken:
        where = _named(advice.broken[0], varying)
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
    said = [_matters(advice), _given(advice, varying), _best(advice, varying), _worst(advice, varying)]
    texts = [*(text for of_one in said for text in of_one), _what_to_do(advice)]
    if advice.without_interval:
        have = _counted(advice.without_interval, "comparison has", "comparisons have")
        texts.append(f"{have} a single build, and no part in this.")
    return texts


def ties_first(experiment: str) -> str:
    """What is said, and nothing else, where ties decide."""
    return (
        "Rows repeat, and which of equal rows counts may decide: compare by"
        f" `bench table {shlex.quote(experiment)} --ties` before anything else."
    )


def _reference(advice: Advice) -> str:
    return "a shuffle" if advice.reference == RANDOM else advice.reference


def _matters(advice: Advice) -> list[str]:
    """Whether order matters, where it is shown to; where it is not, `_nothing_shown` says what is known."""
    if not advice.shown:
        return []
    differ = _counted(advice.differ, "comparison", "comparisons", advice.compared)
    show = "shows" if advice.differ == 1 else "show"
    return [f"Order matters here: {differ} with {_reference(advice)} {show} a difference."]


def _given(advice: Advice, varying: Varying) -> list[str]:
    """What the file's order costs."""
    effect, reference = advice.given, _reference(advice)
    if effect is None or not advice.shown or effect is advice.best:
        return []
    costs, gains = effect.of(WORSE), effect.of(BETTER)
    if effect.sure and costs and gains:
        return [
            f"Your order (given) costs {_in(costs[0], varying)} and gains {_in(gains[0], varying)} against {reference}."
        ]
    if effect.sure:
        rows, verdict = (costs, "costs") if costs else (gains, "gains")
        return [f"Your order (given) {verdict} {_in(rows[0], varying)} against {reference}{_share(effect)}."]
    if alike(effect):
        return [f"Your order (given) is as good as {reference}, within a point."]
    row = undecided_widest(effect)
    assert row.against is not None
    between = f"{100 * row.against.difference.low:+.2f} and {100 * row.against.difference.high:+.2f}"
    return [
        f"Whether your order (given) differs from {reference} is undecided: the difference lies between {between}"
        f" points{_named(row, varying)}."
    ]


def _best(advice: Advice, varying: Varying) -> list[str]:
    """Which order is best, and what it is worth."""
    effect, reference = advice.best, _reference(advice)
    if advice.mixed:
        costs, gains = advice.mixed.of(WORSE)[0], advice.mixed.of(BETTER)[0]
        return [
            f"No order is best in every setting: {advice.mixed.order} gains {_in(gains, varying)} and costs"
            f" {_in(costs, varying)} against {reference}."
        ]
    if effect is None:
        return [f"No order is shown to be better than {reference}."] if advice.shown else []
    most = effect.of(BETTER)[0]
    assert most.against is not None
    share = most.against.misses_removed
    worth = f"Best is {effect.order}: it gains {_in(most, varying)} against {reference}{_share(effect)}"
    if not math.isnan(share.value):
        worth += (
            f". That removes {100 * share.value:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}] of the misses"
        )
        worth += _equal_ef(most.equivalent_ef, most.setting.of.search.ef_search, reference)
    return [
        f"{worth}.",
        f"Making that order took {_seconds(most.order_seconds)}, a build {_seconds(most.build_seconds)}.",
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _equal_ef(equivalent: tuple[float, float, float] | None, ef_search: int, reference: str) -> str:
    """What an order is worth in ef_search, or nothing where that is not known."""
    if equivalent is None or math.isnan(equivalent[0]):
        return ""
    value, low, high = equivalent
    if not math.isfinite(value):
        return f", more than the largest ef_search here gives {reference}"
    ends = f" [{low:.0f}, {f'{high:.0f}' if math.isfinite(high) else 'more'}]" if math.isfinite(low) else ""
    return f", as ef_search {value:.0f}{ends} in place of {ef_search} would"


def _worst(advice: Advice, varying: Varying) -> list[str]:
    """What is at stake, where the file's order is not itself the worst."""
    if not advice.worse or advice.worse[0] is advice.given:
        return []
    effect = advice.worse[0]
    return [f"Worst is {effect.order}: it costs {_in(effect.of(WORSE)[0], varying)}{_share(effect)}."]


def _what_to_do(advice: Advice) -> str:
    if not advice.shown:
        return _nothing_shown(advice)
    if advice.mixed:
        return "Go by the setting that you use."
    if advice.best is not None:
        if advice.best is advice.given:
            return "Load the rows in the order of the file."
        return f"Load the rows in the order {advice.best.order}{_command(advice.best.option, advice.metric)}."
    if advice.given and advice.given in advice.worse:
        command = _command(advice.reference_option, advice.metric)
        if advice.reference == RANDOM:
            return f"Shuffle the rows before you load them{command}."
        return f"Load the rows in the order {advice.reference}{command}."
    names = [effect.order for effect in advice.worse]
    worse = " or ".join(names) if len(names) <= MOST_NAMED else "those that are worse"
    return f"Load the rows in any order but {worse}."


def _nothing_shown(advice: Advice) -> str:
    """That order does not matter, or what is open."""
    reference, bound = _reference(advice), f"{100 * advice.bound:.2f} points"
    if not advice.differ and not advice.undecided:
        return (
            f"Order does not matter here: none of these orders differs from {reference} by more than {bound}, with 95 %"
            f" confidence in all of them at once.{' Load the rows as they come.' if advice.given else ''}"
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
        parts.append(f"{settle}, by what is known of it now.")
    elif advice.undecided:
        parts.append("What would settle all of it is not known from so few builds.")
    return " ".join(parts)


def _command(option: str | None, metric: str) -> str:
    """What writes an order for a loader, where anything does."""
    if option is None:
        return ""
    labels = " --labels LABELS" * ORDERS[option.partition(":")[0]].needs_labels
    order = f"--order {shlex.quote(option)} --metric {metric}{labels}"
    return f": `bench order FILE {order} --output ids.npy` writes it"


def _size(difference: Estimate, of: str = "recall") -> str:
    """A difference without its sign, in points of a measure, with its interval."""
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    if value < 0:
        value, low, high = -value, -high, -low
    return f"{value:.2f} [{low:.2f}, {high:.2f}] points of {of}"


def _in(row: Summary, varying: Varying) -> str:
    """How much an order gains or costs, and in which setting, where there are several."""
    assert row.against is not None
    return f"{_size(row.against.difference)}{_named(row, varying)}"


def _named(row: Summary, varying: Varying) -> str:
    """A setting in brackets, where there are several."""
    fields = with_own_params(row.setting.fields)
    return _bracketed(fields, varying[fields["engine"]])


def _bracketed(setting: Mapping[str, Any], varying: Sequence[str]) -> str:
    named = heading(setting, varying)
    return f" ({named})" if named else ""


def _share(effect: Effect) -> str:
    """In how many settings an order is better, or worse, where there are several."""
    verdict = BETTER if effect.of(BETTER) else WORSE
    count = len(effect.rows)
    return f", and is {verdict} in {len(effect.of(verdict))} of {count} settings" if count > 1 else ""


def _counted(number: int, one: str, more: str, of: int | None = None) -> str:
    """A number with its noun and verb, as `1 of 3 comparisons is`."""
    return f"{number} {f'of {of} ' if of else ''}{one if number == 1 and not (of and of > 1) else more}"


def of_retrieval(rows: Sequence[Retrieval], varying: Sequence[str]) -> str:
    """What an index in place of exact search does to the first measure: at worst, and at best."""
    measure = next(iter(rows[0].scores))
    scored = sorted(
        (row for row in rows if measure in row.scores), key=lambda row: row.scores[measure].difference.value
    )

    def moved(row: Retrieval) -> str:
        named = ", ".join(filter(None, (row.order, heading(row.setting.fields, varying))))
        return f"{points(row.scores[measure].difference)} points ({named})"

    text = f"In place of exact search the index moves {measure} by {moved(scored[0])}"
    return f"{text}." if len(scored) == 1 else f"{text} at worst, and by {moved(scored[-1])} at best."


def of_rankings(rankings: Rankings) -> str:
    """Whether an index moves models for good."""
    pairs = {(swap.ahead, swap.behind) for column in rankings.columns for swap in column.swaps}
    sure = {(s.ahead, s.behind) for column in rankings.columns for s in column.swaps if s.probability >= SURE}
    if not pairs:
        return f"The ranking by {rankings.reference} holds: no model changes places."
    turned = f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'} of models change places somewhere"
    if not sure:
        return f"{turned}, none beyond what these queries and builds leave to chance: no ranking is shown to change."
    return f"{turned}, {len(sure)} of them beyond chance: compare models with the index and order that you will use."


def of_presets(rows: Sequence[UnderPreset]) -> list[str]:
    """Under whose parameters order matters most, if under any's."""
    known = [(row, row.spread) for row in rows if row.spread and not math.isnan(row.spread.se)]
    if not known:
        return ["Only one order was built: name two at least." if len(rows[0].recalls) == 1 else ONE_BUILD]
    shown = [pair for pair in known if pair[1].low > 0]
    if not shown:
        whose = "any system's" if len({row.name for row in rows}) > 1 else "these"
        bound = 100 * max(spread.high for _, spread in known)
        return [
            f"At {whose} parameters no order is shown to be better than another; differences of up to {bound:.2f}"
            " points are not excluded."
        ]
    row, spread = max(shown, key=lambda pair: pair[1].value)
    engines = len({row.setting.of.index.engine for row in rows}) > 1
    where = row.system + (f" in {row.setting.of.index.engine}" if engines else "")
    best, worst = next(iter(row.recalls)), next(reversed(row.recalls))
    return [
        f"Best and worst order differ in {len(shown)} of {len(known)} rows, and most at the parameters of {where}:"
        f" {best} gains {_size(spread)} against {worst}."
    ]


def of_permutations(rows: Sequence[Permuted], varying: Sequence[str]) -> str:
    """Whether the order of whole categories is shown to matter, and how far permutations are truly apart."""
    tested = [row for row in rows if not math.isnan(row.p)]
    if not tested:
        return "One seed or one query shows no luck: two of each at least tell whether permutations differ by more."
    shown = [row for row in tested if row.p < 1 - CONFIDENCE]
    if not shown:
        row = max(tested, key=lambda row: row.true_range.high)
        return (
            "Permutations of categories are not shown to differ: load categories in any sequence. A true range of"
            f" {100 * row.true_range.high:.2f} points is not excluded{_bracketed(row.setting, varying)}."
        )
    row = max(shown, key=lambda row: row.true_range.value)
    value, low, high = (100 * end for end in row.true_range.ends)
    share = f" in {len(shown)} of {len(tested)} settings" if len(tested) > 1 else ""
    most = ", where it is most" if len(shown) > 1 else ""
    most = ", where it is most" if len(shown) > 1 else ""
    return (
        f"Permutations of categories differ{share}: {row.permutations:,} truly span about {value:.2f}"
        f" [{low:.2f}, {high:.2f}] points of recall{most}{_bracketed(row.setting, varying)}. Luck has a part in which"
        " one is best: build those near it again, with more seeds, before you choose."
    )
