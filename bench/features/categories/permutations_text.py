"""Tables of the effect of the order of whole categories."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.setting import split
from bench.errors import plain
from bench.features.categories.permutations import Permuted
from bench.labels import listed
from bench.present.effects import bracketed
from bench.present.text import Layout, by_setting, heading, number, p_value, title, with_interval
from bench.statistics.intervals import CONFIDENCE

HEADER = (
    *("permutations", "seeds", "lowest", "median", "highest", "range, points", "by luck", "true sd, points"),
    *("true range, points", "F", "p"),
)
FEW = ("permutations", "seeds", "range", "by luck", "true range", "F", "p")
_WRITTEN_OUT = 10  # labels, which have 3,628,800 permutations
NOTE = (
    "range: recall by id of the best permutation minus the worst, in points, each a mean over its seeds (levels, and"
    " the sequence of rows within categories). by luck: the range to expect if permutations did not matter, by the draw"
    " of builds and of queries. true range: what so many permutations span without that luck, for queries like these,"
    " with its 95 % interval. F: variance of the permutations' means over that of luck; p: adjusted for the settings"
    " (Holm)."
)
FEW_SEEDS = 5
OF_FEW_SEEDS = (
    f" With fewer than {FEW_SEEDS} seeds p can be too small if builds fall apart: it was below 0.05 in up to 7 % of"
    f" studies of permutations that do not matter. Give {FEW_SEEDS} seeds (`build_seeds = {FEW_SEEDS}`)."
)
MORE = (
    " true sd: the standard deviation without luck; the true range is the mean range of as many normal draws with it."
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
        layout.note(NOTE + OF_FEW_SEEDS * (min(row.seeds for row in rows) < FEW_SEEDS) + MORE * layout.wide),
        layout.note("\n".join(extremes)),
    ]
    return "\n\n".join(parts)


def _few(row: Permuted) -> list[Any]:
    """The figures that fit a terminal."""
    return [_count(row), row.seeds, *_ranges(row), with_interval(row.true_range, ".2f", 100), *_test(row)]


def _figures(row: Permuted) -> list[Any]:
    recalls = [f"{value:.4f}" for value in (row.lowest, row.median, row.highest)]
    return [
        _count(row),
        row.seeds,
        *recalls,
        *_ranges(row),
        with_interval(row.sd, ".2f", 100),
        with_interval(row.true_range, ".2f", 100),
        *_test(row),
    ]


def _count(row: Permuted) -> str:
    """How many permutations of how many; of many labels as a factorial, which is no number to read."""
    return f"{row.permutations:,} of {f'{row.labels}!' if row.labels > _WRITTEN_OUT else f'{row.possible:,}'}"


def _ranges(row: Permuted) -> list[str]:
    return [number(value, "{:.2f}", 100) for value in (row.range, row.range_by_luck)]


def _test(row: Permuted) -> list[str]:
    return [number(row.f, "{:.2f}"), p_value(row.p)]


def of_permutations(rows: Sequence[Permuted], varying: Sequence[str]) -> str:
    """Return whether the order of whole categories is shown to matter, and the true range of permutations."""
    tested = [row for row in rows if not math.isnan(row.p)]
    if not tested:
        return "With one seed or one query, chance cannot be estimated; use at least two of each."
    shown = [row for row in tested if row.p < 1 - CONFIDENCE]
    if not shown:
        row = max(tested, key=lambda row: row.true_range.high)
        return (
            "Permutations of categories are not shown to differ: load categories in any order. A true range of"
            f" {100 * row.true_range.high:.2f} points is not excluded{bracketed(row.setting, varying)}."
        )
    row = max(shown, key=lambda row: row.true_range.value)
    value, low, high = (100 * end for end in row.true_range.ends)
    share = f" in {len(shown)} of {len(tested)} settings" if len(tested) > 1 else ""
    most = ", where it is most" if len(shown) > 1 else ""
    return (
        f"Permutations of categories differ{share}: {row.permutations:,} truly span about {value:.2f}"
        f" [{low:.2f}, {high:.2f}] points of recall{most}{bracketed(row.setting, varying)}. Luck has a part in which"
        " one is best: build those near it again, with more seeds, before you choose."
    )
