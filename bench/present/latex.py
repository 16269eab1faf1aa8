"""Summaries as LaTeX tables for a paper, by booktabs."""

import re
from itertools import groupby

from tabulate import tabulate

from bench.analysis.findings import Findings
from bench.analysis.setting import split
from bench.errors import BenchError, plain
from bench.present.summary import table
from bench.present.text import title, without_repeats

# Of the columns of a wide table, those that a page has room for
COLUMNS = ("order", "builds", "recall", "verdict", "equals ef", "misses removed, %")


def latex(findings: Findings) -> str:
    """Return one table per experiment and one row per order, best first; values that all rows share are the caption."""
    if not findings.summaries:
        raise BenchError("LaTeX has tables of orders compared, and these results compare none: export csv")
    tables = []
    by_experiment = groupby(findings.summaries, key=lambda row: row.setting.experiment)
    for advice, (experiment, of_one) in zip(findings.advice, by_experiment, strict=True):
        rows = list(of_one)
        settings = [row.setting.fields for row in rows]
        common, varying = split(settings)
        header, lines = table(advice, rows)
        shown = [name for name in header if name in COLUMNS or name.startswith("vs ")]
        cells = [
            [
                plain(cell)
                for cell in (*setting, *(value for name, value in zip(header, line, strict=True) if name in shown))
            ]
            for setting, line in zip(without_repeats(settings, varying), lines, strict=True)
        ]
        body = tabulate(cells, [*varying, *shown], tablefmt="latex_booktabs", disable_numparse=True)
        body = re.sub(r"^(\s*)([\[*])", r"\1{}\2", body, flags=re.MULTILINE)  # which else belongs to the \\\\ before it
        caption = tabulate([[f"{experiment}: {title(common)}"]], tablefmt="latex", disable_numparse=True)
        text = caption.split("\\hline")[1].strip().removesuffix("\\\\").strip()
        tables.append(f"\\begin{{table}}\n\\centering\n\\caption{{{text}}}\n{body}\n\\end{{table}}\n")
    return "\n".join(tables)
