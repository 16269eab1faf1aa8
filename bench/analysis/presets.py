"""What one's own vectors get under each system's defaults, and how much the order matters there."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bench.analysis import stats
from bench.analysis.setting import samples_by_setting
from bench.analysis.stats import Estimate
from bench.indexes.presets import Preset
from bench.study.presets import Search
from bench.study.store import Outcome


class UnderPreset(msgspec.Struct, frozen=True, kw_only=True):
    """One engine of ours at one system's parameters.

    builds: of each order. recalls: by order, best first. ties: what counting ties would add to recall, at most over the
    orders. spread: recall of the best order minus that of the
    worst, with an interval for all pairs of orders at once (Bonferroni), since which two are farthest apart
    is seen from the same builds; None with one order.
    """

    name: str
    system: str
    doubtful: str
    setting: dict[str, Any]
    builds: int
    recalls: dict[str, Estimate]
    ties: float
    spread: Estimate | None


def by_preset(
    outcomes: Iterable[tuple[str, Outcome]], asked: Mapping[str, Search], presets: Mapping[str, Preset]
) -> list[UnderPreset]:
    """An UnderPreset of every preset and engine, by engine, then best first in the order `random`, or the best one.

    outcomes: of one dataset and k. asked: the parameters that each preset came to.
    """
    rows, listed = [], list(outcomes)
    both = zip(samples_by_setting(listed), samples_by_setting(listed, ties=True), strict=True)
    for (setting, samples), (_, tied) in both:
        means = {order: stats.mean(sample) for order, sample in samples.items()}
        recalls = dict(sorted(means.items(), key=lambda item: -item[1].value))
        best, worst = next(iter(recalls)), next(reversed(recalls))
        spread = None
        if len(recalls) > 1:
            difference = stats.difference(samples[best], samples[worst])
            spread = stats.simultaneous(difference, len(recalls) * (len(recalls) - 1) // 2)
        for name, search in asked.items():
            if all(setting[field] == value for field, value in msgspec.structs.asdict(search).items()):
                rows.append(
                    UnderPreset(
                        name=name,
                        system=presets[name].system,
                        doubtful=presets[name].doubtful,
                        setting=setting,
                        builds=min(len(sample.recalls) for sample in samples.values()),
                        recalls=recalls,
                        ties=max(float(tied[order].recalls.mean()) - found.value for order, found in recalls.items()),
                        spread=spread,
                    )
                )
    return sorted(rows, key=lambda row: (row.setting["engine"], -_rank(row)))


def _rank(row: UnderPreset) -> float:
    return row.recalls["random" if "random" in row.recalls else next(iter(row.recalls))].value
