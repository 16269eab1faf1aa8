"""What the order of whole categories does, as tables."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.categories import Permuted
from bench.present.text import pipe

SETTING = ("dataset", "engine", "M", "ef_construction", "k", "ef_search")
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
        f"{experiment}: permutations of categories\n\n{_experiment_text(list(group))}"
        for experiment, group in groupby(rows, key=lambda row: row.experiment)
    )


def _experiment_text(rows: Sequence[Permuted]) -> str:
    figures = [[*_setting(row), *_figures(row)] for row in rows]
    extremes = [
        [*_setting(row), which, recall, permutation.replace("+", ", ")]
        for row in rows
        for which, recall, permutation in (
            ("best", f"{row.highest:.4f}", row.best),
            ("worst", f"{row.lowest:.4f}", row.worst),
        )
    ]
    note = NOTE
    if any(row.seeds < 2 for row in rows):
        note += " From one seed nothing can be told from noise: run two at least."
    tables = [
        pipe(figures, [*SETTING, *HEADER], len(SETTING)),
        note,
        pipe(extremes, [*SETTING, "", "recall", "permutation"], len(SETTING) + 3),
    ]
    return "\n\n".join(tables)


def _setting(row: Permuted) -> list[Any]:
    return [row.setting[field] for field in SETTING]


def _figures(row: Permuted) -> list[Any]:
    again = ""
    if row.found_again is not None:
        found = [f"{100 * value:+.2f}" for value in (row.found_again.value, row.found_again.low, row.found_again.high)]
        again = f"{found[0]} [{found[1]}, {found[2]}]"
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
