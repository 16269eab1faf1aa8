"""Commands that show what a store has."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.terminal import STORE, JsonOption, StoreOption, WideOption, print_json, say, terminal_layout, write
from bench.errors import unknown

if TYPE_CHECKING:
    from bench.analysis.findings import Findings
    from bench.present.text import Layout
    from bench.study.store import Store


def table(
    experiment: Annotated[str | None, typer.Argument(help="One experiment; without it, all in the store.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="The order that others are compared with; random by default.")
    ] = None,
    ties: Annotated[bool, typer.Option("--ties", help="Count rows as near as the k-th, not by id alone.")] = False,
    store: StoreOption = STORE,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print recall by order from the store, and retrieval quality where data is judged.

    \b
    Example:
      bench table default
      bench table default --ties
    """
    from bench.analysis.findings import Findings
    from bench.analysis.setting import labels
    from bench.study.experiment import REFERENCE
    from bench.study.store import Store

    opened = Store.open(store)
    outcomes = opened.outcomes(experiment)
    _warn_of_unfinished(opened, experiment)
    failures = [failure for _, failure in opened.failures(experiment)]
    listed = [(name, outcome) for name, outcome in outcomes if name]
    findings = Findings(listed, opened.ladder(experiment), failures, reference or REFERENCE, ties)
    known = labels(findings.compared).values()
    if reference is not None and reference not in known:
        raise unknown("order", reference, sorted(set(known)))
    layout = None if as_json else terminal_layout(wide)
    print_table(findings, layout)


def rankings(
    experiment: Annotated[str | None, typer.Argument(help="One experiment; without it, all in the store.")] = None,
    reference: Annotated[
        str, typer.Option(help="What rankings are compared with: exact search, or an order in the same engine.")
    ] = "exact",
    store: StoreOption = STORE,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rank models by nDCG@10 under exact search, every engine and order, and say which moves are more than noise.

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
    _warn_of_unfinished(opened, experiment)
    rows = ranked(outcomes, reference)
    if as_json:
        print_json(rows)
    else:
        print(rankings_text(rows, terminal_layout(wide)))


def export(
    experiment: Annotated[str | None, typer.Option(help="One experiment; without it, all outcomes.")] = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="csv, parquet, markdown or latex; by default what --output ends in.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A file; without it, standard output.")] = None,
    store: StoreOption = STORE,
) -> None:
    """Write one tidy row an outcome.

    \b
    Example:
      bench export --output results.parquet
      bench export --experiment default --format markdown
    """
    from bench.present import export as exporting
    from bench.study.store import Store

    if kind is None:
        kind = exporting.SUFFIXES.get(output.suffix.lower(), "csv") if output else "csv"
    if kind not in exporting.FORMATS:
        raise unknown("format", kind, exporting.FORMATS)
    content = exporting.exported(exporting.tidy(Store.open(store).outcomes(experiment)), kind)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    write(output, lambda stream: stream.write(content))


def _warn_of_unfinished(store: "Store", experiment: str | None) -> None:
    for name, count in store.unfinished().items():
        if experiment in (None, name):
            say(f"warning: {name} is not finished: {count:,} of the outcomes that it asks for are missing")


def print_table(findings: "Findings", layout: "Layout | None") -> None:
    """Print what outcomes show, and which trials failed; as JSON without a layout."""
    from bench.present.categories import permuted_text
    from bench.present.failures import failures_flat, failures_text
    from bench.present.retrieval import retrieval_text
    from bench.present.summary import summary_rows, summary_text

    if layout is None:
        listed = summary_rows(findings.summaries, findings.shares, findings.retrieval)
        print_json([*listed, *findings.permuted, *failures_flat(findings.failures)])
        return
    rows, shares = findings.summaries, findings.shares
    texts = [summary_text(rows, shares, findings.reference, findings.ties, layout)] if rows else []
    texts += [retrieval_text(findings.retrieval, layout)] if findings.retrieval else []
    texts += [permuted_text(findings.permuted, layout)] if findings.permuted else []
    texts += [failures_text(findings.failures, findings.trials, layout)] if findings.failures else []
    print("\n\n".join(texts))
