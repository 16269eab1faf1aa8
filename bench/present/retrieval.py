"""Retrieval quality and rankings of models as text tables."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.bootstrap import Interval
from bench.analysis.conditions import EXACT, MEASURE
from bench.analysis.rankings import SURE, Column, Rankings
from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import split
from bench.present.text import interval, pipe, points, title, without_repeats


def retrieval_text(rows: Sequence[Retrieval]) -> str:
    """Retrieval quality as Markdown tables, one an experiment: a row is an order, best first in its setting."""
    return "\n\n".join(
        _experiment_text(experiment, list(of_experiment))
        for experiment, of_experiment in groupby(rows, key=lambda row: row.setting.experiment)
    )


def _experiment_text(experiment: str, rows: Sequence[Retrieval]) -> str:
    settings = [row.setting.fields for row in rows]
    common, varying = split(settings)
    measures = list(dict.fromkeys(measure for row in rows for measure in row.scores))
    lines = []
    for row, cells in zip(rows, without_repeats(settings, varying), strict=True):
        line = [*cells, row.order]
        for measure in measures:
            score = row.scores.get(measure)
            line += [interval(score.mean), points(score.difference)] if score else ["", ""]
        first = next(iter(row.scores.values()))
        lines.append([*line, f"{first.exact.value:.4f}"])
    header = [*varying, "order", *(name for measure in measures for name in (measure, "vs exact, points"))]
    judged = ", ".join(sorted({str(row.judged) for row in rows}))
    return "\n\n".join(
        [
            f"{experiment}, retrieval: {title(common)}",
            pipe(lines, [*header, f"exact {measures[0]}"], len(varying) + 1),
            f"Over the {judged} judged queries, with the 95 % interval over builds and queries; the mean of RR@10 is"
            " MRR@10; vs exact: difference to exact search, paired on queries.",
        ]
    )


def flat(row: Retrieval) -> dict[str, Any]:
    """What a Retrieval adds to its Summary, as one level of names, for JSON."""
    named: dict[str, Any] = {"judged": row.judged}
    for measure, score in row.scores.items():
        for part, estimate in (("", score.mean), ("_exact", score.exact), ("_difference", score.difference)):
            named |= {
                f"{measure}{part}": estimate.value,
                f"{measure}{part}_low": estimate.low,
                f"{measure}{part}_high": estimate.high,
            }
    return named


def rankings_text(listed: Sequence[Rankings]) -> str:
    """Rankings of models as Markdown tables, one after the other."""
    return "\n\n".join(_rankings_text(rankings) for rankings in listed)


def _rankings_text(rankings: Rankings) -> str:
    short = _short([*rankings.models, *rankings.left_out])
    lines = [
        [
            short[model],
            f"{rankings.exact_ranks[i]}: {rankings.exact[i]:.4f}",
            *(f"{column.ranks[i]}{_moved(column.moved[i])}: {column.means[i]:.4f}" for column in rankings.columns),
        ]
        for i, model in enumerate(rankings.models)
    ]
    header = ["model", EXACT, *(f"{_engine(column)} {column.order}" for column in rankings.columns)]
    parts = [
        f"{rankings.experiment}, {len(rankings.models)} models by mean {MEASURE}: {title(rankings.setting)},"
        f" {rankings.judged} of them judged",
        pipe(lines, header, 1),
        f"A cell is rank, places moved against {rankings.reference} where there are any, and mean {MEASURE}.",
        pipe(
            [_column_line(column) for column in rankings.columns],
            [
                "engine",
                "order",
                f"mean recall@{rankings.setting['k']}",
                "Kendall's tau",
                "most places moved",
                "pairs swapped",
                f"P(swap) ≥ {SURE}",
                "P(swap) ≥ 0.5",
            ],
            2,
        ),
        _swaps_text(rankings, short),
        _correlations_text(rankings),
    ]
    if rankings.left_out:
        missing = ", ".join(short[model] for model in rankings.left_out)
        parts.append(f"Left out, since they lack an engine or order that others have: {missing}.")
    return "\n\n".join(parts)


def _engine(column: Column) -> str:
    """An engine, with parameters of its own where there are any."""
    return column.engine if column.engine_params == "{}" else f"{column.engine} {column.engine_params}"


def _moved(places: int) -> str:
    return f" ({places:+d})" if places else ""


def _column_line(column: Column) -> list[str]:
    swaps = [swap.probability for swap in column.swaps]
    return [
        _engine(column),
        column.order,
        f"{sum(column.recalls) / len(column.recalls):.4f}",
        f"{column.tau:.3f}",
        str(max(map(abs, column.moved))),
        str(len(swaps)),
        str(sum(probability >= SURE for probability in swaps)),
        str(sum(probability >= 0.5 for probability in swaps)),
    ]


def _swaps_text(rankings: Rankings, short: dict[str, str]) -> str:
    lines = [
        [
            _engine(column),
            column.order,
            f"{short[swap.ahead]} > {short[swap.behind]}",
            f"{100 * swap.reference:+.2f}",
            f"{100 * swap.index:+.2f}",
            f"{swap.probability:.2f}",
            f"{swap.reference_unsure:.2f}",
            f"{swap.shifted:.2f}",
        ]
        for column in rankings.columns
        for swap in column.swaps
    ]
    if not lines:
        return f"No pair of models stands in another order than under {rankings.reference}."
    header = [
        "engine",
        "order",
        f"by {rankings.reference}",
        "points ahead",
        "by the index",
        "P(swap)",
        "P(unsure)",
        "P(shift)",
    ]
    return (
        f"{pipe(lines, header, 3)}\n\n"
        "P(swap): share of resamples of queries and builds in which the index orders the two otherwise than"
        f" {rankings.reference} does on the same queries; {SURE} or more is no noise. P(unsure): share in which"
        f" {rankings.reference} itself orders them the other way than above: near 0.5, these queries cannot tell the"
        " models apart. P(shift): share in which the first is less far ahead by the index: near 1, it does"
        " favour the second, swap or not."
    )


def _correlations_text(rankings: Rankings) -> str:
    lines = [
        [
            f"recall@{rankings.setting['k']} and {correlation.of}",
            correlation.points,
            _between(correlation.pearson),
            _between(correlation.spearman),
        ]
        for correlation in rankings.correlations
    ]
    return (
        f"{pipe(lines, ['correlation of', 'points', 'Pearson', 'Spearman'], 1)}\n\n"
        f"Over models × columns; intervals by drawing models, of which there are {len(rankings.models)}: rough, and too"
        " narrow rather than too wide."
    )


def _between(interval: Interval) -> str:
    if math.isnan(interval.low):
        return "" if math.isnan(interval.value) else f"{interval.value:.2f}"
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _short(names: Sequence[str]) -> dict[str, str]:
    """Names without what all share: of `npl(model=lsa@64)` and the like, `lsa@64`."""
    parts = {name: name.partition("=") for name in names}
    if len({(head, equals) for head, equals, _ in parts.values()}) > 1 or not next(iter(parts.values()))[1]:
        return {name: name for name in names}
    return {name: tail.replace(")", "", 1) for name, (_, _, tail) in parts.items()}
