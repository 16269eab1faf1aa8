"""The survey of systems' HNSW defaults, read from presets.toml in this folder."""

import math
import statistics
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from bench.convert import read_toml
from bench.errors import BenchError, unknown

ALL = "all"
SURVEYED = ("M", "ef_construction", "ef_search")


class TimesK(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ef_search that depends on k: times_k · k, rounded up, at least `least` and at most `most`."""

    times_k: float
    least: int = 1
    most: int | None = None

    def __str__(self) -> str:
        rule = "k" if self.times_k == 1 else f"{self.times_k:g} k"
        rule += f", at least {self.least}" if self.least > 1 else ""
        return rule + (f", at most {self.most:,}" if self.most else "")


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One system's defaults, None if its source does not state them; see the head of presets.toml.

    doubtful: why the row should not be leaned on, or empty.
    """

    system: str
    source: str
    version: str
    M: int | None = None
    ef_construction: int | None = None
    ef_search: int | Literal["ef_construction"] | TimesK | None = None
    metric: str | None = None
    note: str = ""
    doubtful: str = ""

    @property
    def unstated(self) -> list[str]:
        """Which of M, ef_construction and ef_search are not stated."""
        return [name for name in SURVEYED if getattr(self, name) is None]

    def ef_search_at(self, k: int) -> int:
        """Return the ef_search for k neighbours, which may be below k. Raises ValueError if it is not stated."""
        rule = self.ef_construction if self.ef_search == "ef_construction" else self.ef_search
        if rule is None or isinstance(rule, str):
            raise ValueError(f"{self.system} states no ef_search")
        if isinstance(rule, int):
            return rule
        wanted = max(math.ceil(rule.times_k * k), rule.least)
        return wanted if rule.most is None else min(wanted, rule.most)


@cache
def presets() -> dict[str, Preset]:
    """Every surveyed system by the name that `--preset` takes."""
    return read_toml(Path(__file__).parent / "presets.toml", dict[str, Preset])


def chosen(name: str) -> dict[str, Preset]:
    """The preset of that name, or under `all` every one that states what a build and a search need."""
    known = presets()
    if name == ALL:
        return {name: preset for name, preset in known.items() if not preset.unstated}
    if name not in known:
        raise unknown("preset", name, [*known, ALL])
    preset = known[name]
    if preset.unstated:
        stated = " ".join(
            f"--{option.replace('_', '-')} {getattr(preset, option)}"
            for option in SURVEYED
            if option not in preset.unstated
        )
        raise BenchError(
            f"preset {name!r} states no {' or '.join(preset.unstated)}: give {stated} and your own instead of --preset"
        )
    return {name: preset}


def medians() -> dict[str, float]:
    """Return medians over the systems of M, ef_construction and ef_search, from stated numbers independent of k."""
    by_name = {}
    for name in SURVEYED:
        values = [
            preset.ef_construction if getattr(preset, name) == "ef_construction" else getattr(preset, name)
            for preset in presets().values()
        ]
        by_name[name] = float(statistics.median(value for value in values if isinstance(value, int)))
    return by_name
