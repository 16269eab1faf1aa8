"""From a probe to what a study will take and what it can show."""

from collections.abc import Sequence

import msgspec

from bench.analysis import power, stats
from bench.study.plan import Probe
from bench.study.study import Study
from bench.study.trial import Trial


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Of one dataset, index and search: builds and their expected seconds, and what their number can show.

    detectable: the smallest difference between two orders that would be found with power 80 %, in recall; None
    from a single build. Probed on a part of the data, so an order of magnitude, not a promise.
    """

    dataset: str
    engine: str
    M: int
    ef_construction: int
    ef_search: int
    k: int
    builds: int
    seconds_a_build: float
    detectable: float | None


class Plan(msgspec.Struct, frozen=True):
    """outcomes: asked in all; missing: not in the store yet; builds: that these take; seconds: expected of them."""

    outcomes: int
    missing: int
    builds: int
    seconds: float
    lines: list[Line]


def planned(study: Study, missing: Sequence[Trial], probes: Sequence[Probe], jobs: int = 1) -> Plan:
    """The Plan of a study whose `missing` trials are to be run, `jobs` builds side by side."""
    repeats = len(study.experiment.seeds)
    comparisons = max(len(orders) - 1 for orders in study.orders.values()) or 1
    lines, seconds = [], 0.0
    builds = {trial.build for trial in missing}
    for found in probes:
        of_index = msgspec.structs.asdict(found.index) | {"dataset": found.dataset}
        of_dataset = [t for t in missing if all(getattr(t, field) == value for field, value in of_index.items())]
        searched = sum((trial.ef_search, trial.k) == (found.ef_search, found.k) for trial in of_dataset)
        built = len({trial.build for trial in of_dataset})
        seconds += searched * found.search_seconds + built * found.build_seconds / len(study.experiment.searches)
        random, other = (stats.independent(recalls) for recalls in found.recalls.values())
        estimate = power.planned(other, random, repeats)
        detectable = None if repeats < 2 else power.minimum_detectable_effect(estimate, comparisons)
        lines.append(
            Line(
                dataset=found.dataset,
                engine=found.index.engine,
                M=found.index.M,
                ef_construction=found.index.ef_construction,
                ef_search=found.ef_search,
                k=found.k,
                builds=built,
                seconds_a_build=found.build_seconds,
                detectable=detectable,
            )
        )
    return Plan(len(study.trials), len(missing), len(builds), seconds / jobs, lines)
