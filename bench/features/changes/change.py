"""Changes between two sets of outcomes, two studies or a baseline and a run, by setting and order.

Outcomes are of one line where they share data, index parameters, order and search, whatever built them: a version, a
machine or our own code may be what differs.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec
import numpy as np

from bench.analysis.setting import fields_of, natural, sample_of
from bench.analysis.summary import BETTER, NO_DIFFERENCE, UNDECIDED, WORSE
from bench.errors import BenchError
from bench.statistics import intervals, power
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample, seeds_of
from bench.study.baseline import comparable
from bench.study.order_labels import labels_of
from bench.study.trial import Order, Trial, changed

SAME = "bit-exact"


class Measured(Protocol):
    """An outcome of a store or of a baseline."""

    @property
    def trial(self) -> Trial: ...
    @property
    def hits(self) -> np.ndarray: ...
    @property
    def ids_sha256(self) -> str: ...


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One order in one setting, then and now.

    fields: of the setting, as tables show it. order: its label.
    builds: then, and now; only shared seeds if one side has all seeds of the other.
    same_ids: how many of now return the ids that the same seeds returned then.
    before, after: mean recall.
    difference: after minus before, on the same queries, with an interval that holds for all lines at once.
    p: of it, adjusted for the number of lines (Bonferroni).
    verdict: `better` or `worse` where p < 0.05, `bit-exact` where all builds of now return the ids of then, else
        `no difference shown` where the interval lies within ± 1 point, else `undecided`.
    """

    fields: dict[str, Any]
    order: str
    builds: tuple[int, int]
    same_ids: int
    before: Estimate
    after: Estimate
    difference: Estimate
    p: float
    verdict: str


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that two sets of outcomes share, and the number of lines that only one of them has."""

    lines: list[Change]
    only_before: int
    only_after: int


def changes(before: Iterable[Measured], after: Iterable[Measured]) -> Changes:
    """The Changes from one set of outcomes to another, in the sequence of tables.

    Raises BenchError if one side has builds of the same line by several versions.
    """
    then, now = _lines(before), _lines(after)
    shared = [line for line in then if line in now]
    names = labels_of({line.order for line in shared})
    lines = [_change(line, names, then[line], now[line], len(shared)) for line in shared]
    return Changes(
        lines=sorted(lines, key=lambda line: natural([*line.fields.values(), line.order])),
        only_before=len(then) - len(shared),
        only_after=len(now) - len(shared),
    )


_SHARED = {
    "data": "data (vectors, queries, labels, metric)",
    "index": "index (engine and parameters)",
    "order": "order",
    "search": "search (k, ef_search)",
}


def not_shared(before: Iterable[Measured], after: Iterable[Measured]) -> list[str]:
    """Return the fields in which two sets of outcomes have no value in common, in words."""
    then, now = _lines(before), _lines(after)
    return [
        words
        for part, words in _SHARED.items()
        if not {getattr(line, part) for line in then} & {getattr(line, part) for line in now}
    ]


def _lines(outcomes: Iterable[Measured]) -> dict[Trial, dict[tuple[int, int], Measured]]:
    """Return outcomes by trial without its seeds, then by seeds."""
    lines: dict[Trial, dict[tuple[int, int], Measured]] = defaultdict(dict)
    for outcome in outcomes:
        seeds = outcome.trial.seeds
        line = changed(comparable(outcome.trial), order_seed=0, build_seed=0, dataset="")
        first = next(iter(lines[line].values()), outcome)
        if outcome.trial.provenance != first.trial.provenance:
            raise BenchError(
                f"{outcome.trial.data.dataset}, {outcome.trial.index.engine}: one side has builds by several versions"
                " of the engine or the harness; measure each into a --store of its own, and compare the two"
            )
        lines[line][seeds.order_seed, seeds.build_seed] = outcome
    return lines


def _change(
    line: Trial,
    names: Mapping[Order, str],
    then: Mapping[tuple[int, int], Measured],
    now: Mapping[tuple[int, int], Measured],
    lines: int,
) -> Change:
    dataset = next(iter(now.values())).trial.data.dataset  # its fingerprint is the same, whatever a file is called
    # The same seeds may give nearly the same graph: paired, that is sharper, and holds where they do not. Builds that
    # only the larger side has are left out for it.
    shared = then.keys() & now.keys()
    if len(shared) == min(len(then), len(now)):
        then, now = ({seeds: outcome for seeds, outcome in side.items() if seeds in shared} for side in (then, now))
    grouped = (getattr(outcome, "query_groups", None) for outcome in (*then.values(), *now.values()))
    groups = next((of_one for of_one in grouped if of_one is not None), None)  # which a baseline does not have
    before, after = _sample(then.values(), groups), _sample(now.values(), groups)
    paired = set(seeds_of(before)) == set(seeds_of(after))
    difference = (intervals.paired_difference if paired else intervals.difference)(after, before)
    same = sum(seeds in then and outcome.ids_sha256 == then[seeds].ids_sha256 for seeds, outcome in now.items())
    p = min(intervals.p_value(difference) * lines, 1.0)
    at_once = intervals.simultaneous(difference, lines)
    return Change(
        fields=fields_of(line.setting) | {"dataset": dataset},
        order=names[line.order],
        builds=(len(then), len(now)),
        same_ids=same,
        before=intervals.mean(before),
        after=intervals.mean(after),
        difference=at_once,
        p=p,
        verdict=SAME if same == len(now) else _verdict(at_once, p),
    )


def _sample(outcomes: Iterable[Measured], groups: np.ndarray | None) -> Sample:
    listed = list(outcomes)
    k = listed[0].trial.search.k
    return sample_of([outcome.hits / k for outcome in listed], [outcome.trial for outcome in listed], groups)


def _verdict(difference: Estimate, p: float) -> str:
    if p < 1 - intervals.CONFIDENCE:
        return BETTER if difference.value > 0 else WORSE
    if difference.low > -power.MARGIN and difference.high < power.MARGIN:
        return NO_DIFFERENCE
    return UNDECIDED
