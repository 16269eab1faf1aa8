"""Outcomes -> retrieval quality of every order in every setting, and what it loses against exact search."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from bench.analysis import stats
from bench.analysis.setting import SETTING, by_setting
from bench.analysis.stats import Estimate, Sample
from bench.study.store import Outcome


class Score(msgspec.Struct, frozen=True):
    """One measure: its mean over builds and queries, that of exact search over queries, and the difference.

    difference: to exact search, paired on queries, over builds and queries.
    """

    mean: Estimate
    exact: Estimate
    difference: Estimate


class Retrieval(msgspec.Struct, frozen=True, kw_only=True):
    """One order in one setting, over its builds and the queries that are judged. scores: by measure."""

    experiment: str
    setting: dict[str, Any]
    origin: tuple[str, ...]
    order: str
    builds: int
    judged: int
    scores: dict[str, Score]


def retrieval(outcomes: Iterable[tuple[str, Outcome]]) -> list[Retrieval]:
    """A Retrieval of every order in every setting that has judged queries: settings sorted, best order first."""
    found = []
    for setting, by_order in by_setting(outcomes).items():
        rows = []
        for order, built in by_order.items():
            samples = {measure: sample(built, measure) for measure in built[0].retrieval}
            scores = {measure: _score(*pair) for measure, pair in samples.items() if pair[1].size}
            if scores:
                rows.append(
                    Retrieval(
                        experiment=setting.experiment,
                        setting=dict(zip(SETTING, setting.fields, strict=True)),
                        origin=setting.origin,
                        order=order,
                        builds=len(built),
                        judged=next(exact.size for _, exact in samples.values()),
                        scores=scores,
                    )
                )
        found += sorted(rows, key=lambda row: -next(iter(row.scores.values())).mean.value)
    return found


def sample(outcomes: Sequence[Outcome], measure: str) -> tuple[Sample, np.ndarray]:
    """A measure over builds of one order, (builds, judged queries), and exact search's (judged queries,)."""
    exact = outcomes[0].retrieval_exact[measure].astype(np.float64)
    judged = np.isfinite(exact)
    scores = [outcome.retrieval[measure][judged] for outcome in outcomes]
    return stats.sample_of(scores, [outcome.trial for outcome in outcomes]), exact[judged]


def _score(found: Sample, exact: np.ndarray) -> Score:
    lost = found._replace(recalls=found.recalls - exact)
    return Score(stats.mean(found), stats.mean_over_queries(exact), stats.mean_difference(lost))
