"""What to make of a comparison: what the file's order costs, which order is best, or that order does not matter."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from bench.analysis import stats
from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE, Summary, Verdict

GIVEN = "given"


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """An order against the reference, over the settings of an experiment.

    order: its label.
    verdicts: in every setting that it was compared in.
    most: the setting in which its effect is largest: of those that show it better, worse or no different, in this
        sequence for the best order, and worse first for any other.
    """

    order: str
    verdicts: list[str]
    most: Summary

    def count(self, verdict: str) -> int:
        """In how many settings this is the verdict."""
        return self.verdicts.count(verdict)


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of one experiment.

    reference: the order that others are compared with, by its label.
    orders: all that there are, by label.
    settings: how many there are in which orders are compared.
    compared: how many comparisons these are.
    differ: in how many of them an order is better or worse than the reference, setting by setting.
    shown: whether any of these is so beyond chance among all settings: its p times their number is below 5 %.
    given: the order of the file, where it was compared.
    best: the order of the highest mean recall over settings, of those that are better than the reference somewhere,
        beyond chance.
    worst: that of the lowest, of those that are worse.
    bound: the largest difference that no interval excludes.
    builds_needed: the most that any undecided comparison needs; None where nothing is undecided, or where builds alone
        do not settle all.
    undecided: comparisons that are.
    """

    experiment: str
    reference: str
    orders: list[str]
    settings: int
    compared: int
    differ: int
    shown: bool
    given: Effect | None
    best: Effect | None
    worst: Effect | None
    bound: float
    builds_needed: int | None
    undecided: int


def advise(summaries: Sequence[Summary], reference: str = "random") -> list[Advice]:
    """An Advice of every experiment, in the sequence of the summaries."""
    by_experiment = groupby(summaries, key=lambda row: row.setting.experiment)
    return [_advice(experiment, list(rows), reference) for experiment, rows in by_experiment]


def _advice(experiment: str, rows: Sequence[Summary], reference: str) -> Advice:
    compared = [row for row in rows if row.against]
    by_order: dict[str, list[Summary]] = {}
    for row in compared:
        by_order.setdefault(row.order, []).append(row)
    ranked = sorted(by_order, key=lambda order: -_mean_difference(by_order[order]))
    settings = len({row.setting for row in compared})
    verdicts = [row.against for row in compared if row.against]

    def beyond_chance(verdict: Verdict) -> bool:
        return verdict.verdict in (BETTER, WORSE) and verdict.p * settings < 1 - stats.CONFIDENCE

    def found(orders: Iterable[str], wanted: str) -> str | None:
        """The first order that is better, or worse, than the reference beyond chance somewhere."""
        for order in orders:
            for row in by_order[order]:
                if row.against and row.against.verdict == wanted and beyond_chance(row.against):
                    return order
        return None

    best, worst = found(ranked, BETTER), found(reversed(ranked), WORSE)
    undecided = [verdict for verdict in verdicts if verdict.verdict == UNDECIDED]
    return Advice(
        experiment=experiment,
        reference=reference,
        orders=sorted({row.order for row in rows}),
        settings=settings,
        compared=len(compared),
        differ=sum(verdict.verdict in (BETTER, WORSE) for verdict in verdicts),
        shown=any(map(beyond_chance, verdicts)),
        given=_effect(by_order[GIVEN], (WORSE, BETTER)) if GIVEN in by_order else None,
        best=_effect(by_order[best], (BETTER,)) if best else None,
        worst=_effect(by_order[worst], (WORSE,)) if worst else None,
        bound=max((max(abs(v.difference.low), abs(v.difference.high)) for v in verdicts), default=0.0),
        builds_needed=_most([verdict.builds_needed for verdict in undecided]),
        undecided=len(undecided),
    )


def _most(builds: Sequence[int | None]) -> int | None:
    """The largest of these numbers; None where one is not known, or there is none."""
    known = [number for number in builds if number]
    return max(known) if known and len(known) == len(builds) else None


def _mean_difference(rows: Sequence[Summary]) -> float:
    return sum(row.against.difference.value for row in rows if row.against) / len(rows)


def _effect(rows: Sequence[Summary], verdicts: Sequence[str]) -> Effect:
    """The effect of one order; where it is largest is looked for among these verdicts first."""
    for wanted in (*verdicts, UNDECIDED, NO_DIFFERENCE):
        shown = [row for row in rows if row.against and row.against.verdict == wanted]
        if shown:
            break
    most = max(shown, key=lambda row: abs(row.against.difference.value) if row.against else 0.0)
    return Effect(order=most.order, verdicts=[row.against.verdict for row in rows if row.against], most=most)
