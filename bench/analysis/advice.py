"""Advice on a comparison: the cost of the file's order, the best order, or that the order does not matter."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from bench.analysis.best import Best, Effect, Samples, best_of, effects_of
from bench.analysis.setting import Setting
from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE, Summary
from bench.statistics import intervals, power
from bench.statistics.intervals import Estimate
from bench.statistics.power import Needed

GIVEN = "given"
LEAST_RECALL = 0.05  # below which no graph that is searched for its own rows stays


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The advice on one experiment.

    reference: the order that others are compared with, by its label; reference_option: as in Effect.
    metric: of the data, by which orders are made; METRIC if there are several.
    worth: the smallest gain in recall that is worth it.
    orders: all that there are, by label.
    settings: how many there are in which orders are compared.
    without_interval: in how many comparisons a single build, or query, gives none; they have no part in what follows.
    queries: the fewest of any setting.
    compared: comparisons with an interval.
    sure: how many of these are better or worse beyond chance among all settings.
    differ, undecided: how many are better or worse, and undecided, setting by setting.
    given: the order of the file, where it was compared.
    datasets: which order is best on each.
    worse: orders that are worse beyond chance somewhere and better nowhere, the lowest mean first.
    bound: the largest difference that 95 % intervals for all comparisons at once do not exclude.
    needed: the most builds, and queries, that any undecided comparison needs; None if nothing is undecided, or if that
        is not known of one.
    broken: settings in which hardly a neighbour is found, ties counted, whatever the order.
    """

    experiment: str
    reference: str
    reference_option: str | None
    metric: str
    worth: float
    orders: list[str]
    settings: int
    without_interval: int
    queries: int
    compared: int
    sure: int
    differ: int
    undecided: int
    given: Effect | None
    datasets: list[Best]
    worse: list[Effect]
    bound: float
    needed: Needed
    broken: list[Summary]

    @property
    def best(self) -> list[Effect]:
        """The best order of every dataset that has one."""
        return [of_one.effect for of_one in self.datasets if of_one.effect]

    @property
    def given_costs(self) -> bool:
        """Return whether the order of the file is shown to cost what it is worth to avoid, and to gain nowhere."""
        return bool(self.given and not self.given.surely(BETTER) and self.given.surely_by(WORSE, self.worth))


def advise(
    summaries: Sequence[Summary], samples: Samples, reference: str = "random", worth: float = power.MARGIN
) -> list[Advice]:
    """An Advice of every experiment, in the sequence of the summaries.

    samples: of the same outcomes, by which orders are compared with each other. worth: the smallest gain in recall that
    is worth it.
    """
    by_experiment = groupby(summaries, key=lambda row: row.setting.experiment)
    return [_advice(experiment, list(rows), samples, reference, worth) for experiment, rows in by_experiment]


def _advice(experiment: str, rows: Sequence[Summary], samples: Samples, reference: str, worth: float) -> Advice:
    compared = [row for row in rows if row.against]
    known = [row for row in compared if row.against and not math.isnan(row.against.difference.se)]
    settings = len({row.setting for row in known})
    effects = effects_of(known, settings)
    by_dataset: dict[str, list[Summary]] = {}
    for row in known:
        by_dataset.setdefault(row.setting.name, []).append(row)
    metrics = {row.setting.of.data.metric for row in rows}
    undecided = [row.against for row in known if row.against and row.against.verdict == UNDECIDED]
    return Advice(
        experiment=experiment,
        reference=reference,
        reference_option=next((row.option for row in rows if row.order == reference), None),
        metric=metrics.pop() if len(metrics) == 1 else "METRIC",
        worth=worth,
        orders=sorted({row.order for row in rows}),
        settings=len({row.setting for row in compared}),
        without_interval=len(compared) - len(known),
        queries=min((row.setting.of.data.queries for row in rows), default=0),
        compared=len(known),
        sure=sum(len(effect.sure) for effect in effects),
        differ=sum(row.against is not None and row.against.verdict in (BETTER, WORSE) for row in known),
        undecided=len(undecided),
        given=next((effect for effect in effects if effect.order == GIVEN), None),
        datasets=[best_of(of_one, samples, settings, worth) for of_one in by_dataset.values()],
        worse=[effect for effect in reversed(effects) if effect.surely(WORSE) and not effect.surely(BETTER)],
        bound=_bound(known),
        needed=_most([verdict.needed for verdict in undecided]),
        broken=_broken(rows),
    )


def _bound(rows: Sequence[Summary]) -> float:
    """The largest difference that intervals which hold for all comparisons at once do not exclude."""
    at_once = [intervals.simultaneous(row.against.difference, len(rows)) for row in rows if row.against]
    return max((max(abs(interval.low), abs(interval.high)) for interval in at_once), default=math.nan)


def _most(needed: Sequence[Needed]) -> Needed:
    """Return the builds and queries that settle all of them; None if that is not known of one, or if there is none."""
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


def widest(effect: Effect, comparisons: int) -> tuple[Summary, Estimate]:
    """The setting in which least is known of an order, with an interval that holds for so many comparisons at once."""
    undecided = [row for row in effect.rows if row.against and row.against.verdict == UNDECIDED]
    estimates = [
        (row, intervals.simultaneous(row.against.difference, comparisons))
        for row in undecided or effect.rows
        if row.against
    ]
    return max(estimates, key=lambda pair: pair[1].half_width)


def alike(effect: Effect) -> bool:
    """Return whether an order is shown to be as good as the reference everywhere, within what is worth it."""
    return all(row.against is not None and row.against.verdict == NO_DIFFERENCE for row in effect.rows)
