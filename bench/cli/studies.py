"""Commands that run studies."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.results import print_table
from bench.cli.terminal import (
    INTERRUPTED,
    STORE,
    JobsOption,
    JsonOption,
    StoreOption,
    integer,
    items,
    print_json,
    progress,
    say,
)
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.data.dataset import Dataset
    from bench.indexes.presets import Preset
    from bench.study.experiment import Experiment
    from bench.study.store import Outcome
    from bench.study.study import Study


def run(
    experiment: Annotated[str, typer.Argument(help="A shipped experiment's name, or the path of a TOML file.")],
    store: StoreOption = STORE,
    jobs: JobsOption = 1,
    limit: Annotated[int | None, typer.Option(help="At most so many rows of each base, drawn by seed.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Build nothing: tell how long it would take and what it could show.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build and score what an experiment asks and the store does not have yet, then print its table.

    \b
    Example:
      bench run default
      bench run my-experiment.toml --jobs 2
      bench run my-experiment.toml --plan
    """
    from bench.study.study import read

    study = read(experiment, limit)
    if plan:
        _plan(study, store, jobs, as_json)
    else:
        _run(study, store, jobs, as_json, f"bench run {experiment}")


def compare(
    base: Annotated[
        str,
        typer.Argument(
            help="Your vectors: npy, npz, HDF5, fvecs, fbin, parquet ...; or a dataset by its name or TOML file."
        ),
    ],
    queries: Annotated[
        Path | None, typer.Option(help="A file of queries; else those in the base's file, else base rows are held out.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="A file of one label a base row; .txt has one a line.")] = None,
    neighbors: Annotated[
        Path | None, typer.Option(help="A file of the queries' nearest base rows, to verify against exact search.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="l2, cosine or ip; else what the base's file states, else l2.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows of the base, drawn by seed.")] = None,
    orders: Annotated[
        str, typer.Option(help="Comma-separated; parameters after colons, as in block-shuffle:block=1024.")
    ] = "given,random,lid-ascending,lid-descending,radius-descending,residual-descending",
    engines: Annotated[str, typer.Option(help="Comma-separated; see `bench list engines`.")] = "hnswlib,faiss",
    ef_search: Annotated[str | None, typer.Option(help="Comma-separated; 10,40 unless told otherwise.")] = None,
    k: Annotated[int, typer.Option("--k", help="Neighbours asked for.")] = 10,
    m: Annotated[int | None, typer.Option("--M", help="Links a node; 16 unless told otherwise.")] = None,
    ef_construction: Annotated[
        int | None, typer.Option(help="Candidates while building; 128 unless told otherwise.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="These three as a system has them by default: a name of `bench list presets`, or all."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Builds of every order.")] = 5,
    store: StoreOption = STORE,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare orders of insertion on your own vectors, or on a dataset of the catalogue.

    \b
    Example:
      bench compare embeddings.npy --metric cosine
      bench compare base.npy --queries queries.npy --orders given,random,block-shuffle:block=4096
      bench compare embeddings.npy --preset all --orders given,random,residual-descending --seeds 3
      bench compare sift-128-euclidean.hdf5 --limit 100000
      bench compare digits
    """
    from bench.data import catalog, formats
    from bench.data import dataset as data
    from bench.data.from_files import from_files
    from bench.study.experiment import Experiment, Index, check
    from bench.study.study import Study

    shape = {"M": m, "ef_construction": ef_construction}
    chosen = _chosen(preset, {**shape, "ef_search": ef_search})
    graph = {name: value for name, value in shape.items() if value is not None}
    efs = str(max(k, 1)) if chosen else "10,40" if ef_search is None else ef_search  # a preset's own come later
    stem = formats.split(Path(base))[0].stem if base not in catalog.names() else base
    experiment = Experiment(
        title=f"Orders compared on {base}",
        datasets=[stem],
        orders=[_order(text) for text in items(orders, "--orders")],
        index=[Index(engine=name, **graph) for name in items(engines, "--engines")],
        k=k,
        ef_search=[integer(text, "--ef-search") for text in items(efs, "--ef-search")],
        build_seeds=seeds,
    )
    name = f"compare-{stem}"
    check(experiment, name)
    if catalog.is_file(base):
        dataset = from_files(Path(base), queries, labels, metric, neighbors=neighbors, limit=limit, log=say)
    else:
        beside = {"--queries": queries, "--labels": labels, "--neighbors": neighbors, "--metric": metric}
        for option, given in beside.items():
            if given is not None:
                raise BenchError(f"{option}: {base} states its own; leave {option} out")
        dataset = catalog.load(base)
        dataset = data.limit(dataset, limit) if limit else dataset
    if chosen:
        _run_presets(f"{name}-{preset}", experiment, dataset, chosen, store, jobs, as_json)
    else:
        _run(Study(name, experiment, [dataset]), store, jobs, as_json, "the same command")


def _run(study: "Study", path: Path, jobs: int, as_json: bool, resume: str) -> None:
    """Run what a store misses of a study, with progress, and print the study's table."""
    print_table(_filled([study], path, jobs, resume), as_json)


def _filled(studies: "Sequence[Study]", path: Path, jobs: int, resume: str) -> "Iterator[tuple[str, Outcome]]":
    """What studies of one name ask, from the store, after what it misses of them was run with progress."""
    from bench.study.run import run as run_study
    from bench.study.store import Store

    store = Store.create(path)
    name, trials = studies[0].name, [trial for study in studies for trial in study.trials]
    missing = store.missing(trials)
    done = 0
    say(f"{name}: {len(trials)} outcomes asked, {len(missing)} missing in {path}")
    try:
        with progress(len(missing)) as (told, step):
            for study in studies:
                for _ in run_study(study, store, jobs, told):
                    done += 1
                    step()
    except KeyboardInterrupt:
        say(f"interrupted: {done} of {len(missing)} outcomes finished and kept in {path}; {resume} goes on from there")
        raise SystemExit(INTERRUPTED) from None
    asked = {trial.key for trial in trials}
    return ((n, outcome) for n, outcome in store.outcomes(name) if outcome.trial.key in asked)


def _plan(study: "Study", path: Path, jobs: int, as_json: bool) -> None:
    """Print what a study will take and can show, from builds of a small part of its data."""
    from bench.analysis.plan import planned
    from bench.study.plan import probe
    from bench.study.store import Store

    missing = Store.open(path).missing(study.trials) if path.is_file() else study.trials
    found = planned(study, missing, list(probe(study, say)), jobs)
    if as_json:
        print_json(found)
    else:
        from bench.present.plan import plan_text

        print(plan_text(study.name, found))


def _chosen(preset: str | None, given: dict[str, object]) -> "dict[str, Preset]":
    """The presets that `--preset` names, none without it; a BenchError where their parameters are given besides."""
    if preset is None:
        return {}
    from bench.indexes.presets import ALL, SURVEYED, chosen, presets

    for name in SURVEYED:
        if given[name] is not None:
            raise BenchError(f"--preset {preset} sets --{name.replace('_', '-')} itself: leave one of the two out")
    found = chosen(preset)
    if preset == ALL and (out := [f"{p.system} ({', '.join(p.unstated)})" for p in presets().values() if p.unstated]):
        say(f"left out, for what their sources do not state: {', '.join(out)}")
    return found


def _run_presets(
    name: str,
    experiment: "Experiment",
    dataset: "Dataset",
    chosen: "dict[str, Preset]",
    path: Path,
    jobs: int,
    as_json: bool,
) -> None:
    """Run what a store misses of an experiment under systems' defaults, and print a row a system and engine."""
    from bench.analysis.presets import by_preset
    from bench.analysis.retrieval import retrieval
    from bench.present.presets import flat, preset_text
    from bench.present.retrieval import retrieval_text
    from bench.study.presets import searches, studies

    assert isinstance(experiment.k, int)
    asked = searches(chosen, experiment.k, say)
    outcomes = list(_filled(studies(name, experiment, asked, dataset), path, jobs, "the same command"))
    found, scored = by_preset(outcomes, asked, chosen), retrieval(outcomes)
    if as_json:
        print_json([flat(row) for row in found])
    else:
        print("\n\n".join([preset_text(name, found), *([retrieval_text(scored)] if scored else [])]))


def _order(text: str) -> dict[str, Any]:
    """An order as an experiment's table has it, from `name:key=value:...`; `+` stands between list items."""
    from bench.orders import parameters

    name, *pairs = text.split(":")
    given: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BenchError(f"--orders: {pair!r} in {text!r} is not key=value")
        if key in given:
            raise BenchError(f"--orders: {key} is given twice in {text!r}")
        given[key] = value.split("+") if key == "permutation" else value
    if name == "category" and "permutations" in given:  # which stands for orders, and is no parameter of one
        return {"name": name, **given, "permutations": integer(given["permutations"], "--orders: permutations")}
    return {"name": name, **parameters(name, given, strict=False)}
