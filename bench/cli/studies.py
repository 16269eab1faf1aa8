"""Commands that run studies."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.results import page_of, print_table
from bench.cli.terminal import (
    INTERRUPTED,
    STORE,
    AllOption,
    JobsOption,
    JsonOption,
    LabelsOption,
    MetricOption,
    StoreOption,
    TimeoutOption,
    WideOption,
    WorthOption,
    exit_after,
    integer,
    items,
    print_json,
    say,
    terminal_layout,
    workers,
    worth_of,
)
from bench.convert import as_text
from bench.errors import BenchError
from bench.streams import check_stdout

if TYPE_CHECKING:
    from bench.api import Result
    from bench.indexes.presets import Preset
    from bench.present.text import Layout
    from bench.study.study import Study
    from bench.study.workers import Workers

PresetOption = Annotated[
    str | None,
    typer.Option(help="M and both ef as a system has them by default: a name of `bench list presets`, or all."),
]
QueriesOption = Annotated[
    Path | None,
    typer.Option(help="A file of queries; else those that the base's file or TOML has, else base rows are held out."),
]
QueryGroupsOption = Annotated[
    Path | None,
    typer.Option(
        help="A file of one label a query, .txt one a line: queries of one label, as paraphrases or one user's, count "
        "as a group that is drawn as a whole."
    ),
]
OrdersOption = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated: names, with parameters as in block-shuffle:block=1024, and files of row numbers. "
        'Labels with , : or + in them stand in double quotes: category:permutation="R+D"+sales. By default given, '
        "random, and those by LID, radius and residual that the data allows."
    ),
]
ReportOption = Annotated[
    bool, typer.Option("--report/--no-report", help="Write the results as a page beside the store; see `bench report`.")
]
PlanOption = Annotated[
    bool, typer.Option("--plan", help="Build nothing: say how long it would take and what it could show.")
]
EnginesOption = Annotated[
    str, typer.Option(help="Comma-separated: names of `bench list engines`, and Python files of your own.")
]


def run(
    experiment: Annotated[str, typer.Argument(help="A shipped experiment's name, or the path of a TOML file.")],
    store: StoreOption = STORE,
    jobs: JobsOption = 1,
    timeout: TimeoutOption = None,
    limit: Annotated[int | None, typer.Option(help="At most so many rows of each base, drawn by seed.")] = None,
    plan: PlanOption = False,
    worth: WorthOption = None,
    with_report: ReportOption = True,
    every: AllOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build and score what an experiment asks for and the store does not have yet, then print its table.

    \b
    Example:
      bench run default
      bench run my-experiment.toml --jobs 2
      bench run my-experiment.toml --plan
    """
    from bench.study.study import read

    layout = None if as_json else terminal_layout(wide, every)
    least, study = worth_of(worth), read(experiment, limit, say)
    if plan:
        _plan(study, store, jobs, layout)
    else:
        _run(study, store, workers(jobs, timeout), layout, with_report, f"bench run {experiment}", least)


def compare(
    base: Annotated[
        str,
        typer.Argument(
            help="Your vectors: npy, npz, HDF5, fvecs, fbin, parquet ...; or a dataset by its name or TOML file."
        ),
    ],
    queries: QueriesOption = None,
    labels: LabelsOption = None,
    neighbors: Annotated[
        Path | None, typer.Option(help="A file of the queries' nearest base rows, to verify against exact search.")
    ] = None,
    metric: MetricOption = None,
    query_groups: QueryGroupsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows of the base, drawn by seed.")] = None,
    orders: OrdersOption = None,
    engines: EnginesOption = "hnswlib,faiss",
    ef_search: Annotated[str | None, typer.Option(help="Comma-separated; 10,40 by default.")] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Neighbours asked for.")] = 10,
    m: Annotated[int | None, typer.Option("--M", min=2, help="Links a node; 16 by default.")] = None,
    ef_construction: Annotated[
        int | None, typer.Option(min=1, help="Candidates while building; 128 by default.")
    ] = None,
    preset: PresetOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Builds of every order.")] = 5,
    reference: Annotated[
        str | None, typer.Option(help="The order that others are compared with; random by default.")
    ] = None,
    store: StoreOption = STORE,
    jobs: JobsOption = 1,
    timeout: TimeoutOption = None,
    plan: PlanOption = False,
    worth: WorthOption = None,
    with_report: ReportOption = True,
    every: AllOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare orders of insertion on your own vectors, or on a dataset of the catalogue.

    What is given as --queries, --query-groups, --labels, --neighbors or --metric takes the place of what a file or
    dataset states.

    \b
    Example:
      bench compare embeddings.npy --metric cosine
      bench compare embeddings.npy --metric cosine --plan
      bench compare base.npy --queries queries.npy --orders given,random,block-shuffle:block=4096
      bench compare embeddings.npy --engines hnswlib,./my_engine.py --orders random,./my_order.npy
      bench compare embeddings.npy --preset all --orders given,random,residual-descending --seeds 3
      bench compare reviews-lsa-384.toml --queries q.npy --labels l.txt
    """
    from bench.orders import table
    from bench.study.comparison import Source, comparison

    if plan and preset:
        raise BenchError(f"--plan is of one graph, and --preset {preset} may have several: leave one of the two out")
    shape = {"M": m, "ef_construction": ef_construction}
    chosen = _chosen(preset, {**shape, "ef_search": ef_search, "reference": reference, "worth": worth})
    least = worth_of(worth)
    graph = {name: value for name, value in shape.items() if value is not None}
    efs = str(max(k, 1)) if chosen else "10,40" if ef_search is None else ef_search  # a preset's own come later
    study = comparison(
        Source(
            base=base,
            queries=queries,
            labels=labels,
            neighbors=neighbors,
            metric=metric,
            query_groups=query_groups,
            rows=limit,
        ),
        orders=None if orders is None else [table(text, "--orders") for text in items(orders, "--orders")],
        index=[{"engine": name, **graph} for name in items(engines, "--engines")],
        k=k,
        ef_search=[integer(text, "--ef-search") for text in items(efs, "--ef-search")],
        build_seeds=seeds,
        reference=reference,
        log=say,
    )
    layout = None if as_json else terminal_layout(wide, every)
    if plan:
        _plan(study, store, jobs, layout)
    elif chosen:
        _run_presets(study, preset or "", chosen, store, workers(jobs, timeout), layout, with_report)
    else:
        _run(study, store, workers(jobs, timeout), layout, with_report, "the same command", least)


def _run(
    study: "Study",
    path: Path,
    workers: "Workers",
    layout: "Layout | None",
    with_report: bool,
    resume: str,
    worth: float,
) -> None:
    """Run what a store misses of a study, with progress, print the study's table, and write its page."""
    result = _result([study], path, workers, resume, worth)
    print_table(result.findings, layout)
    if with_report:
        _report(path, result)
    exit_after(result.findings.failures)


def _report(path: Path, result: "Result") -> None:
    """Write the page of an experiment; one that cannot be written costs no result."""
    page = page_of(path, result.name)
    sys.stdout.flush()  # the table comes first where both go to one place
    try:
        result.report(page)
    except BenchError as error:
        say(f"warning: no report: {error}")
    else:
        say(f"report: {page}")


def _result(studies: "Sequence[Study]", path: Path, workers: "Workers", resume: str, worth: float) -> "Result":
    """What studies of one name come to, after what the store misses of them was measured with progress."""
    from bench import api
    from bench.present.progress import outcomes
    from bench.study.fill import Interrupted

    check_stdout()
    try:
        command = as_text(shlex.join(["bench", *sys.argv[1:]]))
        return api.run(studies, path, workers, outcomes, say, command, worth)
    except Interrupted as stopped:
        say(
            f"interrupted: {stopped.finished} of {stopped.missing} outcomes finished and saved in {path}; "
            f"{resume} goes on from there"
        )
        raise typer.Exit(INTERRUPTED) from None


def _plan(study: "Study", path: Path, jobs: int, layout: "Layout | None") -> None:
    """Print what a study will take and can show, from builds of a small part of its data."""
    from bench.analysis.plan import planned
    from bench.study.plan import probe
    from bench.study.store import Store

    check_stdout()
    missing = Store.open(path).missing(study.with_ladder) if os.path.lexists(path) else study.with_ladder
    plan = planned(study, missing, list(probe(study, say)), jobs)
    if layout is None:
        print_json(plan)
    else:
        from bench.present.plan import plan_text

        print(plan_text(study.name, plan, layout))


def _chosen(preset: str | None, given: dict[str, object]) -> "dict[str, Preset]":
    """The presets that `--preset` names, none without it; a BenchError where their parameters are given too."""
    if preset is None:
        return {}
    from bench.indexes.presets import ALL, SURVEYED, chosen, presets

    for name in ("reference", "worth"):
        if given[name] is not None:
            raise BenchError(f"--preset {preset} compares every order with every other: leave --{name} out")
    for name in SURVEYED:
        if given[name] is not None:
            raise BenchError(f"--preset {preset} sets --{name.replace('_', '-')} itself: leave one of the two out")
    by_name = chosen(preset)
    if preset == ALL and (out := [f"{p.system} ({', '.join(p.unstated)})" for p in presets().values() if p.unstated]):
        say(f"left out, for what their sources do not state: {', '.join(out)}")
    return by_name


def _run_presets(
    study: "Study",
    preset: str,
    chosen: "dict[str, Preset]",
    path: Path,
    workers: "Workers",
    layout: "Layout | None",
    with_report: bool,
) -> None:
    """Run what a store misses of a comparison under systems' defaults, and print a row a system and engine."""
    from bench.analysis.presets import by_preset
    from bench.analysis.retrieval import retrieval
    from bench.present.failures import failures_flat, failures_text
    from bench.present.presets import flat, preset_text
    from bench.present.retrieval import retrieval_text
    from bench.study.presets import searches, studies

    experiment, [dataset] = study.experiment, study.datasets.values()
    assert isinstance(experiment.k, int)
    wanted = searches(chosen, experiment.k, say)
    name = f"{study.name}-{preset}"
    result = _result(studies(name, experiment, wanted, dataset), path, workers, "the same command", worth_of(None))
    results = result.findings
    rows, scored = by_preset(results.outcomes, wanted, chosen), retrieval(results.outcomes)
    if layout is None:
        print_json([*(flat(row) for row in rows), *failures_flat(results.failures)])
    else:
        texts = [preset_text(name, rows, layout)] if rows else []
        texts += [retrieval_text(scored, layout)] if scored else []
        trials = len(results.outcomes) + len(results.failures)
        texts += [failures_text(results.failures, trials, layout)] if results.failures else []
        print("\n\n".join(texts))
    if with_report:
        _report(path, result)
    exit_after(results.failures)
