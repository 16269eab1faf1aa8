"""What now: two or three plain sentences below a table. The same words for terminal, page and notebook."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.advice import GIVEN, Advice, Effect
from bench.analysis.categories import Permuted
from bench.analysis.presets import UnderPreset
from bench.analysis.rankings import SURE, Rankings
from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import split
from bench.analysis.stats import Estimate
from bench.analysis.summary import BETTER, NO_DIFFERENCE, WORSE
from bench.orders import ORDERS
from bench.present.text import heading

RANDOM = "random"
MORE = " Builds alone will not settle all of it: search with more queries."
TIES = "Rows repeat, and which of equal rows counts may decide: compare by `bench table --ties` before anything else."


def sentences(advice: Advice, settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What an Advice says. settings: fields of all settings of the experiment, by which the one spoken of is named."""
    if not advice.settings:
        if advice.orders == [advice.reference]:
            return [f"Only {advice.reference} was built: add an order to compare with it, as `given`."]
        return [f"Nothing is compared: add {advice.reference} to the orders, to see what order costs against it."]
    if math.isnan(advice.bound):
        return ["One build, or one query, shows no interval: build five of each order at least (`--seeds 5`)."]
    _, varying = split(settings)
    said = [*_given(advice, varying), *_best(advice, varying), *_worst(advice, varying)]
    return [*said, _what_to_do(advice)]


def _reference(advice: Advice) -> str:
    return "a shuffle" if advice.reference == RANDOM else advice.reference


def _given(advice: Advice, varying: Sequence[str]) -> list[str]:
    """What the file's order costs."""
    effect, reference = advice.given, _reference(advice)
    if effect is None or not advice.shown:
        return []
    against = effect.most.against
    assert against is not None
    size, where = _size(against.difference), _where(effect, varying)
    if effect.count(WORSE):
        return [f"Your order (given) costs {size} against {reference}{where}{_counted(effect, WORSE)}."]
    if effect.count(BETTER):
        return [f"Your order (given) gains {size} against {reference}{where}{_counted(effect, BETTER)}."]
    if effect.count(NO_DIFFERENCE) == len(effect.verdicts):
        return [f"Your order (given) is as good as {reference}, within a point."]
    between = f"{100 * against.difference.low:+.2f} and {100 * against.difference.high:+.2f}"
    return [f"Whether your order (given) differs from {reference} is undecided: by {between} points{where}."]


def _best(advice: Advice, varying: Sequence[str]) -> list[str]:
    """Which order is best, and what it is worth."""
    effect, reference = advice.best, _reference(advice)
    if effect is None:
        return [f"No order is shown to be better than {reference}."] if advice.shown else []
    most = effect.most
    assert most.against is not None
    share = most.against.misses_removed
    worth = f"Best is {effect.order}: it gains {_size(most.against.difference)} against {reference}"
    worth += f"{_where(effect, varying)}{_counted(effect, BETTER)}"
    if not math.isnan(share.value):
        percents = f"{100 * share.value:.0f} % [{100 * share.low:.0f}, {min(100 * share.high, 100):.0f}]"
        worth += f". That removes {percents} of the misses"
        worth += _equal_ef(most.equivalent_ef, most.setting.of.search.ef_search, reference)
    return [f"{worth}."]


def _equal_ef(equivalent: tuple[float, float, float] | None, ef_search: int, reference: str) -> str:
    """What an order is worth in ef_search, or nothing where that is not known."""
    if equivalent is None or math.isnan(equivalent[0]):
        return ""
    value, low, high = equivalent
    if not math.isfinite(value):
        return f", more than the largest ef_search here gives {reference}"
    ends = f" [{low:.0f}, {f'{high:.0f}' if math.isfinite(high) else 'more'}]" if math.isfinite(low) else ""
    return f", as ef_search {value:.0f}{ends} in place of {ef_search} would"


def _worst(advice: Advice, varying: Sequence[str]) -> list[str]:
    """What is at stake, where the file's order is not compared."""
    effect = advice.worst
    if effect is None or advice.given or (advice.best and advice.best.order == effect.order):
        return []
    assert effect.most.against is not None
    size = _size(effect.most.against.difference)
    return [f"Worst is {effect.order}: it costs {size}{_where(effect, varying)}{_counted(effect, WORSE)}."]


def _what_to_do(advice: Advice) -> str:
    reference = _reference(advice)
    bound = f"{100 * advice.bound:.2f} points"
    if not advice.shown and not advice.differ and not advice.undecided:
        return (
            f"Order does not matter here: nothing differs from {reference} by more than {bound} (95 % intervals). Load"
            " the rows as they come."
        )
    if not advice.shown:
        chance = f"{advice.differ} of {advice.compared} comparisons differ, no more than chance gives among so many. "
        open_ones = f"{advice.undecided} of {advice.compared} comparisons are undecided"
        needed = f" {advice.builds_needed} builds of each order would settle it four times in five."
        return (
            chance * bool(advice.differ)
            + (f"{open_ones}: differences" if advice.undecided else "Differences")
            + f" of up to {bound} are not excluded."
            + (needed if advice.builds_needed else MORE) * bool(advice.undecided)
        )
    if advice.best and advice.best.order != GIVEN:
        return f"Load the rows in that order{_command(advice.best.order)}."
    if advice.best:
        return "Load the rows in the order of the file."
    if advice.given and advice.given.count(WORSE):
        return f"Shuffle the rows before you load them{_command(RANDOM)}."
    return "Load the rows in any order but the worst."


def _command(order: str) -> str:
    """What writes an order for a loader, where one does: its label is a name, and parameters not at their defaults."""
    name, *params = order.split(" ")
    if name not in ORDERS or "…" in order or any("=" not in param for param in params):
        return ""
    return f": `bench order FILE --order {shlex.quote(':'.join([name, *params]))} --output ids.npy` writes it"


def _size(difference: Estimate, of: str = "recall") -> str:
    """A difference without its sign, in points of a measure, with its interval."""
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    if value < 0:
        value, low, high = -value, -high, -low
    return f"{value:.2f} [{low:.2f}, {high:.2f}] points of {of}"


def _where(effect: Effect, varying: Sequence[str]) -> str:
    """The setting that is spoken of, where there are several."""
    named = heading(effect.most.setting.fields, varying)
    return f" ({named})" if named else ""


def _counted(effect: Effect, verdict: str) -> str:
    """In how many settings an order is better, or worse, where there are several."""
    if len(effect.verdicts) == 1:
        return ""
    other = WORSE if verdict == BETTER else BETTER
    against = f" and {other} in {effect.count(other)}" if effect.count(other) else ""
    return f", and is {verdict} in {effect.count(verdict)} of {len(effect.verdicts)} settings{against}"


def of_retrieval(rows: Sequence[Retrieval], varying: Sequence[str]) -> str:
    """What an index in place of exact search costs, in the first measure: the most, and the least."""
    measure = next(iter(rows[0].scores))
    scored = [row for row in rows if measure in row.scores]
    losses = sorted(scored, key=lambda row: row.scores[measure].difference.value)
    most, least = losses[0], losses[-1]
    said = f"The index in place of exact search costs up to {_loss(most, measure, varying)}"
    return f"{said}, and {_loss(least, measure, varying)} at best." if most is not least else f"{said}."


def _loss(row: Retrieval, measure: str, varying: Sequence[str]) -> str:
    named = heading(row.setting.fields, varying)
    return f"{_size(row.scores[measure].difference, measure)} ({', '.join(filter(None, (row.order, named)))})"


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
        return []
    shown = [pair for pair in known if pair[1].low > 0]
    if not shown:
        bound = 100 * max(spread.high for _, spread in known)
        return [
            "At no system's parameters is one order shown to be better than another; differences of up to"
            f" {bound:.2f} points are not excluded."
        ]
    row, spread = max(shown, key=lambda pair: pair[1].value)
    engines = len({row.setting.of.index.engine for row in rows}) > 1
    where = row.system + (f" in {row.setting.of.index.engine}" if engines else "")
    best, worst = next(iter(row.recalls)), next(reversed(row.recalls))
    return [
        f"Best and worst order differ in {len(shown)} of {len(known)} rows, and most at the parameters of {where}:"
        f" {best} gains {_size(spread)} against {worst}.",
        f"Load the rows in that order{_command(best)}.",
    ]


def of_permutations(rows: Sequence[Permuted], varying: Sequence[str]) -> str:
    """Whether the order of whole categories is shown to matter, by the difference that is found again."""
    shown = [(row, row.found_again) for row in rows if row.found_again and row.found_again.low > 0]
    if not any(row.found_again for row in rows):
        return "One seed shows no noise: run two at least, to see whether permutations differ by more than builds do."
    if not shown:
        return "No permutation of categories is shown to be better than another: load categories in any sequence."
    row, again = max(shown, key=lambda pair: pair[1].value)
    named = heading(row.setting, varying)
    where = f" ({named})" if named else ""
    return f"The best and the worst permutation differ by {_size(again)} when they are measured anew{where}."
