"""Retrieval quality and rankings of models as text tables."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.analysis.conditions import EXACT, MEASURE
from bench.analysis.rankings import SURE, Column, Rankings
from bench.analysis.retrieval import Retrieval
from bench.analysis.setting import split
from bench.analysis.stats import Interval
from bench.data.dataset import OWN_LEFT_OUT
from bench.present.advice import of_rankings, of_retrieval
from bench.present.text import Layout, by_setting, interval, points, title


def retrieval_text(rows: Sequence[Retrieval], layout: Layout) -> str:
    """Retrieval quality as tables, one an experiment: a row is an order, best first in its setting."""
    return "\n\n".join(
        _experiment_text(experiment, list(of_experiment), layout)
        for experiment, of_experiment in groupby(rows, key=lambda row: row.setting.experiment)
    )


def _experiment_text(experiment: str, rows: Sequence[Retrieval], layout: Layout) -> str:
    settings = [row.setting.fields for row in rows]
    common, varying = split(settings)
    measures = list(dict.fromkeys(measure for row in rows for measure in row.scores))
    if not layout.wide:
        measures = measures[:1]
    lines = []
    for row in rows:
        line: list[str] = [row.order]
        for measure in measures:
            score = row.scores.get(measure)
            mean = score and (interval(score.mean) if layout.wide else f"{score.mean.value:.4f}")
            line += [mean or "", points(score.difference) if score else ""]
        first = next(iter(row.scores.values()))
        lines.append([*line, f"{first.exact.value:.4f}"])
    header = ["order", *(name for measure in measures for name in (measure, "vs exact, points"))]
    judged = ", ".join(sorted({str(row.judged) for row in rows}))
    note = (
        f"Over the {judged} judged queries, with the 95 % interval over builds and queries; vs exact: difference to"
        " exact search, paired on queries"
    )
    if any(OWN_LEFT_OUT in row.setting.of.data.judgements for row in rows):
        note += "; the document that is the query itself is left out, as BEIR does"
    note += "; the mean of RR@10 is MRR@10." if layout.wide else "; --wide shows other measures."
    parts = [layout.note(f"{experiment}, retrieval: {title(common)}")]
    if layout.shortens(len(rows)):
        parts.append(layout.note(f"--all shows all {len(rows)} rows."))
    else:
        parts.append(by_setting(layout, settings, varying, [*header, f"exact {measures[0]}"], lines, 1))
        parts.append(layout.note(note))
    return "\n\n".join([*parts, layout.what_now([of_retrieval(rows, varying)])])


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


def rankings_text(listed: Sequence[Rankings], layout: Layout) -> str:
    """Rankings of models as tables, one after the other."""
    return "\n\n".join(_rankings_text(rankings, layout) for rankings in listed)


def _rankings_text(rankings: Rankings, layout: Layout) -> str:
    short = _short([*rankings.models, *rankings.left_out])
    parts = [
        layout.note(
            f"{rankings.experiment}, {len(rankings.models)} models by mean {MEASURE}: {title(rankings.setting)};"
            f" {rankings.judged} queries are judged"
        ),
        _models_text(rankings, short, layout),
        _columns_text(rankings, layout),
        _swaps_text(rankings, short, layout),
        layout.what_now([of_rankings(rankings)]),
        _correlations_text(rankings, layout),
    ]
    if rankings.left_out:
        missing = ", ".join(short[model] for model in rankings.left_out)
        parts.append(layout.note(f"Left out, since they lack an engine or order that others have: {missing}."))
    return "\n\n".join(parts)


def _models_text(rankings: Rankings, short: dict[str, str], layout: Layout) -> str:
    """A row a model: under exact search, and under every engine and order, or the range over these."""
    if layout.wide:
        lines = [
            [
                short[model],
                f"{rankings.exact_ranks[i]}: {rankings.exact[i]:.4f}",
                *(f"{column.ranks[i]}{_moved(column.moved[i])}: {column.means[i]:.4f}" for column in rankings.columns),
            ]
            for i, model in enumerate(rankings.models)
        ]
        header = ["model", EXACT, *(f"{engine_name(column)} {column.order}" for column in rankings.columns)]
        note = f"A cell is rank, places moved against {rankings.reference} where there are any, and mean {MEASURE}."
        return f"{layout.table(header, lines, 1)}\n\n{layout.note(note)}"
    rows = []
    for i, model in enumerate(rankings.models):
        ranks = sorted({column.ranks[i] for column in rankings.columns})
        means = [column.means[i] for column in rankings.columns]
        among = f"{ranks[0]}" if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
        rows.append(
            [
                short[model],
                rankings.exact_ranks[i],
                among,
                f"{rankings.exact[i]:.4f}",
                f"{min(means):.4f}",
                f"{max(means):.4f}",
            ]
        )
    header = ["model", "rank, exact", "by an index", f"{MEASURE}, exact", "lowest", "highest"]
    note = f"by an index, lowest, highest: over engines and orders, and mean {MEASURE}; --wide shows each."
    return f"{layout.table(header, rows, 1)}\n\n{layout.note(note)}"


def _columns_text(rankings: Rankings, layout: Layout) -> str:
    """A row an engine and order: how far its ranking is from the reference."""
    header = ["engine", "order", f"recall@{rankings.setting['k']}", "Kendall's tau", "most moved", "swaps"]
    header += [f"P(swap) ≥ {SURE}", *["P(swap) ≥ 0.5"] * layout.wide]
    rows = []
    for column in rankings.columns:
        swaps = [swap.probability for swap in column.swaps]
        row = [
            engine_name(column),
            column.order,
            f"{sum(column.recalls) / len(column.recalls):.4f}",
            f"{column.tau:.3f}",
        ]
        row += [str(max(map(abs, column.moved))), str(len(swaps)), str(sum(one >= SURE for one in swaps))]
        rows.append([*row, *[str(sum(one >= 0.5 for one in swaps))] * layout.wide])
    return layout.table(header, rows, 2)


def engine_name(column: Column) -> str:
    """An engine, with parameters of its own where there are any."""
    return column.engine if column.engine_params == "{}" else f"{column.engine} {column.engine_params}"


def _moved(places: int) -> str:
    return f" ({places:+d})" if places else ""


def _swaps_text(rankings: Rankings, short: dict[str, str], layout: Layout) -> str:
    """A row a pair of models that an engine and order turn round."""
    header = ["engine", "order", f"by {rankings.reference}", *["points ahead", "by the index"] * layout.wide]
    lines = [
        [
            engine_name(column),
            column.order,
            f"{short[swap.ahead]} > {short[swap.behind]}",
            *[f"{100 * swap.reference:+.2f}", f"{100 * swap.index:+.2f}"] * layout.wide,
            f"{swap.probability:.2f}",
            f"{swap.reference_unsure:.2f}",
            f"{swap.shifted:.2f}",
        ]
        for column in rankings.columns
        for swap in column.swaps
    ]
    if not lines:
        return layout.note(f"No pair of models stands in another order than under {rankings.reference}.")
    note = layout.note(
        "P(swap): share of resamples of queries and builds in which the index orders the two otherwise than"
        f" {rankings.reference} does on the same queries; {SURE} or more is no noise. P(unsure): share in which"
        f" {rankings.reference} itself orders them the other way than above: near 0.5, these queries cannot tell the"
        " models apart. P(shift): share in which the first is less far ahead by the index: near 1, it does"
        " favour the second, swap or not."
    )
    return f"{layout.table([*header, 'P(swap)', 'P(unsure)', 'P(shift)'], lines, 3)}\n\n{note}"


def _correlations_text(rankings: Rankings, layout: Layout) -> str:
    lines = [
        [
            f"recall@{rankings.setting['k']} and {correlation.of}",
            correlation.points,
            _between(correlation.pearson),
            _between(correlation.spearman),
        ]
        for correlation in rankings.correlations
    ]
    note = layout.note(
        f"Over models × columns; intervals by drawing models, of which there are {len(rankings.models)}: rough, and too"
        " narrow rather than too wide."
    )
    return f"{layout.table(['correlation of', 'points', 'Pearson', 'Spearman'], lines, 1)}\n\n{note}"


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
