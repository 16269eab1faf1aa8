"""From a probe to what a study will take and what it can show."""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from bench.statistics import power
from bench.statistics.sample import independent
from bench.study.plan import Probe
from bench.study.spec.study import Study
from bench.study.trial import Index, Trial


class PlanLine(Index, frozen=True, kw_only=True):
    """An index on one dataset with one search: builds and their expected seconds, and what their number can show.

    builds: that are missing.
    seconds_a_build: expected of one, without its searches.
    detectable: the smallest difference in recall between two orders that is shown with power 80 %; None if there is
        none, as with a single build. Measured on a part of the data: an order of magnitude, not a promise.
    """

    dataset: str
    ef_search: int
    k: int
    builds: int
    seconds_a_build: float
    detectable: float | None


class Plan(msgspec.Struct, frozen=True):
    """The time, size and power that a study is expected to have.

    outcomes: in all.
    missing: of these, not in the store yet.
    builds: that the missing ones take.
    seconds: expected of the builds and their searches.
    ladder: how many of the outcomes are of the reference's ladder, which no line is about.
    """

    outcomes: int
    missing: int
    builds: int
    seconds: float
    lines: list[PlanLine]
    ladder: int = 0


def planned(study: Study, missing: Sequence[Trial], probes: Sequence[Probe], jobs: int = 1) -> Plan:
    """The Plan of a study whose `missing` trials, of `study.with_ladder`, are to be run, `jobs` builds side by side."""
    repeats = len(study.experiment.seeds)
    comparisons = max(len(orders) - 1 for orders in study.orders.values()) or 1
    lines, seconds = [], 0.0
    own = set(study.experiment.searches)
    searches_of = Counter((probe.dataset, probe.index) for probe in probes if (probe.ef_search, probe.k) in own)
    for probe in probes:
        same = [t for t in missing if (t.data.dataset, t.index) == (probe.dataset, probe.index)]
        searched = sum((t.search.ef_search, t.search.k) == (probe.ef_search, probe.k) for t in same)
        builds = len({trial.build for trial in same})
        seconds += searched * probe.search_seconds
        if (probe.ef_search, probe.k) not in own:
            continue
        seconds += builds * probe.build_seconds / searches_of[probe.dataset, probe.index]
        groups = study.datasets[probe.dataset].query_groups
        random, other = (independent(recalls, probe.k, groups) for recalls in probe.recalls.values())
        expected, hit = power.planned(other, random, repeats), power.worth_of_a_hit(other, repeats)
        detectable = power.minimum_detectable_effect(expected.estimate, comparisons, hit, expected.known)
        lines.append(
            PlanLine(
                **msgspec.structs.asdict(probe.index),
                dataset=probe.dataset,
                ef_search=probe.ef_search,
                k=probe.k,
                builds=builds,
                seconds_a_build=probe.build_seconds,
                detectable=None if math.isnan(detectable) else detectable,
            )
        )
    return Plan(
        outcomes=len(study.with_ladder),
        missing=len(missing),
        builds=len({trial.build for trial in missing}),
        seconds=seconds / jobs,
        lines=lines,
        ladder=len(study.ladder),
    )
