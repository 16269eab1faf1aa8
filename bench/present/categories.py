"""What the order of whole categories does, as tables."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.categories import Permuted
from bench.analysis.setting import split
from bench.present.text import cells, pipe, points, title

HEADER = (
    *("permutations", "seeds", "lowest", "median", "highest", "range, points", "noise alone", "one build each"),
    *("found again, points", "sd permutations", "sd seeds"),
)
NOTE = (
    "lowest, median, highest: recall by id of the permutations, each a mean over its seeds (levels, and the sequence"
    " of rows within categories). range: highest minus lowest; noise alone: the range to expect if the permutation"
    " did not matter, from the spread of builds of one permutation, and what one in 20 such studies would exceed; one"
    " build each: the range with a single build a permutation, mean over seeds, and what of it noise would give. found"
    " again: what the best and worst differ by when they are picked by other seeds on other queries than they are"
    " measured with, and its 95 % interval over builds and queries: the difference without the luck of the draw. sd: of"
    " recall in points, between permutations without noise, and between builds of one."
)


def permuted_text(rows: Sequence[Permuted]) -> str:
    """Two Markdown tables an experiment: how much permutations differ, and which ones are the extremes."""
    return "\n\n".join(
        _experiment_text(experiment, list(group)) for experiment, group in groupby(rows, key=lambda row: row.experiment)
    )


def _experiment_text(experiment: str, rows: Sequence[Permuted]) -> str:
    common, varying = split([row.setting for row in rows])
    figures = [[*cells(row.setting, varying), *_figures(row)] for row in rows]
    extremes = [
        [*cells(row.setting, varying), which, recall, ", ".join(permutation)]
        for row in rows
        for which, recall, permutation in (
            ("best", f"{row.highest:.4f}", row.best),
            ("worst", f"{row.lowest:.4f}", row.worst),
        )
    ]
    note = NOTE
    if any(row.seeds < 2 for row in rows):
        note += " One seed cannot show what is noise: run two at least."
    parts = [
        f"{experiment}: permutations of categories, {title(common)}",
        pipe(figures, [*varying, *HEADER], len(varying)),
        note,
        pipe(extremes, [*varying, "", "recall", "permutation"], len(varying) + 3),
    ]
    return "\n\n".join(parts)


def _figures(row: Permuted) -> list[Any]:
    again = ""
    if row.found_again is not None:
        again = points(row.found_again)
    return [
        f"{row.permutations:,} of {row.possible:,}",
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


def _points(recall: float) -> str:
    return "" if math.isnan(recall) else f"{100 * recall:.2f}"
