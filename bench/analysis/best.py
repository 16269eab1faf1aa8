"""Which order is best on a dataset: it is shown to gain, shown to cost nothing, and fast to compute."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from bench.analysis.setting import Setting
from bench.analysis.summary import BETTER, WORSE, Summary, differences_to
from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample

Samples = Mapping[Setting, Mapping[str, Sample]]  # by setting and order's label


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """An order against the reference, over several settings.

    order: its label.
    option: as `bench order` takes it; None if it takes none.
    rows: of every setting that it was compared in, with an interval.
    sure: those that show it better or worse beyond chance among all settings: p times their number is below 5 %.
    """

    order: str
    option: str | None
    rows: list[Summary]
    sure: list[Summary]

    def surely(self, verdict: str) -> list[Summary]:
        """Where it is better, or worse, beyond chance among all settings, the largest difference first."""
        rows = [row for row in self.sure if row.against and row.against.verdict == verdict]
        return sorted(rows, key=lambda row: -abs(difference(row)))

    def surely_by(self, verdict: str, worth: float) -> bool:
        """Return whether it is surely better, or worse, by an estimated `worth` at least in some setting."""
        return any(abs(difference(row)) >= worth for row in self.surely(verdict))

    def mean(self, settings: set[Setting]) -> float:
        """Mean difference over these settings, or over all of its own if it has none of them."""
        rows = [row for row in self.rows if row.setting in settings] or self.rows
        return sum(map(difference, rows)) / len(rows)

    @property
    def seconds(self) -> float:
        """Seconds to compute the order with an empty cache, mean over settings."""
        return sum(row.order_seconds for row in self.rows) / len(self.rows)


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """Which order is best on one dataset.

    dataset: as tables call it.
    effect: the order to load in; None if no order is shown to gain `worth` in one setting and to cost in none.
    highest: the order of the highest mean gain, if `effect` is another one, as good and faster to compute.
    behind: the difference of `effect` to `highest`, where the gain of `effect` is largest.
    mixed: if `effect` is None, the order of the highest mean gain that is shown to gain `worth` in one setting and to
        cost in another.
    most: the largest gain that an interval does not exclude. It is below the largest true gain only if the interval of
        that very gain errs, so it needs no allowance for the number of intervals.
    """

    dataset: str
    effect: Effect | None
    highest: Effect | None
    behind: Estimate | None
    mixed: Effect | None
    most: float


def difference(row: Summary) -> float:
    return row.against.difference.value if row.against else 0.0


def effects_of(rows: Sequence[Summary], settings: int) -> list[Effect]:
    """The Effect of every order, the highest mean over the settings that all have first.

    settings: among how many a difference is to be shown.
    """
    by_order: dict[str, list[Summary]] = defaultdict(list)
    for row in rows:
        by_order[row.order].append(row)
    effects = [
        Effect(order=order, option=of_order[0].option, rows=of_order, sure=[r for r in of_order if _sure(r, settings)])
        for order, of_order in by_order.items()
    ]
    common = set.intersection(*({row.setting for row in effect.rows} for effect in effects)) if effects else set()
    return sorted(effects, key=lambda effect: -effect.mean(common))


def _sure(row: Summary, settings: int) -> bool:
    against = row.against
    return (
        against is not None and against.verdict in (BETTER, WORSE) and against.p * settings < 1 - intervals.CONFIDENCE
    )


def best_of(rows: Sequence[Summary], samples: Samples, settings: int, worth: float) -> Best:
    """The Best of one dataset's rows, all of which have an interval.

    settings: how many the experiment has. worth: the smallest gain that is worth it.
    """
    gainers = [effect for effect in effects_of(rows, settings) if effect.surely_by(BETTER, worth)]
    costless = [effect for effect in gainers if not effect.surely(WORSE)]
    effect, highest, behind = _cheapest(costless, samples, worth) if costless else (None, None, None)
    return Best(
        dataset=rows[0].setting.name,
        effect=effect,
        highest=highest,
        behind=behind,
        mixed=gainers[0] if gainers and not costless else None,
        most=max(row.against.difference.high for row in rows if row.against),
    )


def _cheapest(
    effects: Sequence[Effect], samples: Samples, worth: float
) -> tuple[Effect, Effect | None, Estimate | None]:
    """Return the fastest to compute of the first order and those as good.

    Also the first and the difference of the two, if the fastest is another.
    """
    first, *others = effects
    behind = _behind(first, others, samples)
    as_good = [effect for effect in others if _as_good(behind[effect.order].values(), worth)]
    chosen = min([first, *as_good], key=lambda effect: effect.seconds)
    if chosen is first:
        return first, None, None
    estimates = behind[chosen.order]
    where = chosen.surely(BETTER)[0].setting
    return chosen, first, estimates.get(where, next(iter(estimates.values())))


def _as_good(estimates: Collection[Estimate], worth: float) -> bool:
    """Return whether an order is as good as another, by its differences to that order.

    No difference may be shown to be below 0, and none may be as low as -worth.
    """
    return bool(estimates) and all(each.high >= 0 and each.value > -worth for each in estimates)


def _behind(first: Effect, others: Sequence[Effect], samples: Samples) -> dict[str, dict[Setting, Estimate]]:
    """The difference of each other order to the first in every setting that has both, paired on queries.

    Intervals hold for all others and all settings of the first at once.
    """
    behind: dict[str, dict[Setting, Estimate]] = {effect.order: {} for effect in others}
    known = {(effect.order, row.setting) for effect in others for row in effect.rows}
    for setting in (row.setting for row in first.rows) if others else ():
        of_first = samples[setting][first.order]
        compared = {order: samples[setting][order] for order in behind if (order, setting) in known}
        differences, comparisons = differences_to(list(compared.values()), of_first)
        for order, estimate in zip(compared, differences, strict=True):
            behind[order][setting] = intervals.simultaneous(estimate, comparisons * len(first.rows))
    return behind
