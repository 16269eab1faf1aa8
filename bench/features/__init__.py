"""One folder per feature: what it runs, how it judges, what it says. Features do not import each other.

A feature that adds to the results of an experiment has a `Section`, and a line in `SECTIONS`.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.present.section import Section

SECTIONS = (
    "bench.features.presets.presets_section",
    "bench.features.categories.permutations_section",
    "bench.features.rankings.rankings_section",
)


@cache
def sections() -> "tuple[Section, ...]":
    """Return what features add to results; their modules are imported when this is first called."""
    return tuple(import_module(name).SECTION for name in SECTIONS)
