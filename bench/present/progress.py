"""How far a run or a download has come: a bar in a terminal and in a notebook, lines elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bench.data.fetch import Progress
from bench.errors import Log, plain
from bench.streams import say

if TYPE_CHECKING:
    from rich.progress import TaskID


@contextmanager
def outcomes(total: int, log: Log = say) -> Iterator[tuple[Log, Callable[[], None]]]:
    """Yield a function that logs a line, and one to call per outcome: it moves a bar, or writes lines without one."""
    if total and _shows_bar():
        with bar(total) as (log_beside, step):
            yield log_beside, step
    else:
        yield log, Lines(total, log).step if total else lambda: None


def _shows_bar() -> bool:
    """Return whether a bar can be drawn: in a terminal, or by rich in a notebook that has ipywidgets."""
    return sys.stderr.isatty() or ("ipykernel" in sys.modules and find_spec("ipywidgets") is not None)


_FEWEST = 20  # outcomes to estimate from: a build gives several at once


class Lines:
    """Progress for a log: a line when something finished and ten seconds have passed, and one at the end."""

    def __init__(self, total: int, log: Log, every: float = 10.0) -> None:
        self._total, self._log, self._every = total, log, every
        self._done = 0
        self._logged = time.monotonic()
        # When the last outcomes finished: a tenth of all, since datasets and the load of the machine change on the way
        self._times = deque([self._logged], maxlen=max(total // 10, _FEWEST) + 1)

    def step(self) -> None:
        """One more outcome is finished."""
        self._done += 1
        now = time.monotonic()
        self._times.append(now)
        if now - self._logged < self._every and self._done < self._total:
            return
        self._logged = now
        each = (now - self._times[0]) / (len(self._times) - 1)
        left, rate = each * (self._total - self._done), 60 / max(each, 1e-9)
        self._log(f"{self._done}/{self._total} outcomes, {rate:.0f} a minute, {left:.0f} s left")


@contextmanager
def bar(total: int) -> Iterator[tuple[Log, Callable[[], None]]]:
    """A bar on standard error; gives what to call with a line to show above it, and at every outcome."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("outcomes, {task.fields[rate]} a minute,"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, rate="?")

        def step() -> None:
            progress.advance(task)
            if speed := progress.tasks[0].speed:
                progress.update(task, rate=f"{60 * speed:.0f}")

        yield lambda line: progress.console.print(plain(line, "\n"), highlight=False, markup=False), step


@contextmanager
def transfers(log: Log, terminal: bool, every: float = 10.0) -> Iterator[Progress]:
    """Yield a function to call as bytes of files arrive: a bar per file in a terminal, otherwise occasional lines."""
    if not terminal:
        yield _TransferLines(log, every).step
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def step(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield step


class _TransferLines:
    """A line when a file begins, when it is whole, and every so many seconds between."""

    def __init__(self, log: Log, every: float) -> None:
        self._log, self._every = log, every
        self._logged: dict[str, float] = {}

    def step(self, name: str, done: int, total: int | None) -> None:
        from rich.filesize import decimal

        now = time.monotonic()
        if name in self._logged and done != total and now - self._logged[name] < self._every:
            return
        self._logged[name] = now
        self._log(f"{name}: {decimal(done)}" + (f" of {decimal(total)}" if total else ""))
