"""All that outcomes mean, computed once, for tables, page, charts and notebooks alike."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from bench.analysis.advice import Advice, advise
from bench.analysis.best import Samples
from bench.analysis.category_orders import separated
from bench.analysis.losses import Losses, Profiles, losses
from bench.analysis.retrieval import Retrieval, retrieval
from bench.analysis.setting import Outcomes, by_setting, labels, samples
from bench.analysis.summary import Shares, Summary, shares, summarize
from bench.statistics import power
from bench.study.outcome import Failure, Outcome
from bench.study.spec.experiment import REFERENCE

T = TypeVar("T")


class Findings:
    """The results of one experiment, or several; each part is computed at its first use.

    outcomes: (experiment, outcome) pairs, all of them.
    ladder: of the reference, see `summarize`.
    failures: of trials that have no outcome.
    reference: the order that others are compared with, by its label.
    ties: whether recall counts rows as near as the k-th true neighbour, rather than going by id.
    profiles: by dataset what geometry says of it.
    worth: the smallest difference in recall that is worth it: a smaller one counts as none.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        ladder: Outcomes = (),
        failures: Sequence[Failure] = (),
        reference: str = REFERENCE,
        ties: bool = False,
        profiles: Profiles | None = None,
        worth: float = power.MARGIN,
    ) -> None:
        self.outcomes = list(outcomes)
        self.ladder = list(ladder)
        self.failures = list(failures)
        self.reference = reference
        self.ties = ties
        self.profiles: Profiles = profiles or {}
        self.worth = worth
        self._computed: dict[Any, Any] = {}

    @cached_property
    def _separated(self) -> tuple[list[tuple[str, Outcome]], list[tuple[str, Outcome]]]:
        return separated(self.outcomes)

    @property
    def compared(self) -> list[tuple[str, Outcome]]:
        """The outcomes that are compared order by order: all but those of category permutations."""
        return self._separated[1]

    @cached_property
    def summaries(self) -> list[Summary]:
        """One an order and setting; see `summarize`."""
        if not self.compared and (self._separated[0] or self.failures):
            return []
        return summarize(self.compared, self.reference, self.ties, self.ladder, self.worth)

    @cached_property
    def _samples(self) -> Samples:
        """Recalls by setting and order's label."""
        names = labels(self.compared)
        return {
            setting: {names[order]: sample for order, sample in samples(by_order, self.ties).items()}
            for setting, by_order in by_setting(self.compared).items()
        }

    @cached_property
    def shares(self) -> list[Shares]:
        """Where the variance comes from, a setting each."""
        return shares(self.compared, self.ties)

    @cached_property
    def advice(self) -> list[Advice]:
        """Return the advice on each experiment."""
        return advise(self.summaries, self._samples, self.reference, self.worth)

    @cached_property
    def retrieval(self) -> list[Retrieval]:
        """Retrieval quality, where data is judged."""
        return retrieval(self.compared)

    @property
    def of_permutations(self) -> list[tuple[str, Outcome]]:
        """The outcomes of permutations of categories, which are too many to compare one by one."""
        return self._separated[0]

    @cached_property
    def losses(self) -> list[Losses]:
        """Recall by query, one an order and setting."""
        return losses(self.compared, self.profiles, self.ties)

    def once(self, compute: "Callable[[Findings], T]") -> "T":
        """Return what `compute` makes of these findings; computed when it is first asked for."""
        if compute not in self._computed:
            self._computed[compute] = compute(self)
        return self._computed[compute]  # type: ignore[no-any-return]

    @property
    def trials(self) -> int:
        """How many were tried."""
        return len(self.outcomes) + len(self.ladder) + len(self.failures)
