"""What the order of whole categories does, as tables."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.categories import Permuted
from bench.analysis.setting import split
from bench.labels import listed
from bench.present.advice import of_permutations
from bench.present.text import Layout, by_setting, heading, plain, points, title

HEADER = (
    *("permutations", "seeds", "lowest", "median", "highest", "range, points", "noise alone", "one build each"),
    *("found again, points", "sd permutations", "sd seeds"),
)
_WRITTEN_OUT = 10  # labels, which have 3,628,800 permutations
FEW = (*("permutations", "seeds", "lowest", "highest"), *("range", "noise alone", "found again"))
NOTE = (
    "lowest, highest: recall by id of the permutations, each a mean over its seeds (levels, and the sequence of rows"
    " within categories). range: highest minus lowest, in points; noise alone: the range to expect if the permutation"
    " did not matter, from the spread of builds of one permutation{}. found again: what the best and worst differ by"
    " when they are picked by other seeds on other queries than they are measured with, and its 95 % interval over"
    " builds and queries: the difference without the luck of the draw."
)
MORE = (
    " one build each: the range with a single build a permutation, mean over seeds, and what of it noise would give."
    " sd: of recall in points, between permutations without noise, and between builds of one."
)


def permuted_text(rows: Sequence[Permuted], layout: Layout) -> str:
    """A table an experiment, of how much permutations differ, and which ones are the extremes."""
    return "\n\n".join(
        _experiment_text(experiment, list(group), layout)
        for experiment, group in groupby(rows, key=lambda row: row.experiment)
    )


def _experiment_text(experiment: str, rows: Sequence[Permuted], layout: Layout) -> str:
    settings = [row.setting for row in rows]
    common, varying = split(settings)
    note = NOTE.format(", and what one in 20 such studies would exceed") + MORE if layout.wide else NOTE.format("")
    if any(row.seeds < 2 for row in rows):
        note += " One seed cannot show what is noise: run two at least."
    figures, header = ([_figures(row) for row in rows], HEADER) if layout.wide else ([_few(row) for row in rows], FEW)
    extremes = [
        f"{', '.join(filter(None, (heading(row.setting, varying), which)))} ({recall:.4f}): "
        + plain(listed(permutation))
        for row in rows
        for which, recall, permutation in (("best", row.highest, row.best), ("worst", row.lowest, row.worst))
    ]
    parts = [
        layout.note(f"{experiment}: permutations of categories, {title(common)}"),
        by_setting(layout, settings, varying, header, figures, 0),
        layout.what_now([of_permutations(rows, varying)]),
        layout.note(note),
        layout.note("\n".join(extremes)),
    ]
    return "\n\n".join(parts)


def _few(row: Permuted) -> list[Any]:
    """The figures that fit a terminal."""
    again = "" if row.found_again is None else points(row.found_again)
    return [
        _count(row),
        row.seeds,
        f"{row.lowest:.4f}",
        f"{row.highest:.4f}",
        _points(row.range),
        _points(row.noise_range),
        again,
    ]


def _figures(row: Permuted) -> list[Any]:
    again = ""
    if row.found_again is not None:
        again = points(row.found_again)
    return [
        _count(row),
        row.seeds,
        *(f"{value:.4f}" for value in (row.lowest, row.median, row.highest)),
        _points(row.range),
        "" if math.isnan(row.noise_range) else f"{_points(row.noise_range)} (95 %: {_points(row.noise_range_95)})",
        _points(row.one_build_range)
        + ("" if math.isnan(row.noise_range) else f" (noise: {_points(row.one_build_noise)})"),
        again,
        _points(row.sd_permutations),
        _points(row.sd_seeds),
    ]


def _count(row: Permuted) -> str:
    """How many permutations of how many; of many labels as a factorial, which is no number to read."""
    return f"{row.permutations:,} of {f'{row.labels}!' if row.labels > _WRITTEN_OUT else f'{row.possible:,}'}"


def _points(recall: float) -> str:
    return "" if math.isnan(recall) else f"{100 * recall:.2f}"
