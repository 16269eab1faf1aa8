"""How far a run has come: a bar in a terminal, lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Lines:
    """Progress for a log: a line when something finished and ten seconds have passed, and one at the end."""

    def __init__(self, total: int, say: Callable[[str], None], every: float = 10.0) -> None:
        self._total, self._say, self._every = total, say, every
        self._done = 0
        self._start = self._said = time.monotonic()

    def step(self) -> None:
        """One more outcome is finished."""
        self._done += 1
        now = time.monotonic()
        if now - self._said < self._every and self._done < self._total:
            return
        self._said = now
        taken = now - self._start
        left = taken / self._done * (self._total - self._done)
        rate = 60 * self._done / max(taken, 1e-9)
        self._say(f"{self._done}/{self._total} outcomes, {rate:.0f} a minute, {left:.0f} s left")


@contextmanager
def bar(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
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

        yield lambda line: progress.console.print(line, highlight=False), step
