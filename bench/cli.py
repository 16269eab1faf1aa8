"""The commands. The only file that prints or exits.

Results go to standard output, progress and warnings to standard error. Heavy imports stand where they
are used, so that `bench --help` is quick.
"""

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TextIO

import typer

from bench.errors import BenchError, BenchWarning, unknown

if TYPE_CHECKING:
    from bench.study.spec import Study
    from bench.study.store import Outcome

USER_MISTAKE, INTERRUPTED = 2, 3
# Typer carries its own click, or uses the installed one, by version: this finds the one in use.
UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="bench",
    help="How much does the order in which vectors are inserted change the recall of an HNSW index?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StoreOption = Annotated[Path, typer.Option("--store", help="The SQLite file that keeps results.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
JobsOption = Annotated[
    int, typer.Option(min=1, help="Processes that build side by side. Recall stays the same; times suffer.")
]
STORE = Path("results/store.sqlite")


@app.command()
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
    from bench.study.spec import read

    study = read(experiment, limit)
    if plan:
        _plan(study, store, jobs, as_json)
    else:
        _run(study, store, jobs, as_json, f"bench run {experiment}")


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(help="Your vectors: a .npy file of rows.")],
    queries: Annotated[
        Path | None, typer.Option(help="A .npy file of queries; without it, base rows are held out.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="A .npy file of one label a base row.")] = None,
    metric: Annotated[str, typer.Option(help="l2, cosine or ip.")] = "l2",
    orders: Annotated[
        str, typer.Option(help="Comma-separated; parameters after colons, as in block-shuffle:block=1024.")
    ] = "given,random,lid-ascending,lid-descending,radius-descending,residual-descending",
    engines: Annotated[str, typer.Option(help="Comma-separated; see `bench list engines`.")] = "hnswlib,faiss",
    ef_search: Annotated[str, typer.Option(help="Comma-separated.")] = "10,40",
    k: Annotated[int, typer.Option("--k", help="Neighbours asked for.")] = 10,
    m: Annotated[int, typer.Option("--M", help="Links a node.")] = 16,
    ef_construction: Annotated[int, typer.Option(help="Candidates while building.")] = 128,
    seeds: Annotated[int, typer.Option(help="Builds of every order.")] = 5,
    store: StoreOption = STORE,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare orders of insertion on your own vectors.

    \b
    Example:
      bench compare embeddings.npy --metric cosine
      bench compare base.npy --queries queries.npy --orders given,random,block-shuffle:block=4096
    """
    from bench.data import catalog
    from bench.study.spec import Experiment, Index, Study, check

    experiment = Experiment(
        title=f"Orders compared on {base}",
        datasets=[base.stem],
        orders=[_order(text) for text in _items(orders, "--orders")],
        index=[Index(engine=name, M=m, ef_construction=ef_construction) for name in _items(engines, "--engines")],
        k=k,
        ef_search=[_integer(text, "--ef-search") for text in _items(ef_search, "--ef-search")],
        build_seeds=seeds,
    )
    name = f"compare-{base.stem}"
    check(experiment, name)
    dataset = catalog.from_files(base, queries, labels, metric)
    study = Study(name, experiment, [dataset])
    if queries is None:
        _say(f"{base}: {len(dataset.queries)} rows held out as queries; --queries gives your own")
    _run(study, store, jobs, as_json, "the same command")


@app.command()
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

    found = Store.open(store).outcomes(experiment)
    _print_table(((name, outcome) for name, outcome in found if name), as_json, reference, ties)


@app.command()
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
    from bench.present import tables
    from bench.study.store import Store

    if kind not in tables.FORMATS:
        raise unknown("format", kind, tables.FORMATS)
    content = tables.exported(tables.tidy(Store.open(store).outcomes(experiment)), kind)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    _write(output, lambda stream: stream.write(content))


@app.command()
def lid(
    file: Annotated[str, typer.Argument(help="A .npy file of rows, or the name of a dataset.")],
    k: Annotated[int, typer.Option("--k", help="Exact neighbours of each row to estimate from.")] = 100,
    estimator: Annotated[str, typer.Option(help="mle, mom or tle.")] = "mle",
    metric: Annotated[str | None, typer.Option(help="l2 (the default), cosine or ip; of a .npy file.")] = None,
    output: Annotated[Path | None, typer.Option(help="A .npy file for the estimate of each row.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the local intrinsic dimension of every row, and the global dimension.

    \b
    Example:
      bench lid embeddings.npy --metric cosine --output lid.npy
    """
    from bench.data import catalog
    from bench.geometry import Geometry

    if file.lower().endswith(".npy"):
        dataset = catalog.whole_file(Path(file), metric or "l2")
    elif metric is not None:
        raise BenchError(f"--metric {metric}: dataset {file!r} states its own; leave --metric out")
    else:
        dataset = catalog.load(file)
    if output and not output.absolute().parent.is_dir():
        raise BenchError(f"cannot write {output}: its folder is not there; name another file with --output")
    geometry = Geometry(dataset, _say)
    described = geometry.describe(k, estimator)
    if output:
        import numpy as np

        _write(output, lambda stream: np.save(stream, geometry.lid(k, estimator)))
    if as_json:
        _print_json(described)
        return
    for name, value in described.items():
        print(f"{name:22}{value:.3f}" if isinstance(value, float) else f"{name:22}{value}")


@app.command(name="list")
def list_(
    kind: Annotated[str, typer.Argument(help="datasets, orders, engines or experiments.")],
    as_json: JsonOption = False,
) -> None:
    """List what there is to name.

    \b
    Example:
      bench list orders
    """
    from bench.present import listings

    if kind not in listings.KINDS:
        raise unknown("list", kind, listings.KINDS)
    rows = listings.KINDS[kind]()
    if as_json:
        _print_json(rows)
    else:
        print(listings.text(rows))


@app.command()
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

    found = ranked([(name, outcome) for name, outcome in Store.open(store).outcomes(experiment) if name], reference)
    if as_json:
        _print_json(found)
    else:
        print(rankings_text(found))


def _run(study: "Study", path: Path, jobs: int, as_json: bool, resume: str) -> None:
    """Run what a store misses of a study, with progress, and print the study's table."""
    from bench.study.run import run as run_study
    from bench.study.store import Store

    store = Store.create(path)
    missing = store.missing(study.trials)
    done = 0
    _say(f"{study.name}: {len(study.trials)} outcomes asked, {len(missing)} missing in {path}")
    try:
        with _progress(len(missing)) as (told, step):
            for _ in run_study(study, store, jobs, told):
                done += 1
                step()
    except KeyboardInterrupt:
        _say(f"interrupted: {done} of {len(missing)} outcomes finished and kept in {path}; {resume} goes on from there")
        raise SystemExit(INTERRUPTED) from None
    asked = {trial.key for trial in study.trials}
    _print_table(((n, outcome) for n, outcome in store.outcomes(study.name) if outcome.trial.key in asked), as_json)


def _plan(study: "Study", path: Path, jobs: int, as_json: bool) -> None:
    """Print what a study will take and can show, from builds of a small part of its data."""
    from bench.analysis.plan import planned
    from bench.study.plan import probe
    from bench.study.store import Store

    missing = Store.open(path).missing(study.trials) if path.is_file() else study.trials
    found = planned(study, missing, list(probe(study, _say)), jobs)
    if as_json:
        _print_json(found)
    else:
        from bench.present.tables import plan_text

        print(plan_text(study.name, found))


@contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """What to call with a line, and what to call at every outcome: a bar, or lines where no terminal is."""
    if not total:
        yield _say, lambda: None
        return
    if not sys.stderr.isatty():
        from bench.present.progress import Lines

        lines = Lines(total, _say)
        yield _say, lines.step
        return
    from bench.present.progress import bar

    with bar(total) as (told, step):
        yield told, step


def _print_table(
    outcomes: "Iterable[tuple[str, Outcome]]", as_json: bool, reference: str | None = None, ties: bool = False
) -> None:
    from bench.analysis.retrieval import retrieval
    from bench.analysis.summary import labels, shares, summarize
    from bench.present.retrieval import flat as flat_retrieval
    from bench.present.retrieval import retrieval_text
    from bench.present.tables import flat, summary_text

    found = list(outcomes)
    if reference is not None and reference not in (known := labels(found)):
        raise unknown("order", reference, known)
    reference = reference or "random"
    summaries = summarize(found, reference, ties)
    scored = retrieval(found)
    if as_json:
        more = {(row.experiment, row.order, *row.setting.values()): flat_retrieval(row) for row in scored}
        _print_json([flat(s) | more.get((s.experiment, s.order, *s.setting.values()), {}) for s in summaries])
        return
    print(summary_text(summaries, shares(found, ties), reference, ties))
    if scored:
        print(f"\n{retrieval_text(scored)}")


def _items(text: str, option: str) -> list[str]:
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise BenchError(f"{option} is empty: name at least one, with commas between")
    return items


def _integer(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BenchError(f"{option}: {text!r} is not a whole number; give numbers with commas between") from None


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
    return {"name": name, **parameters(name, given, strict=False)}


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all; what is no regular file (a pipe, /dev/null) directly."""
    whole = path if path.exists() and not path.is_file() else path.with_name(f".{path.name}.part")
    try:
        with whole.open("wb") as stream:
            write(stream)
        if whole != path:
            whole.replace(path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}; name another file with --output") from None


def _print_json(value: Any) -> None:
    import msgspec

    # msgspec writes NaN, which JSON has not, as null.
    print(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"warning: {message}")


def main() -> None:
    """Run the command line; exit 0 done, 1 the gate failed, 2 the user's mistake, 3 interrupted."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", BenchWarning)
    warnings.showwarning = _warn
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is as good as Ctrl-C
    try:
        # Typer turns Ctrl-C into this code, which without standalone mode it hands back.
        if app(sys.argv[1:] or ["--help"], standalone_mode=False) == 130:
            raise KeyboardInterrupt
    except BenchError as error:
        _say(f"bench: {error}")
        raise SystemExit(USER_MISTAKE) from None
    except UsageError as error:
        _say(f"bench: {error.format_message()} See `bench --help`.")
        raise SystemExit(USER_MISTAKE) from None
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted: nothing is half written")
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # as in `bench export | head`: the reader has what it wants
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
