"""What to make of a comparison: what the file's order costs, which order is best, or that order does not matter."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from bench.analysis import stats
from bench.analysis.power import Needed
from bench.analysis.setting import Setting
from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE, Summary

GIVEN = "given"
LEAST_RECALL = 0.05  # below which no graph that is searched for its own rows stays


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """An order against the reference, over the settings of an experiment.

    order: its label.
    option: as `bench order` takes it; None where it takes none.
    rows: of every setting that it was compared in, with an interval.
    sure: those that show it better or worse beyond chance among all settings: p times their number is below 5 %.
    """

    order: str
    option: str | None
    rows: list[Summary]
    sure: list[Summary]

    def of(self, verdict: str) -> list[Summary]:
        """The rows of this verdict, those that are sure first, and of these the largest difference first."""
        rows = [row for row in self.rows if row.against and row.against.verdict == verdict]
        return sorted(rows, key=lambda row: (row not in self.sure, -abs(_difference(row))))

    def surely(self, verdict: str) -> bool:
        """Whether it is better, or worse, beyond chance somewhere."""
        return any(row in self.sure for row in self.of(verdict))

    def mean(self, settings: set[Setting]) -> float:
        """Mean difference over these settings, or over all of its own where it has none of them."""
        rows = [row for row in self.rows if row.setting in settings] or self.rows
        return sum(map(_difference, rows)) / len(rows)


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of one experiment.

    reference: the order that others are compared with, by its label; reference_option: as in Effect.
    metric: of the data, by which orders are made; METRIC where there are several.
    orders: all that there are, by label.
    settings: how many there are in which orders are compared.
    without_interval: in how many comparisons a single build, or query, gives none; they have no part in what follows.
    queries: the fewest of any setting.
    compared: comparisons with an interval.
    differ, undecided: how many of these are better or worse, and undecided, setting by setting.
    shown: whether any is better or worse beyond chance among all settings.
    given: the order of the file, where it was compared.
    best: the order of the highest mean over the settings that all have, of those that are better than the reference
        beyond chance somewhere, worse nowhere, and better on the whole.
    mixed: without a best one, the order of the highest mean that is surely better somewhere and worse elsewhere.
    worse: orders that are worse beyond chance somewhere and better nowhere, the lowest mean first.
    bound: the largest difference that 95 % intervals for all comparisons at once do not exclude.
    needed: the most builds, and queries, that any undecided comparison needs; None where nothing is undecided, or where
        what would settle one is not known.
    broken: settings in which hardly a neighbour is found, ties counted, whatever the order.
    """

    experiment: str
    reference: str
    reference_option: str | None
    metric: str
    orders: list[str]
    settings: int
    without_interval: int
    queries: int
    compared: int
    differ: int
    undecided: int
    shown: bool
    given: Effect | None
    best: Effect | None
    mixed: Effect | None
    worse: list[Effect]
    bound: float
    needed: Needed
    broken: list[Summary]


def advise(summaries: Sequence[Summary], reference: str = "random") -> list[Advice]:
    """An Advice of every experiment, in the sequence of the summaries."""
    by_experiment = groupby(summaries, key=lambda row: row.setting.experiment)
    return [_advice(experiment, list(rows), reference) for experiment, rows in by_experiment]


def _advice(experiment: str, rows: Sequence[Summary], reference: str) -> Advice:
    compared = [row for row in rows if row.against]
    known = [row for row in compared if row.against and not math.isnan(row.against.difference.se)]
    effects = _effects(known)
    common = set.intersection(*({row.setting for row in effect.rows} for effect in effects)) if effects else set()
    effects.sort(key=lambda effect: -effect.mean(common))
    better = [effect for effect in effects if effect.surely(BETTER)]
    best = next((one for one in better if not one.of(WORSE) and one.mean(common) > 0), None)
    metrics = {row.setting.of.data.metric for row in rows}
    undecided = [row.against for row in known if row.against and row.against.verdict == UNDECIDED]
    return Advice(
        experiment=experiment,
        reference=reference,
        reference_option=next((row.option for row in rows if row.order == reference), None),
        metric=metrics.pop() if len(metrics) == 1 else "METRIC",
        orders=sorted({row.order for row in rows}),
        settings=len({row.setting for row in compared}),
        without_interval=len(compared) - len(known),
        queries=min((row.setting.of.data.queries for row in rows), default=0),
        compared=len(known),
        differ=sum(row.against is not None and row.against.verdict in (BETTER, WORSE) for row in known),
        undecided=len(undecided),
        shown=any(effect.sure for effect in effects),
        given=next((effect for effect in effects if effect.order == GIVEN), None),
        best=best,
        mixed=None if best else next((one for one in better if one.of(WORSE)), None),
        worse=[effect for effect in reversed(effects) if effect.surely(WORSE) and not effect.of(BETTER)],
        bound=_bound(known),
        needed=_most([verdict.needed for verdict in undecided]),
        broken=_broken(rows),
    )


def _effects(rows: Sequence[Summary]) -> list[Effect]:
    """The Effect of every order."""
    settings = len({row.setting for row in rows})
    by_order: dict[str, list[Summary]] = {}
    for row in rows:
        by_order.setdefault(row.order, []).append(row)
    return [
        Effect(order=order, option=of_order[0].option, rows=of_order, sure=[r for r in of_order if _sure(r, settings)])
        for order, of_order in by_order.items()
    ]


def _sure(row: Summary, settings: int) -> bool:
    against = row.against
    return against is not None and against.verdict in (BETTER, WORSE) and against.p * settings < 1 - stats.CONFIDENCE


def _difference(row: Summary) -> float:
    return row.against.difference.value if row.against else 0.0


def _bound(rows: Sequence[Summary]) -> float:
    """The largest difference that intervals which hold for all comparisons at once do not exclude."""
    at_once = [stats.simultaneous(row.against.difference, len(rows)) for row in rows if row.against]
    return max((max(abs(interval.low), abs(interval.high)) for interval in at_once), default=math.nan)


def _most(needed: Sequence[Needed]) -> Needed:
    """What settles all of them; None where that is not known of one, or there is none."""
    builds = [one.builds for one in needed if one.builds]
    if not builds or len(builds) < len(needed):
        return Needed(None, None)
    return Needed(max(builds), max((one.queries for one in needed if one.queries), default=None))


def _broken(rows: Iterable[Summary]) -> list[Summary]:
    """A row of every setting in which no order finds more than hardly a neighbour."""
    by_setting: dict[Setting, list[Summary]] = {}
    for row in rows:
        by_setting.setdefault(row.setting, []).append(row)
    return [
        of_setting[0]
        for of_setting in by_setting.values()
        if all(max(row.recall.value, row.recall_tie) < LEAST_RECALL for row in of_setting)
    ]


def undecided_widest(effect: Effect) -> Summary:
    """The setting in which least is known of an order."""
    rows = effect.of(UNDECIDED) or effect.rows
    return max(rows, key=lambda row: row.against.difference.half_width if row.against else 0.0)


def alike(effect: Effect) -> bool:
    """Whether an order is shown to be within a point of the reference everywhere."""
    return len(effect.of(NO_DIFFERENCE)) == len(effect.rows)
