"""The recall of the user's vectors under each system's defaults, and the effect of the order there."""

from collections.abc import Mapping, Sequence

import msgspec

from bench.analysis.setting import Outcomes, Setting, by_setting, labels, samples
from bench.indexes.presets import Preset
from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample
from bench.study.spec.preset_studies import Search


class UnderPreset(msgspec.Struct, frozen=True, kw_only=True):
    """One engine of bench with the parameters of one system.

    name, system, doubtful: of the preset.
    builds: of each order.
    recalls: by order's label, best first.
    ties: what counting ties would add to recall, at most over the orders.
    spread: recall of the best order minus that of the worst, with an interval for all pairs of orders at once
        (Bonferroni), since which two are farthest apart is seen from the same builds; None with one order.
    """

    name: str
    system: str
    doubtful: str
    setting: Setting
    builds: int
    recalls: dict[str, Estimate]
    ties: float
    spread: Estimate | None


def by_preset(outcomes: Outcomes, searches: Mapping[str, Search], presets: Mapping[str, Preset]) -> list[UnderPreset]:
    """An UnderPreset of every preset and engine, by engine, then best first in the order `random`, or the best one.

    outcomes: of one dataset and k. searches: the parameters that each preset came to.
    """
    listed = list(outcomes)
    names = labels(listed)
    rows = []
    for setting, by_order in by_setting(listed).items():
        by_name = {names[order]: sample for order, sample in samples(by_order).items()}
        tied = {names[order]: sample for order, sample in samples(by_order, ties=True).items()}
        recalls = dict(
            sorted(
                ((name, intervals.mean(sample)) for name, sample in by_name.items()), key=lambda item: -item[1].value
            )
        )
        for name, search in searches.items():
            if msgspec.structs.asdict(search).items() <= setting.fields.items():
                rows.append(
                    UnderPreset(
                        name=name,
                        system=presets[name].system,
                        doubtful=presets[name].doubtful,
                        setting=setting,
                        builds=min(len(sample.recalls) for sample in by_name.values()),
                        recalls=recalls,
                        ties=max(float(tied[order].recalls.mean()) - mean.value for order, mean in recalls.items()),
                        spread=_spread(by_name, list(recalls)),
                    )
                )
    return sorted(rows, key=lambda row: (row.setting.of.index.engine, -_rank(row)))


def _spread(by_name: Mapping[str, Sample], best_first: Sequence[str]) -> Estimate | None:
    """The best order minus the worst, for all pairs at once; None with one order."""
    orders = len(best_first)
    if orders < 2:
        return None
    difference = intervals.difference(by_name[best_first[0]], by_name[best_first[-1]])
    return intervals.simultaneous(difference, orders * (orders - 1) // 2)


def _rank(row: UnderPreset) -> float:
    return row.recalls["random" if "random" in row.recalls else next(iter(row.recalls))].value
