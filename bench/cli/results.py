"""Commands that show what a store has."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.terminal import (
    STORE,
    JsonOption,
    StoreOption,
    WideOption,
    WorthOption,
    beside,
    print_json,
    say,
    terminal_layout,
    worth_of,
)
from bench.errors import BenchError, unknown
from bench.outputs import STANDARD, check, is_stream, writer

if TYPE_CHECKING:
    from bench.analysis.findings import Findings
    from bench.present.text import Layout
    from bench.study.store import Store


def table(
    experiment: Annotated[str | None, typer.Argument(help="One experiment; without it, all in the store.")] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="The order that others are compared with; by default the experiment's own."),
    ] = None,
    ties: Annotated[bool, typer.Option("--ties", help="Count rows as near as the k-th, not by id alone.")] = False,
    by_engine: Annotated[bool, typer.Option("--by-engine", help="One row per engine, one column per order.")] = False,
    worth: WorthOption = None,
    store: StoreOption = STORE,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print recall by order from the store, and retrieval quality if data has judgements.

    \b
    Example:
      bench table default
      bench table default --ties
      bench table engines --by-engine
    """
    from bench.analysis.findings import Findings
    from bench.analysis.setting import labels
    from bench.study.spec.experiment import REFERENCE
    from bench.study.store import Store

    opened = Store.open(store)
    outcomes = opened.outcomes(experiment)
    _warn_of_unfinished(opened, experiment)
    failures = [failure for _, failure in opened.failures(experiment)]
    listed = [(name, outcome) for name, outcome in outcomes if name]
    stated = opened.noted(experiment).reference if experiment else REFERENCE
    named = reference or stated or REFERENCE
    findings = Findings(listed, opened.ladder(experiment), failures, named, ties, worth=worth_of(worth))
    _check_reference(reference, labels(findings.compared).values())
    if by_engine and as_json:
        raise BenchError("--by-engine lays out a table: leave it out of --json, which has all of its figures")
    if by_engine:
        from bench.present.engines import engines_text

        print(engines_text(findings, terminal_layout(wide)))
        return
    print_table(findings, None if as_json else terminal_layout(wide))


def report(
    experiment: Annotated[
        str | None, typer.Argument(help="One experiment; without it, a page for each in the store.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The order that others are compared with; by default the experiment's own.")
    ] = None,
    ties: Annotated[bool, typer.Option("--ties", help="Count rows as near as the k-th, not by id alone.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="The page's file; by default EXPERIMENT.html next to the store.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="A folder for every chart of every setting as SVG and PNG, and no page.")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="What changed from A to B: experiments, store files or baselines."),
    ] = None,
    worth: WorthOption = None,
    store: StoreOption = STORE,
) -> None:
    """Write results as a page: the answer, charts, all figures and how they were made, in one file.

    \b
    Example:
      bench report default
      bench report clinc150 --output clinc150.html
      bench report clinc150 --figures figures/
      bench report --compare before.sqlite after.sqlite --output changes.html
    """
    from bench import api
    from bench.present.page.html import PAGE
    from bench.study.store import Store

    if compare:
        if figures or reference or ties or worth is not None:
            raise BenchError(
                "--compare has recall by id and no reference: leave --figures, --reference, --ties, --worth out"
            )
        page = _changes_page(*compare, store, experiment, output)
        with beside(output):
            print(page)
        return
    if figures and output:
        raise BenchError("--figures writes no page: leave --output out, or write the page by a call of its own")
    opened = Store.open(store)
    named = opened.experiments() if experiment is None else [experiment]
    if not named:
        raise BenchError(f"{store} has no experiment: run `bench run` first, or name another store with --store")
    if output and len(named) > 1:
        raise BenchError(
            f"--output is one page, and {store} has {len(named)} experiments: name one of {', '.join(named)}"
        )
    pages = {name: output or page_of(store, f"{name}-ties" if ties else name) for name in named}
    for page in [] if figures else pages.values():
        check(page, PAGE, [store])
    _warn_of_unfinished(opened, experiment)
    for name in named:
        result = api.loaded(opened, name, reference, ties, worth_of(worth))
        if figures:
            folder = figures / name if len(named) > 1 else figures
            print(f"{len(result.figures(folder))} files in {folder}")
        else:
            with beside(output):
                print(result.report(pages[name]))


def _changes_page(before: str, after: str, store: Path, experiment: str | None, output: Path | None) -> Path:
    """Write the page of what changed from one set of outcomes to another."""
    from bench.features.changes.change import changes, not_shared
    from bench.features.changes.changes_page import changes_page
    from bench.features.changes.side import side
    from bench.present.page.html import PAGE, written

    path = output or page_of(store, f"{Path(before).stem}-{Path(after).stem}")
    check(path, PAGE, [store, Path(before), Path(after)])
    then, now = (side(named, store, experiment) for named in (before, after))
    shown = changes(then.outcomes, now.outcomes)
    if not shown.lines:
        none = " and no ".join(not_shared(then.outcomes, now.outcomes)) or "data, index, order and search together"
        raise BenchError(f"{then.name} and {now.name} have no line in common: they share no {none}")
    return written(changes_page(shown, then, now), path)


def page_of(store: Path, experiment: str) -> Path:
    """Return the page of an experiment: it is next to the store."""
    return store.parent / f"{experiment.replace('/', '-')}.html"


def _check_reference(reference: str | None, known: "Collection[str]") -> None:
    if reference is not None and reference not in known:
        raise unknown("order", reference, sorted(set(known)))


def rankings(
    experiment: Annotated[str | None, typer.Argument(help="One experiment; without it, all in the store.")] = None,
    reference: Annotated[
        str, typer.Option(help="The reference of rankings: exact search, or an order in the same engine.")
    ] = "exact",
    store: StoreOption = STORE,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rank models by nDCG@10 under exact search, each engine and each order; show changes of rank above noise.

    \b
    Example:
      bench rankings npl-models
      bench rankings npl-models --reference random
    """
    from bench.features.rankings.ranking import rankings as ranked
    from bench.features.rankings.rankings_text import rankings_text
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
        str | None, typer.Option("--format", help="csv, parquet, markdown or latex; by default the ending of --output.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A file; without it, standard output.")] = None,
    store: StoreOption = STORE,
) -> None:
    """Write one tidy row per outcome; as LaTeX, the tables of `bench table` for a paper.

    \b
    Example:
      bench export --output results.parquet
      bench export --experiment default --format markdown
      bench export --experiment clinc150 --output table.tex
    """
    from bench.analysis.findings import Findings
    from bench.present import export as exporting
    from bench.present.latex import latex
    from bench.study.spec.experiment import REFERENCE
    from bench.study.store import Store

    suffixes = {**exporting.SUFFIXES, ".tex": "latex"}
    if kind is None:
        kind = suffixes.get(output.suffix.lower(), "" if not is_stream(output) else "csv") if output else "csv"
        if not kind:
            raise BenchError(f"--output {output}: give a name that ends in {' or '.join(suffixes)}, or a --format")
    if kind not in suffixes.values():
        raise unknown("format", kind, suffixes.values())
    write = writer(output or STANDARD, exporting.EXPORT, [store])
    opened = Store.open(store)
    if kind == "latex":
        listed = [(name, outcome) for name, outcome in opened.outcomes(experiment) if name]
        reference = opened.noted(experiment).reference if experiment else REFERENCE
        content = latex(Findings(listed, opened.ladder(experiment), reference=reference)).encode()
    else:
        content = exporting.exported(exporting.tidy(opened.outcomes(experiment)), kind)
    write(content)


def _warn_of_unfinished(store: "Store", experiment: str | None) -> None:
    for name, count in store.unfinished().items():
        if experiment in (None, name):
            say(f"warning: {name} is not finished: {count:,} of the outcomes that it asks for are missing")


def print_table(findings: "Findings", layout: "Layout | None") -> None:
    """Print what outcomes show, and which trials failed; as JSON without a layout."""
    from bench.features import sections
    from bench.present.failures import failures_flat, failures_text
    from bench.present.retrieval import retrieval_text
    from bench.present.summary import summary_rows, summary_text
    from bench.present.versions import versions_text

    if layout is None:
        listed = summary_rows(findings.summaries, findings.shares, findings.retrieval)
        print_json(
            [
                *listed,
                *(row for section in sections() for row in section.rows(findings)),
                *failures_flat(findings.failures),
            ]
        )
        return
    rows, shares = findings.summaries, findings.shares
    texts = [summary_text(rows, shares, findings.advice, findings.ties, layout)] if rows else []
    texts += [text] if (text := versions_text(findings, layout)) else []
    texts += [retrieval_text(findings.retrieval, layout)] if findings.retrieval else []
    texts += [text for section in sections() if (text := section.text(findings, layout))]
    texts += [failures_text(findings.failures, findings.trials, layout)] if findings.failures else []
    print("\n\n".join(texts))
