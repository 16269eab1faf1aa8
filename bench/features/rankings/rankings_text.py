"""Rankings of models as text."""

from collections.abc import Sequence

from bench.features.rankings.conditions import EXACT, MEASURE
from bench.features.rankings.ranking import SURE, Column, Rankings
from bench.present.text import Layout, title, with_interval


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
        note = f"A cell is rank, places moved against {rankings.reference} (if any), and mean {MEASURE}."
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
    """Return the engine's name, with its own parameters if it has any."""
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
        return layout.note(f"No pair of models changes places compared with {rankings.reference}.")
    note = layout.note(
        "P(swap): share of resamples of queries and builds in which the index ranks the two differently than"
        f" {rankings.reference} does on the same queries; {SURE} or more is not noise. P(unsure): share in which"
        f" {rankings.reference} itself ranks them in reverse: near 0.5, these queries cannot distinguish the models."
        " P(shift): share in which the index puts the first less far ahead: near 1, it favours the second, even"
        " without a swap."
    )
    return f"{layout.table([*header, 'P(swap)', 'P(unsure)', 'P(shift)'], lines, 3)}\n\n{note}"


def _correlations_text(rankings: Rankings, layout: Layout) -> str:
    lines = [
        [
            f"recall@{rankings.setting['k']} and {correlation.of}",
            correlation.points,
            with_interval(correlation.pearson, ".2f"),
            with_interval(correlation.spearman, ".2f"),
        ]
        for correlation in rankings.correlations
    ]
    note = layout.note(
        f"Over models × columns; intervals by drawing models, of which there are {len(rankings.models)}: rough, and too"
        " narrow rather than too wide."
    )
    return f"{layout.table(['correlation of', 'points', 'Pearson', 'Spearman'], lines, 1)}\n\n{note}"


def _short(names: Sequence[str]) -> dict[str, str]:
    """Return names without their common part: `lsa@64` for `npl(model=lsa@64)`."""
    parts = {name: name.partition("=") for name in names}
    if len({(head, equals) for head, equals, _ in parts.values()}) > 1 or not next(iter(parts.values()))[1]:
        return {name: name for name in names}
    return {name: tail.replace(")", "", 1) for name, (_, _, tail) in parts.items()}


def of_rankings(rankings: Rankings) -> str:
    """Return whether an index moves models for good."""
    pairs = {(swap.ahead, swap.behind) for column in rankings.columns for swap in column.swaps}
    sure = {(s.ahead, s.behind) for column in rankings.columns for s in column.swaps if s.probability >= SURE}
    if not pairs:
        return f"The ranking by {rankings.reference} holds: no model changes places."
    turned = f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'} of models change places somewhere"
    if not sure:
        return f"{turned}, none beyond what these queries and builds leave to chance: no ranking is shown to change."
    return f"{turned}, {len(sure)} of them beyond chance: compare models with the index and order that you will use."
