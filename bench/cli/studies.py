"""Commands that run studies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.running import plan_study, run_presets, run_study
from bench.cli.terminal import (
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
    integer,
    items,
    say,
    terminal_layout,
    workers,
    worth_of,
)
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.indexes.presets import Preset

PresetOption = Annotated[
    str | None,
    typer.Option(
        help="M, ef_construction and ef_search at a system's defaults: a name of `bench list presets`, or all."
    ),
]
QueriesOption = Annotated[
    Path | None,
    typer.Option(
        help="A file of queries; by default those in the base's file or TOML file, otherwise rows held out of the base."
    ),
]
QueryGroupsOption = Annotated[
    Path | None,
    typer.Option(
        help="A file with one label per query, .txt one per line: queries of one label (paraphrases, one user) count "
        "as a group that is drawn as a whole."
    ),
]
OrdersOption = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated: names, with parameters as in block-shuffle:block=1024, and files of row numbers. "
        'Put labels that contain , : or + in double quotes: category:permutation="R+D"+sales. By default given, '
        "random, and those by LID, radius and residual that the data allows."
    ),
]
ReportOption = Annotated[
    bool,
    typer.Option("--report/--no-report", help="Write the results as a page next to the store; see `bench report`."),
]
PlanOption = Annotated[
    bool, typer.Option("--plan", help="Build nothing: estimate its time and the smallest difference that it can show.")
]
EnginesOption = Annotated[
    str, typer.Option(help="Comma-separated: names of `bench list engines`, and Python files of your own.")
]


def run(
    experiment: Annotated[str, typer.Argument(help="A shipped experiment's name, or the path of a TOML file.")],
    store: StoreOption = STORE,
    jobs: JobsOption = 1,
    timeout: TimeoutOption = None,
    limit: Annotated[int | None, typer.Option(help="The most rows of each base to use, drawn by seed.")] = None,
    plan: PlanOption = False,
    worth: WorthOption = None,
    with_report: ReportOption = True,
    every: AllOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build and score the trials of an experiment that the store does not have yet, then print its table.

    \b
    Example:
      bench run default
      bench run my-experiment.toml --jobs 2
      bench run my-experiment.toml --plan
    """
    from bench.study.spec.study import read

    layout = None if as_json else terminal_layout(wide, every)
    least, study = worth_of(worth), read(experiment, limit, say)
    if plan:
        plan_study(study, store, jobs, layout)
    else:
        run_study(study, store, workers(jobs, timeout), layout, with_report, f"bench run {experiment}", least)


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
        Path | None, typer.Option(help="A file of the queries' nearest base rows, to check against exact search.")
    ] = None,
    metric: MetricOption = None,
    query_groups: QueryGroupsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The most rows of the base to use, drawn by seed.")] = None,
    orders: OrdersOption = None,
    engines: EnginesOption = "hnswlib,faiss",
    ef_search: Annotated[str | None, typer.Option(help="Comma-separated; 10,40 by default.")] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Neighbours per query.")] = 10,
    m: Annotated[int | None, typer.Option("--M", min=2, help="Links per node; 16 by default.")] = None,
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

    --queries, --query-groups, --labels, --neighbors and --metric override the values in a file or dataset.

    \b
    Example:
      bench compare embeddings.npy --metric cosine
      bench compare embeddings.npy --metric cosine --plan
      bench compare base.npy --queries queries.npy --orders given,random,block-shuffle:block=4096
      bench compare embeddings.npy --engines hnswlib,./my_engine.py --orders random,./my_order.npy
      bench compare embeddings.npy --preset all --orders given,random,residual-descending --seeds 3
      bench compare reviews-lsa-384.toml --queries q.npy --labels l.txt
    """
    from bench.data.parts import Parts
    from bench.orders import table
    from bench.study.spec.comparison import comparison

    if plan and preset:
        raise BenchError(f"--plan is of one graph, and --preset {preset} may have several: leave one of the two out")
    shape = {"M": m, "ef_construction": ef_construction}
    chosen = _chosen(preset, {**shape, "ef_search": ef_search, "reference": reference, "worth": worth})
    least = worth_of(worth)
    graph = {name: value for name, value in shape.items() if value is not None}
    efs = str(max(k, 1)) if chosen else "10,40" if ef_search is None else ef_search  # a preset's own come later
    study = comparison(
        Parts(
            base=base,
            queries=queries,
            labels=labels,
            neighbors=neighbors,
            metric=metric,
            query_groups=query_groups,
            limit=limit,
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
        plan_study(study, store, jobs, layout)
    elif chosen:
        run_presets(study, preset or "", chosen, store, workers(jobs, timeout), layout, with_report)
    else:
        run_study(study, store, workers(jobs, timeout), layout, with_report, "the same command", least)


def _chosen(preset: str | None, given: dict[str, object]) -> "dict[str, Preset]":
    """Return the presets that `--preset` names; none without it.

    Raises BenchError if the command also sets parameters of those presets.
    """
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
