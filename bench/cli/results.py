"""Commands that show what a store has."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.terminal import STORE, JsonOption, StoreOption, print_json, say, write
from bench.errors import unknown

if TYPE_CHECKING:
    from bench.study.store import Outcome, Store


def table(
    experiment: Annotated[str | None, typer.Argument(help="One experiment; without it, all in the store.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="The order that others are compared with; random unless told otherwise.")
    ] = None,
    ties: Annotated[bool, typer.Option("--ties", help="Count rows as near as the k-th, not by id alone.")] = False,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Print recall by order from the store, and retrieval quality where data is judged.

    \b
    Example:
      bench table default
      bench table default --ties
    """
    from bench.study.store import Store

    opened = Store.open(store)
    found = opened.outcomes(experiment)
    _tell_unfinished(opened, experiment)
    print_table(((name, outcome) for name, outcome in found if name), as_json, reference, ties)


def rankings(
    experiment: Annotated[str | None, typer.Argument(help="One experiment; without it, all in the store.")] = None,
    reference: Annotated[
        str, typer.Option(help="What rankings are compared with: exact search, or an order in the same engine.")
    ] = "exact",
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Rank models by nDCG@10 under exact search, every engine and order, and tell which moves are more than noise.

    \b
    Example:
      bench rankings npl-models
      bench rankings npl-models --reference random
    """
    from bench.analysis.rankings import rankings as ranked
    from bench.present.retrieval import rankings_text
    from bench.study.store import Store

    opened = Store.open(store)
    outcomes = [(name, outcome) for name, outcome in opened.outcomes(experiment) if name]
    _tell_unfinished(opened, experiment)
    found = ranked(outcomes, reference)
    if as_json:
        print_json(found)
    else:
        print(rankings_text(found))


def export(
    experiment: Annotated[str | None, typer.Option(help="One experiment; without it, all outcomes.")] = None,
    kind: Annotated[str, typer.Option("--format", help="csv, parquet, markdown or latex.")] = "csv",
    output: Annotated[Path | None, typer.Option(help="A file; without it, standard output.")] = None,
    store: StoreOption = STORE,
) -> None:
    """Write one tidy row an outcome.

    \b
    Example:
      bench export --format parquet --output results.parquet
    """
    from bench.present import export as exporting
    from bench.study.store import Store

    if kind not in exporting.FORMATS:
        raise unknown("format", kind, exporting.FORMATS)
    content = exporting.exported(exporting.tidy(Store.open(store).outcomes(experiment)), kind)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    write(output, lambda stream: stream.write(content))


def _tell_unfinished(store: "Store", experiment: str | None) -> None:
    for name, count in store.unfinished().items():
        if experiment in (None, name):
            say(f"warning: {name} is not finished: {count:,} of the outcomes that it asked are missing")


def print_table(
    outcomes: "Iterable[tuple[str, Outcome]]", as_json: bool, reference: str | None = None, ties: bool = False
) -> None:
    from bench.analysis.categories import permuted, separated
    from bench.analysis.retrieval import retrieval
    from bench.analysis.setting import labels
    from bench.analysis.summary import shares, summarize
    from bench.present.categories import permuted_text
    from bench.present.retrieval import flat as flat_retrieval
    from bench.present.retrieval import retrieval_text
    from bench.present.summary import flat, summary_text

    of_permutations, found = separated(outcomes)
    if reference is not None and reference not in (known := labels(found)):
        raise unknown("order", reference, known)
    reference = reference or "random"
    summaries = summarize(found, reference, ties) if found or not of_permutations else []
    scored, categories = retrieval(found), permuted(of_permutations, ties)
    if as_json:
        more = {(row.experiment, row.order, row.origin, *row.setting.values()): flat_retrieval(row) for row in scored}
        parts = {(found.experiment, *found.setting.values()): found.shares for found in shares(found, ties)}
        rows = [
            flat(s)
            | {"variance_shares": parts.get((s.experiment, *s.setting.values()))}
            | more.get((s.experiment, s.order, s.origin, *s.setting.values()), {})
            for s in summaries
        ]
        print_json([*rows, *categories])
        return
    texts = [summary_text(summaries, shares(found, ties), reference, ties)] if summaries else []
    texts += [retrieval_text(scored)] if scored else []
    texts += [permuted_text(categories)] if categories else []
    print("\n\n".join(texts))
