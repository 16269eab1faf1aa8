"""One side of a comparison of outcomes, by what a user calls it: an experiment of a store, a store, or a baseline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import BenchError
from bench.study import baseline
from bench.study.baseline import BaselineOutcome
from bench.study.environment import distinct
from bench.study.outcome import Outcome
from bench.study.store import Store


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes that others are compared with.

    name: what they are called. what: where they come from, in words.
    environments: what they were made with, each once.
    """

    name: str
    what: str
    outcomes: Sequence[Outcome | BaselineOutcome]
    environments: list[dict[str, Any]]

    @property
    def commits(self) -> list[str]:
        """The commits that they were made at, shortened, as far as they are known."""
        return list(dict.fromkeys(str(of["commit"])[:12] for of in self.environments if of.get("commit")))


def side(named: str, store: Path, experiment: str | None = None) -> Side:
    """The Side of a baseline's .json file, a store file, an experiment of `store`, or a baseline by name, tried so.

    experiment: which one of a store file that has several. Raises BenchError if nothing has this name.
    """
    if named.endswith(".json"):
        return _of_baseline(named)
    if Path(named).is_file():
        return _of_store(Store.open(Path(named)), experiment, named)
    here = Store.open(store) if store.exists() else None
    if here and named in here.experiments():
        return _of_store(here, named, named)
    if baseline.path_of(named).is_file():
        return _of_baseline(named)
    known = ", ".join(here.experiments()) if here else "none, since there is no such store"
    raise BenchError(
        f"{named!r} is no store file, no experiment of {store} ({known}) and no baseline in {baseline.FOLDER}: name one"
    )


def _of_baseline(named: str) -> Side:
    saved = baseline.read(baseline.path_of(named))
    return Side(
        name=f"baseline {saved.name}",
        what=f"baseline {saved.name} of experiment {saved.experiment}, saved {saved.saved}: {saved.reason}",
        outcomes=saved.outcomes,
        environments=[saved.environment],
    )


def _of_store(store: Store, experiment: str | None, name: str) -> Side:
    experiments = store.experiments()
    if experiment is None and len(experiments) == 1:
        [experiment] = experiments
    if experiment is None:
        raise BenchError(
            f"{store.path} has {len(experiments)} experiments: name one before --compare, of {', '.join(experiments)}"
        )
    outcomes = [outcome for _, outcome in store.outcomes(experiment)]
    return Side(
        name=name,
        what=f"experiment {experiment} in {store.path.name}, {len(outcomes)} outcomes",
        outcomes=outcomes,
        environments=distinct(outcome.build.environment for outcome in outcomes),
    )
