"""Do models keep their ranking when an index answers instead of exact search, and is a move more than noise?

Models are datasets that share their judgements: the same documents and queries in other vectors. Rankings are by
mean nDCG@10. Resamples show whether two models really change places: queries are drawn with replacement (whole
groups of them, if any of the models' datasets has groups), the same for every model and for exact search, and builds
within each model, engine and order. The probability of a swap is the share of resamples in which an index orders the
two otherwise than the reference does in the same resample. So queries that favour one model under both are no swap.
"""

import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench.analysis import retrieval
from bench.analysis.setting import Outcomes, labels
from bench.errors import BenchError, BenchWarning, unknown
from bench.features.rankings.conditions import (
    BY_EXACT,
    EXACT,
    MEASURE,
    Columns,
    Condition,
    Searched,
    grouped,
    models_of,
    references_of,
)
from bench.statistics import bootstrap
from bench.statistics.intervals import Interval
from bench.study.outcome import Outcome
from bench.study.trial import Order

SURE = 0.95


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """Two models that an index orders otherwise than the reference does.

    ahead, behind: models by the reference.
    reference: how far `ahead` is ahead by the reference.
    index: how far it is ahead by the index; not above 0.
    probability: of a swap, as above.
    reference_unsure: the share of resamples in which the reference itself orders the two the other way: where it is
        large, these queries cannot tell the models apart.
    shifted: the share in which `ahead` is less far ahead than by the reference: near 1, the index does favour `behind`,
        swap or not.
    """

    ahead: str
    behind: str
    reference: float
    index: float = msgspec.field(name="found")
    probability: float
    reference_unsure: float
    shifted: float


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The ranking under one engine and order of insertion; lists are by model, as in Rankings.

    order: its label.
    means: of the measure.
    recalls: mean recall.
    ranks: 1 is best, equal means share the better rank.
    moved: places gained against the reference.
    tau: Kendall's tau-b with the reference.
    swaps: every pair in another order, the likeliest first.
    """

    engine: str
    engine_version: str
    engine_params: str
    order: str
    means: list[float]
    recalls: list[float]
    ranks: list[int]
    moved: list[int]
    tau: float
    swaps: list[Swap]


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """Of mean recall@k with another figure; intervals by drawing models.

    of: the other figure.
    points: how many, one a model and column.
    """

    of: str
    points: int
    pearson: Interval
    spearman: Interval


class Rankings(msgspec.Struct, frozen=True, kw_only=True):
    """Models ranked in one setting.

    setting: what tables show of it, by name.
    judged: how many queries.
    models: best under exact search first, as all lists.
    exact: mean of the measure under exact search.
    left_out: models without every column.
    """

    experiment: str
    setting: dict[str, Any]
    judged: int
    reference: str
    models: list[str]
    exact: list[float]
    exact_ranks: list[int]
    columns: list[Column]
    correlations: list[Correlation]
    left_out: list[str]


def rankings(outcomes: Outcomes, reference: str = EXACT) -> list[Rankings]:
    """The Rankings in every setting in which two models at least share judgements.

    reference: `exact`, or an order's label: then every column is compared with that order in the same engine.
    """
    listed = list(outcomes)
    names = labels(listed)
    if reference != EXACT and reference not in names.values():
        raise unknown("reference", reference, [EXACT, *sorted(set(names.values()))])
    groups = grouped(listed, names)
    if not groups:
        raise BenchError(f"no outcome has {MEASURE}: rank datasets that have relevance judgements, with k 10 or more")
    if not any(len(models_of(columns)) > 1 for columns in groups.values()):
        models = dict.fromkeys(model for columns in groups.values() for model in models_of(columns))
        raise BenchError(
            f"one model alone has no ranking ({', '.join(models)}): "
            "run two datasets at least that share their judgements"
        )
    results = []
    for condition, columns in groups.items():
        complete = models_of(columns, all)
        references = references_of(columns, names, reference)
        if len(complete) > 1 and len(references) == len(columns):
            results.append(_ranked(condition, columns, complete, reference, references, names))
    for condition, columns in groups.items():
        if len(alone := models_of(columns)) == 1:
            warnings.warn(
                f"{condition.experiment}: {alone[0]} is left out: no other model shares its judgements and settings",
                BenchWarning,
                stacklevel=2,
            )
    if not results:
        missing = "of every engine and order" + ("" if reference == EXACT else f", {reference!r} among them")
        raise BenchError(f"fewer than two models have outcomes {missing}: finish `bench run` first")
    return results


class _Scores(NamedTuple):
    """Of the models of one column: mean scores (models,), and means of resamples (models, resamples)."""

    means: np.ndarray
    resampled: np.ndarray


def _ranked(
    condition: Condition,
    columns: Columns,
    models: Sequence[str],
    reference: str,
    references: Mapping[Searched, Searched],
    names: Mapping[Order, str],
) -> Rankings:
    """The Rankings of the models that have every column."""
    first = {model: retrieval.sample(next(iter(columns.values()))[model], MEASURE) for model in models}
    exact = {model: of_exact for model, (_, of_exact) in first.items()}
    groups = next((scored.groups for scored, _ in first.values() if scored.groups is not None), None)
    models = sorted(models, key=lambda model: -float(exact[model].mean()))
    tables = {BY_EXACT: [exact[model][None, :] for model in models]}  # of (builds, judged queries), as all that follow
    for searched, by_model in columns.items():
        tables[searched] = [retrieval.sample(by_model[model], MEASURE)[0].recalls for model in models]
    scores = _scores(tables, groups)
    recalls = {
        searched: np.array([_recall(by_model[model]) for model in models]) for searched, by_model in columns.items()
    }
    return Rankings(
        experiment=condition.experiment,
        setting=condition.fields,
        judged=len(exact[models[0]]),
        reference=reference,
        models=models,
        exact=scores[BY_EXACT].means.tolist(),
        exact_ranks=_ranks(scores[BY_EXACT].means).tolist(),
        columns=[
            _column(searched, names[searched.order], models, recalls[searched], scores[searched], scores[other])
            for searched, other in references.items()
        ],
        correlations=_correlations(recalls, {searched: of_column.means for searched, of_column in scores.items()}),
        left_out=[model for model in models_of(columns) if model not in models],
    )


def _scores(tables: Mapping[Searched, Sequence[np.ndarray]], groups: np.ndarray | None) -> dict[Searched, _Scores]:
    """The scores of every column, from a table (builds, judged queries) of every model; groups: of these queries."""
    drawn = bootstrap.means([table for row in tables.values() for table in row], groups=groups)
    resampled = drawn.reshape(len(tables), -1, drawn.shape[1])
    return {
        searched: _Scores(np.array([table.mean() for table in row]), of_column)
        for (searched, row), of_column in zip(tables.items(), resampled, strict=True)
    }


def _column(
    searched: Searched, label: str, models: Sequence[str], recalls: np.ndarray, scores: _Scores, reference: _Scores
) -> Column:
    ranks = _ranks(scores.means)
    return Column(
        engine=searched.engine.name,
        engine_version=searched.engine.version,
        engine_params=searched.engine.params,
        order=label,
        means=scores.means.tolist(),
        recalls=recalls.tolist(),
        ranks=ranks.tolist(),
        moved=(_ranks(reference.means) - ranks).tolist(),
        tau=_tau(scores.means, reference.means),
        swaps=_swaps(models, scores, reference),
    )


def _recall(outcomes: Sequence[Outcome]) -> float:
    return float(np.mean([outcome.recall for outcome in outcomes]))


def _ranks(means: np.ndarray) -> np.ndarray:
    """(models,) rank of each mean, the highest first; equal means share the better rank."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-means, method="min"), dtype=np.int64)


def _tau(means: np.ndarray, reference: np.ndarray) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(means, reference).statistic)


def _swaps(models: Sequence[str], scores: _Scores, reference: _Scores) -> list[Swap]:
    """Every pair in another order than the reference's."""
    swaps = []
    for i, j in combinations(np.argsort(-reference.means, kind="stable").tolist(), 2):
        ahead, now_ahead = reference.means[i] - reference.means[j], scores.means[i] - scores.means[j]
        if abs(ahead) < bootstrap.NO_DIFFERENCE or np.sign(ahead) == np.sign(now_ahead):
            continue  # what the reference holds equal has no order to change
        ahead_by, reference_by = (one.resampled[i] - one.resampled[j] for one in (scores, reference))
        swaps.append(
            Swap(
                ahead=models[i],
                behind=models[j],
                reference=float(ahead),
                index=float(now_ahead),
                probability=bootstrap.share_swapped(ahead_by, reference_by),
                reference_unsure=bootstrap.share_swapped(reference_by, np.full_like(reference_by, ahead)),
                shifted=float((ahead_by < reference_by).mean()),
            )
        )
    return sorted(swaps, key=lambda swap: -swap.probability)


def _correlations(recalls: Mapping[Searched, np.ndarray], means: Mapping[Searched, np.ndarray]) -> list[Correlation]:
    """Of recall with the measure, and with its share of what exact search reaches, free of the model's quality."""
    x = np.array(list(recalls.values())).T  # (models, columns)
    y = np.array([means[searched] for searched in recalls]).T
    exact = means[BY_EXACT]
    share = np.divide(y, exact[:, None], out=np.full_like(y, np.nan), where=exact[:, None] > 0)
    correlations = []
    for name, other in ((MEASURE, y), (f"{MEASURE} / exact {MEASURE}", share)):
        pearson, spearman = bootstrap.correlation(x, other)
        correlations.append(Correlation(of=name, points=x.size, pearson=pearson, spearman=spearman))
    return correlations
