"""How values, intervals, notes and tables are written: for a terminal of some width, or as Markdown."""

import io
import math
import shlex
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from tabulate import tabulate

from bench.errors import plain
from bench.statistics.intervals import Estimate, Interval

TIES_MATTER = 0.005  # half a point, by which orders may seem to differ
NARROWEST = 80  # columns that every table fits
MOST_ROWS = 30  # of a table that fits a screen
_WIDEST_NOTE = 100  # columns: a longer line is hard to read
_GAP = 2  # blanks between columns
_NARROWEST_TEXT = 12  # columns: figures are folded before names are folded further
_LONGEST_CELL = 100  # characters of a name, of which longer ones are cut

Cells = Sequence[Any]

Bounded = Estimate | Interval  # a value with `low` and `high`


class Layout(msgspec.Struct, frozen=True):
    """How tables are laid out.

    width: columns that lines may take.
    wide: whether tables have all their columns, as Markdown however wide, rather than the few that fit.
    brief: whether a short table replaces one of many rows.
    """

    width: int = NARROWEST
    wide: bool = False
    brief: bool = False

    def shortens(self, rows: int) -> bool:
        """Return whether a table of this many rows is left out."""
        return self.brief and not self.wide and rows > MOST_ROWS

    def note(self, text: str) -> str:
        """Text with every line of it wrapped, items of lists indented."""
        width = min(self.width, _WIDEST_NOTE)
        return "\n".join(line for text_line in plain(text, "\n").split("\n") for line in _wrapped(text_line, width))

    def what_now(self, sentences: Sequence[str]) -> str:
        """Return the conclusions from the results above it, as a list."""
        return self.note("\n".join(["What now:", *(f"- {sentence}" for sentence in sentences)]))

    def table(self, header: Sequence[str], rows: Sequence[Cells], left: int) -> str:
        """Return a table with its first `left` columns left-aligned and cells folded if they do not fit."""
        if self.wide:
            return pipe(rows, header, left)
        return self.sections(header, [("", rows)], left)

    def sections(self, header: Sequence[str], sections: Sequence[tuple[str, Sequence[Cells]]], left: int) -> str:
        """A table of rows below headings, an empty one for none, for a terminal."""
        cut = [(heading, [[_short(cell) for cell in row] for row in rows]) for heading, rows in sections]
        widths = _widths([list(header), *(row for _, rows in cut for row in rows)], left, self.width)
        parts = [_grid([list(header), ["-" * width for width in widths]], widths, left)]
        for heading, rows in cut:
            parts += [self.note(heading)] if heading else []
            parts.append(_grid(rows, widths, left))
        return "\n".join(parts)


def _widths(rows: Sequence[Sequence[str]], left: int, width: int) -> list[int]:
    """How wide every column is: as its cells, or less so that all fit, those to the left first."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        foldable = [column for column in range(left) if widths[column] > _NARROWEST_TEXT] or range(len(widths))
        widths[max(foldable, key=lambda column: widths[column])] -= 1
    return widths


def _grid(rows: Sequence[Sequence[str]], widths: Sequence[int], left: int) -> str:
    """Rows in columns of these widths, cells folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, _GAP, 0, 0))
    for place, width in enumerate(widths):
        grid.add_column(width=width, justify="left" if place < left else "right", overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    out = io.StringIO()
    total = sum(widths) + _GAP * len(widths)
    Console(file=out, width=total, color_system=None, legacy_windows=False).print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _wrapped(line: str, width: int) -> list[str]:
    """Wrap a line at `width` columns; the later lines of a list's item are indented."""
    from rich.console import Console
    from rich.text import Text

    item = line[:2] in ("- ", "* ")
    mark, text = (line[:2], line[2:]) if item else ("", line)
    wrapped = Text(text).wrap(Console(file=io.StringIO(), width=width), width - len(mark), overflow="fold")
    lines = [part.plain.rstrip() for part in wrapped] or [""]
    return [mark + lines[0], *(" " * len(mark) + part for part in lines[1:])]


def _short(cell: Any) -> str:
    text = plain(cell)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def with_interval(value: Bounded | None, form: str = ".4f", factor: float = 1) -> str:
    """Return a value with its interval, as `0.9120 [0.9080, 0.9160]`; the value alone if it has none.

    Nothing for None and NaN. factor: 100 for points and percents.
    """
    if value is None or math.isnan(value.value):
        return ""
    middle, low, high = (f"{factor * number:{form}}" for number in (value.value, value.low, value.high))
    return middle if math.isnan(value.low) else f"{middle} [{low}, {high}]"


def points(difference: Bounded) -> str:
    """Return a difference in points, with its interval if it has one."""
    return with_interval(difference, "+.2f", 100)


def number(value: float, form: str, factor: float = 1) -> str:
    """Return a number in a format, or an empty text for NaN."""
    return "" if math.isnan(value) else form.format(factor * value)


def p_value(p: float) -> str:
    """Return a p value, or an empty text for NaN."""
    return "< 0.001" if p < 0.001 else number(p, "{:.3f}")


def pipe(lines: Sequence[Cells], header: Sequence[str], left: int) -> str:
    """A Markdown table, its first `left` columns to the left."""
    alignment = ["left"] * left + ["right"] * (len(header) - left)
    escaped = [[plain(cell).replace("|", r"\|") for cell in line] for line in (header, *lines)]
    return str(tabulate(escaped[1:], escaped[0], tablefmt="pipe", disable_numparse=True, colalign=alignment))


def title(fields: Mapping[str, Any]) -> str:
    """Return the title of a table: the values that all of its rows share."""
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def heading(setting: Mapping[str, Any], varying: Sequence[str]) -> str:
    """A setting by its fields that vary: a dataset and an engine need no word for what they are."""
    named = [name for name in varying if setting.get(name, "") != ""]
    return ", ".join(
        str(setting[name]) if name in ("dataset", "engine") else f"{name} {setting[name]}" for name in named
    )


def by_setting(
    layout: Layout,
    settings: Sequence[Mapping[str, Any]],
    varying: Sequence[str],
    header: Sequence[str],
    rows: Sequence[Cells],
    left: int,
) -> str:
    """A table of rows, each of a setting: below headings of what varies, or with a column for each where all are shown.

    left: columns of `header` that stand to the left.
    """
    if layout.wide:
        lines = [[*cells, *row] for cells, row in zip(without_repeats(settings, varying), rows, strict=True)]
        return layout.table([*varying, *header], lines, len(varying) + left)
    pairs = list(zip([heading(setting, varying) for setting in settings], rows, strict=True))
    sections = [
        (name + ":" if name else "", [row for _, row in of_one])
        for name, of_one in groupby(pairs, key=lambda pair: pair[0])
    ]
    return layout.sections(header, sections, left)


def without_repeats(settings: Sequence[Mapping[str, Any]], varying: Sequence[str]) -> list[list[Any]]:
    """Return the cells of each row for the fields that vary; empty if the row above has the same value."""
    rows = [cells(setting, varying) for setting in settings]
    above = [[], *rows[:-1]]
    return [["" if row == before else value for value in row] for row, before in zip(rows, above, strict=True)]


def cells(setting: Mapping[str, Any], varying: Sequence[str]) -> list[Any]:
    """A setting's cells for the fields that vary, empty for those that it has not."""
    return [setting.get(name, "") for name in varying]


def ties_note(gained: float, experiment: str) -> str:
    """Return a note if counting ties adds enough to recall to decide between orders."""
    return (
        f"TIES DECIDE: counting rows as near as the k-th adds up to {100 * gained:.1f} points. Among equal rows"
        " exact search names those that come first in the file, so recall by id flatters `given`: compare with"
        f" `bench table {shlex.quote(experiment)} --ties`."
    )
