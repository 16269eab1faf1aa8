"""Results of trials: an outcome, or a failure with its reason."""

from typing import Any

import msgspec
import numpy as np

from bench.study.trial import Trial

Facts = dict[str, float | str]


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a build, the same for all its searches.

    id: of its own, whatever is built again.
    order_seconds: to make the order of insertion, with the geometry that it needs, whether or not that was cached.
    build_seconds: to insert all rows.
    environment: versions, commit and machine of the process that built; see `environment`.
    facts: what else is known of it, by name; `peak_bytes` is the peak resident memory of the process that built, since
        the process began.
    """

    id: str
    order_seconds: float
    build_seconds: float
    environment: dict[str, Any]
    facts: Facts = {}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one trial.

    hits: (q,) int64, true neighbours returned per query, by id; recall is these over k.
    hits_tie: the same with ties counted.
    ids_sha256: of the ids returned, so that builds can be compared bit by bit.
    search_seconds: of all queries.
    retrieval: by measure (q,) float32, see `measure.retrieval`; empty without judgements.
    retrieval_exact: the same of the exact neighbours.
    query_groups: (q,) int64, of its dataset, see `Dataset`; None if it has none.
    facts: what else is known of it, by name, as the work of its search.
    """

    trial: Trial
    build: Build
    hits: np.ndarray
    hits_tie: np.ndarray
    ids_sha256: str
    search_seconds: float
    retrieval: dict[str, np.ndarray] = {}
    retrieval_exact: dict[str, np.ndarray] = {}
    query_groups: np.ndarray | None = None
    facts: Facts = {}

    @property
    def recall(self) -> float:
        """Mean recall@k over the queries, by id."""
        return float(self.hits.mean() / self.trial.search.k)

    @property
    def recall_tie(self) -> float:
        """Mean recall@k over the queries, ties counted."""
        return float(self.hits_tie.mean() / self.trial.search.k)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A trial that gave nothing. reason: one line that names what happened."""

    trial: Trial
    reason: str
