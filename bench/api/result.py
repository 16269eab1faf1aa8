"""Results of an experiment as pandas frames, Altair charts and a report."""

import shlex
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import digests, outputs
from bench.analysis.findings import Findings
from bench.analysis.setting import by_setting, labels, samples
from bench.api import arguments
from bench.errors import BenchError
from bench.features import sections
from bench.present import frames
from bench.present.export import tidy
from bench.statistics.power import MARGIN
from bench.study.store import Noted

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from bench.present.charts import Charts


class Result:
    """Results of an experiment or a comparison, as `load` and `compare` return them.

    name: of the experiment. noted: its title, reference and the command that ran it, as far as they are known.
    findings: the source of all frames, charts and reports.
    """

    def __init__(self, name: str, findings: Findings, noted: Noted = Noted()) -> None:  # noqa: B008 - frozen
        self.name = name
        self.noted = noted
        self.findings = findings

    def __repr__(self) -> str:
        return f"Result({self.name!r}, {len(self.findings.outcomes)} outcomes)"

    @cached_property
    def summary(self) -> "pd.DataFrame":
        """One row an order and setting, best order first in each: recall, its difference to the reference with an
        interval for all orders at once, verdict, what it equals in ef_search, and what is missed; shares from 0 to 1,
        times in seconds. The columns are those of `bench table --json`."""
        return frames.summary(self.findings)

    @cached_property
    def outcomes(self) -> "pd.DataFrame":
        """One row an outcome, tidy, as `bench export` writes it."""
        return tidy(self.findings.outcomes)

    @cached_property
    def recalls(self) -> "dict[tuple[str, str, str, str], np.ndarray]":
        """(builds, queries) recall of every query, 0 to 1, by (dataset, index, search, order) as charts name them."""
        of_panel, names = frames.panels(self.findings), labels(self.findings.compared)
        return {
            (of_panel[setting].dataset, of_panel[setting].index, of_panel[setting].search, names[order]): sample.recalls
            for setting, by_order in by_setting(self.findings.compared).items()
            for order, sample in samples(by_order, self.findings.ties).items()
        }

    @property
    def advice(self) -> str:
        """Return the conclusions, one sentence per line: as in the terminal and in the report."""
        from bench.present.answer import answer

        return "\n".join(answer(self.findings, sections()))

    @property
    def _charts(self) -> "Charts":
        from bench.present.section import charts_of

        return charts_of(sections())

    @property
    def charts(self) -> list[str]:
        """Return the names of the charts that have something to draw."""
        from bench.present import charts

        return charts.names(self.findings, self._charts)

    def chart(self, name: str, **choice: str) -> Any:
        """Return an Altair chart.

        choice: values of `dataset`, `index` and `search`, by which `recalls` goes too; the first of each by default.
        Raises BenchError if the name or the choice is unknown, or if there is nothing to draw.
        """
        from bench.present import charts

        return charts.chart(self.findings, self._charts, name, **choice)

    def html(self) -> str:
        """Return the report: one page that needs no network."""
        from bench.present.page import About, page

        command = self.noted.command or "# not known: these results came without a command"
        findings, other_worth = self.findings, self.findings.worth != MARGIN
        if findings.ties or other_worth or findings.reference != self.noted.reference:
            options = f" --reference {shlex.quote(findings.reference)}" if findings.reference else ""
            options += " --ties" * findings.ties + f" --worth {100 * findings.worth:g}" * other_worth
            command += f"\nbench report {shlex.quote(self.name)}{options}"
        return page(self.findings, About(name=self.name, title=self.noted.title, commands=[command]), sections())

    def report(self, path: Path | str) -> Path:
        """Write the report to a file, whole or not at all, and give its path.

        Raises BenchError if it cannot be written, or if another file than a report would be replaced.
        """
        from bench.present.page.html import PAGE, written

        file = arguments.path(path, "path")
        outputs.check(file, PAGE)
        return written(self.html(), file)

    def figures(self, folder: Path | str) -> list[Path]:
        """Write every chart of every choice into a folder, as SVG and as PNG of 300 dots an inch, a page wide.

        Raises BenchError, before any is drawn, if another file than a chart would be replaced.
        """
        from bench.present import charts

        folder = arguments.path(folder, "folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"cannot make the folder {folder}: {error.strerror}; name another") from None
        drawn: dict[str, Any] = {}
        for name in self.charts:
            for choice, chart in charts.every(self.findings, self._charts, name):
                stem = "-".join([name, *(charts.file_part(f"k{v}" if key == "k" else v) for key, v in choice.items())])
                if stem in drawn:  # names that differ only in what a file's name cannot have
                    stem += f"-{digests.key_digest(choice)[:6]}"
                drawn[stem] = chart
        writers = {
            folder / f"{stem}.{form}": outputs.writer(folder / f"{stem}.{form}", kind)
            for stem in drawn
            for form, kind in charts.KINDS.items()
        }
        for stem, chart in drawn.items():
            for form, content in charts.files(chart).items():
                writers[folder / f"{stem}.{form}"](content)
        return list(writers)
