"""Outcomes -> retrieval quality of every order in every setting, and what it loses against exact search."""

from collections.abc import Sequence

import msgspec
import numpy as np

from bench.analysis.setting import Outcomes, Setting, by_setting, labels, sample_of
from bench.statistics import intervals
from bench.statistics.intervals import Estimate
from bench.statistics.sample import Sample, by_group
from bench.study.outcome import Outcome


class Score(msgspec.Struct, frozen=True):
    """One measure.

    mean: over builds and queries.
    exact: mean of exact search, over queries.
    difference: to exact search, paired on queries, over builds and queries.
    """

    mean: Estimate
    exact: Estimate
    difference: Estimate


class Retrieval(msgspec.Struct, frozen=True, kw_only=True):
    """One order in one setting, over its builds and the queries that are judged.

    order: its label.
    judged: how many queries.
    scores: by measure.
    """

    setting: Setting
    order: str
    builds: int
    judged: int
    scores: dict[str, Score]


def retrieval(outcomes: Outcomes) -> list[Retrieval]:
    """A Retrieval of every order in every setting that has judged queries, best order first in each."""
    listed = list(outcomes)
    names = labels(listed)
    results = []
    for setting, by_order in by_setting(listed).items():
        rows = []
        for order, built in by_order.items():
            samples = {measure: sample(built, measure) for measure in built[0].retrieval}
            scores = {measure: _score(*pair) for measure, pair in samples.items() if pair[1].size}
            if scores:
                judged = next(exact.size for _, exact in samples.values())
                row = Retrieval(setting=setting, order=names[order], builds=len(built), judged=judged, scores=scores)
                rows.append(row)
        results += sorted(rows, key=lambda row: -next(iter(row.scores.values())).mean.value)
    return results


def sample(outcomes: Sequence[Outcome], measure: str) -> tuple[Sample, np.ndarray]:
    """A measure over builds of one order, (builds, judged queries), and exact search's (judged queries,)."""
    exact = outcomes[0].retrieval_exact[measure].astype(np.float64)
    judged = np.isfinite(exact)
    scores = [outcome.retrieval[measure][judged] for outcome in outcomes]
    groups = outcomes[0].query_groups
    of_judged = None if groups is None else groups[judged]
    return sample_of(scores, [outcome.trial for outcome in outcomes], of_judged), exact[judged]


def _score(scored: Sample, exact: np.ndarray) -> Score:
    differences = scored._replace(recalls=scored.recalls - exact)
    exact_units = by_group(exact, scored.groups)
    return Score(
        intervals.mean(scored), intervals.mean_over_queries(exact_units), intervals.mean_difference(differences)
    )
