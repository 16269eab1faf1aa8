"""Do models keep their ranking when an index answers instead of exact search, and is a move more than noise?

Models are datasets that share their judgements: the same documents and queries in other vectors. A ranking goes by
mean nDCG@10. Whether two models really change places is asked of resamples: queries are drawn with replacement, the
same for every model and for exact search, and builds within each model, engine and order. The probability of a swap
is the share of resamples in which an index orders the two otherwise than the reference does in the same resample. So
queries that favour one model under both are no swap.
"""

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bench.analysis import bootstrap, retrieval
from bench.analysis.bootstrap import Interval
from bench.analysis.setting import Outcomes, by_setting, labels, shown
from bench.errors import BenchError, BenchWarning, unknown
from bench.study.outcome import Outcome
from bench.study.trial import Index, Order, Search

MEASURE = "nDCG@10"
EXACT = "exact"
SURE = 0.95


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """Two models that an index orders otherwise than the reference does.

    ahead, behind: by the reference. reference, found: how far `ahead` is ahead under each; `found` is not above 0.
    probability: of a swap, as above. reference_unsure: the share of resamples in which the reference itself orders
    the two the other way: where it is large, these queries cannot tell the models apart. shifted: the share in which
    `ahead` is less far ahead than by the reference: near 1, the index does favour `behind`, swap or not.
    """

    ahead: str
    behind: str
    reference: float
    found: float
    probability: float
    reference_unsure: float
    shifted: float


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The ranking under one engine and order of insertion; lists are by model, as in Rankings.

    ranks: 1 is best, equal means share the better rank. moved: places gained against the reference. tau: Kendall's
    tau-b with it. swaps: every pair in another order, the likeliest first.
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
    """Of mean recall@k with another figure over points, one a model and column; intervals by drawing models."""

    of: str
    points: int
    pearson: Interval
    spearman: Interval


class Rankings(msgspec.Struct, frozen=True, kw_only=True):
    """Models ranked in one setting: best under exact search first. left_out: models without every column."""

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


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What models must share to be ranked together.

    queries: how many.
    judgements: digest of what is relevant to them.
    index: the graph's parameters, whichever engine builds it.
    libraries: what exact search and scores come from.
    """

    experiment: str
    queries: int
    judgements: str
    index: Index
    search: Search
    libraries: str

    @property
    def fields(self) -> dict[str, Any]:
        """What tables show of it, by name."""
        return {"queries": self.queries} | shown(self.index) | shown(self.search)


class Searched(NamedTuple):
    """How the models of a column were searched; of exact search, the engine is EXACT."""

    engine: str
    engine_version: str
    engine_params: str
    order: Order


_EXACT = Searched(EXACT, "", "", Order(order=""))
_Columns = dict[Searched, dict[str, list[Outcome]]]  # and in each the outcomes of every model


def rankings(outcomes: Outcomes, reference: str = EXACT) -> list[Rankings]:
    """The Rankings in every setting in which two models at least share judgements.

    reference: `exact`, or an order's label: then every column is compared with that order in the same engine.
    """
    listed = list(outcomes)
    names = labels(listed)
    if reference != EXACT and reference not in names.values():
        raise unknown("reference", reference, [EXACT, *sorted(set(names.values()))])
    groups = _grouped(listed, names)
    if not groups:
        raise BenchError(f"no outcome has {MEASURE}: rank datasets that have relevance judgements, with k 10 or more")
    if not any(len(_models(columns)) > 1 for columns in groups.values()):
        raise BenchError("one model alone has no ranking: run two datasets at least that share their judgements")
    results = []
    for condition, columns in groups.items():
        complete = _models(columns, all)
        references = _references(columns, names, reference)
        if len(complete) > 1 and len(references) == len(columns):
            results.append(_ranked(condition, columns, complete, reference, references, names))
    for condition, columns in groups.items():
        if len(alone := _models(columns)) == 1:
            warnings.warn(
                f"{condition.experiment}: {alone[0]} is left out: no other model shares its judgements and settings",
                BenchWarning,
                stacklevel=2,
            )
    if not results:
        missing = "of every engine and order" + ("" if reference == EXACT else f", {reference!r} among them")
        raise BenchError(f"fewer than two models have outcomes {missing}: finish `bench run` first")
    return results


def _grouped(listed: Sequence[tuple[str, Outcome]], names: Mapping[Order, str]) -> dict[Condition, _Columns]:
    """By condition and way of searching, the outcomes of every model that has scores."""
    groups: dict[Condition, _Columns] = defaultdict(lambda: defaultdict(dict))
    for setting, by_order in by_setting(listed).items():
        of = setting.of
        condition = Condition(
            experiment=setting.experiment,
            queries=of.data.queries,
            # Documents that a model has no vectors of do not part it from others
            judgements=of.data.judgements.partition(".")[0],
            index=msgspec.structs.replace(of.index, engine="", engine_params="{}"),
            search=of.search,
            libraries=of.provenance.libraries,
        )
        for order, built in by_order.items():
            if np.isfinite(built[0].retrieval.get(MEASURE, np.nan)).any():
                searched = Searched(of.index.engine, of.provenance.engine_version, of.index.engine_params, order)
                groups[condition][searched][setting.name] = built
    return {
        condition: dict(sorted(columns.items(), key=lambda item: (*item[0][:-1], names[item[0].order])))
        for condition, columns in groups.items()
    }


def _models(columns: _Columns, which: Any = any) -> list[str]:
    """The models that any way of searching has outcomes of, or that all have."""
    models = dict.fromkeys(model for by_model in columns.values() for model in by_model)
    return [model for model in models if which(model in by_model for by_model in columns.values())]


def _references(columns: _Columns, names: Mapping[Order, str], reference: str) -> dict[Searched, Searched]:
    """What every column is compared with; columns whose engine has no outcomes of the reference are left out."""
    if reference == EXACT:
        return dict.fromkeys(columns, _EXACT)
    by_engine = {searched[:-1]: searched for searched in columns if names[searched.order] == reference}
    return {searched: by_engine[searched[:-1]] for searched in columns if searched[:-1] in by_engine}


def _ranked(
    condition: Condition,
    columns: _Columns,
    models: Sequence[str],
    reference: str,
    references: Mapping[Searched, Searched],
    names: Mapping[Order, str],
) -> Rankings:
    """The Rankings of the models that have every column."""
    scored = {model: retrieval.sample(next(iter(columns.values()))[model], MEASURE)[1] for model in models}
    models = sorted(models, key=lambda model: -float(scored[model].mean()))
    tables = {_EXACT: [scored[model][None, :] for model in models]}  # of (builds, judged queries), as all that follow
    for searched, by_model in columns.items():
        tables[searched] = [retrieval.sample(by_model[model], MEASURE)[0].recalls for model in models]
    drawn = bootstrap.means([table for row in tables.values() for table in row]).reshape(len(tables), len(models), -1)
    resampled = dict(zip(tables, drawn, strict=True))
    means = {searched: np.array([table.mean() for table in row]) for searched, row in tables.items()}
    recalls = {
        searched: np.array([_recall(by_model[model]) for model in models]) for searched, by_model in columns.items()
    }
    return Rankings(
        experiment=condition.experiment,
        setting=condition.fields,
        judged=len(scored[models[0]]),
        reference=reference,
        models=models,
        exact=means[_EXACT].tolist(),
        exact_ranks=_ranks(means[_EXACT]).tolist(),
        columns=[
            _column(
                searched,
                names[searched.order],
                means[searched],
                means[other],
                recalls[searched],
                _swaps(models, means[searched], means[other], resampled[searched], resampled[other]),
            )
            for searched, other in references.items()
        ],
        correlations=_correlations(recalls, means, means[_EXACT]),
        left_out=[model for model in _models(columns) if model not in models],
    )


def _column(
    searched: Searched, label: str, means: np.ndarray, reference: np.ndarray, recalls: np.ndarray, swaps: list[Swap]
) -> Column:
    """A Column from means and recalls by model, and the reference's means."""
    ranks = _ranks(means)
    return Column(
        engine=searched.engine,
        engine_version=searched.engine_version,
        engine_params=searched.engine_params,
        order=label,
        means=means.tolist(),
        recalls=recalls.tolist(),
        ranks=ranks.tolist(),
        moved=(_ranks(reference) - ranks).tolist(),
        tau=_tau(means, reference),
        swaps=swaps,
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


def _swaps(
    models: Sequence[str],
    means: np.ndarray,
    reference: np.ndarray,
    resampled: np.ndarray,
    resampled_reference: np.ndarray,
) -> list[Swap]:
    """Every pair in another order than the reference's; resampled: (models, resamples)."""
    swaps = []
    for i, j in combinations(np.argsort(-reference, kind="stable").tolist(), 2):
        ahead, now_ahead = reference[i] - reference[j], means[i] - means[j]
        if abs(ahead) < bootstrap.NO_DIFFERENCE or np.sign(ahead) == np.sign(now_ahead):
            continue  # what the reference holds equal has no order to change
        drawn, drawn_reference = resampled[i] - resampled[j], resampled_reference[i] - resampled_reference[j]
        swaps.append(
            Swap(
                ahead=models[i],
                behind=models[j],
                reference=float(ahead),
                found=float(now_ahead),
                probability=bootstrap.share_swapped(drawn, drawn_reference),
                reference_unsure=bootstrap.share_swapped(drawn_reference, np.full_like(drawn_reference, ahead)),
                shifted=float((drawn < drawn_reference).mean()),
            )
        )
    return sorted(swaps, key=lambda swap: -swap.probability)


def _correlations(
    recalls: Mapping[Searched, np.ndarray], means: Mapping[Searched, np.ndarray], exact: np.ndarray
) -> list[Correlation]:
    """Of recall with the measure, and with its share of what exact search reaches, free of the model's quality."""
    x = np.array(list(recalls.values())).T  # (models, columns)
    y = np.array([means[searched] for searched in recalls]).T
    share = np.divide(y, exact[:, None], out=np.full_like(y, np.nan), where=exact[:, None] > 0)
    correlations = []
    for name, other in ((MEASURE, y), (f"{MEASURE} / exact {MEASURE}", share)):
        pearson, spearman = bootstrap.correlation(x, other)
        correlations.append(Correlation(of=name, points=x.size, pearson=pearson, spearman=spearman))
    return correlations
