"""The commands. The only file that prints or exits.

Results go to standard output, progress and warnings to standard error. Heavy imports stand where they
are used, so that `bench --help` is quick.
"""

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TextIO

import typer

from bench.errors import BenchError, BenchWarning, unknown

if TYPE_CHECKING:
    from bench.data.dataset import Dataset
    from bench.indexes.presets import Preset
    from bench.study.spec import Experiment, Study, Trial
    from bench.study.store import Outcome

FAILED, USER_MISTAKE, INTERRUPTED = 1, 2, 3
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
GateStoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Keep builds here, and take those that are here; without it all are made anew."),
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
    base: Annotated[Path, typer.Argument(help="Your vectors: npy, npz, HDF5, fvecs, bvecs, fbin, u8bin, parquet ...")],
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
    """Compare orders of insertion on your own vectors.

    \b
    Example:
      bench compare embeddings.npy --metric cosine
      bench compare base.npy --queries queries.npy --orders given,random,block-shuffle:block=4096
      bench compare embeddings.npy --preset all --orders given,random,residual-descending --seeds 3
      bench compare sift-128-euclidean.hdf5 --limit 100000
    """
    from bench.data import catalog
    from bench.data import dataset as data
    from bench.study.spec import Experiment, Index, Study, check

    shape = {"M": m, "ef_construction": ef_construction}
    chosen = _chosen(preset, {**shape, "ef_search": ef_search})
    graph = {name: value for name, value in shape.items() if value is not None}
    efs = str(max(k, 1)) if chosen else "10,40" if ef_search is None else ef_search  # a preset's own come later
    experiment = Experiment(
        title=f"Orders compared on {base}",
        datasets=[base.stem],
        orders=[_order(text) for text in _items(orders, "--orders")],
        index=[Index(engine=name, **graph) for name in _items(engines, "--engines")],
        k=k,
        ef_search=[_integer(text, "--ef-search") for text in _items(efs, "--ef-search")],
        build_seeds=seeds,
    )
    name = f"compare-{base.stem}"
    check(experiment, name)
    dataset = catalog.from_files(base, queries, labels, metric, neighbors=neighbors, told=_say)
    dataset = data.limit(dataset, limit) if limit else dataset
    if chosen:
        _run_presets(f"{name}-{preset}", experiment, dataset, chosen, store, jobs, as_json)
    else:
        _run(Study(name, experiment, [dataset]), store, jobs, as_json, "the same command")


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
    file: Annotated[str, typer.Argument(help="A file of rows, as `bench compare` takes, or the name of a dataset.")],
    k: Annotated[int, typer.Option("--k", help="Exact neighbours of each row to estimate from.")] = 100,
    estimator: Annotated[str, typer.Option(help="mle, mom or tle.")] = "mle",
    metric: Annotated[str | None, typer.Option(help="l2, cosine or ip; else what the file states, else l2.")] = None,
    output: Annotated[Path | None, typer.Option(help="A .npy file for the estimate of each row.")] = None,
    by_label: Annotated[bool, typer.Option("--by-label", help="The dimension of each label's rows instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate the local intrinsic dimension of every row, and the global dimension.

    \b
    Example:
      bench lid embeddings.npy --metric cosine --output lid.npy
      bench lid clinc150-10 --by-label
    """
    from bench.data import catalog
    from bench.geometry import Geometry

    if catalog.is_file(file):
        dataset = catalog.whole_file(Path(file), metric)
    elif metric is not None:
        raise BenchError(f"--metric {metric}: dataset {file!r} states its own; leave --metric out")
    else:
        dataset = catalog.load(file)
    if output and not output.absolute().parent.is_dir():
        raise BenchError(f"cannot write {output}: its folder is not there; name another file with --output")
    geometry = Geometry(dataset, _say)
    described = geometry.by_label(k, estimator) if by_label else geometry.describe(k, estimator)
    if output:
        import numpy as np

        _write(output, lambda stream: np.save(stream, geometry.lid(k, estimator)))
    if as_json:
        _print_json(described)
        return
    if isinstance(described, list):
        from bench.present.listings import text

        print(text([row | {"lid_mean": f"{row['lid_mean']:.3f}"} for row in described]))
        return
    for name, value in described.items():
        print(f"{name:22}{value:.3f}" if isinstance(value, float) else f"{name:22}{value}")


baseline_app = typer.Typer(help="Baselines, which `bench gate` holds later versions against.", add_completion=False)
app.add_typer(baseline_app, name="baseline")


@baseline_app.callback()
def _baseline() -> None:
    pass  # makes `save` a word of its own, though it is the only one


@baseline_app.command(name="save")
def baseline_save(
    name: Annotated[str, typer.Argument(help="A name in results/baselines, or the path of a .json file.")],
    reason: Annotated[str, typer.Option(help="Why recall is to be held against these figures.")],
    experiment: Annotated[
        str, typer.Option(help="A shipped experiment's name, or the path of a TOML file.")
    ] = "default",
    builds: Annotated[int, typer.Option(help="Builds of each order, 3 or more; a gate adds up to as many.")] = 10,
    store: GateStoreOption = None,
    jobs: JobsOption = 1,
) -> None:
    """Measure an experiment and keep it as what later versions are held against.

    \b
    Example:
      bench baseline save default --reason "first release"
      bench baseline save mine --experiment mine.toml --builds 20 --reason "new embedding model"
    """
    from bench.study import baseline
    from bench.study.spec import read, with_builds

    path = baseline.path_of(name)
    if not reason.strip():
        raise BenchError("--reason is empty: say why recall is to be held against these figures")
    if builds < baseline.LEAST_BUILDS:
        raise BenchError(f"--builds {builds}: give at least {baseline.LEAST_BUILDS}, since fewer show no spread")
    before = baseline.read(path) if path.exists() else None  # what is no baseline is not overwritten
    study = with_builds(read(experiment), builds)
    with _measuring(study, store, jobs) as measure:
        made = baseline.made(path.stem, study, experiment, reason.strip(), measure(study.trials))
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, lambda stream: stream.write(baseline.text(made).encode()))
    replaced = f", in place of that of {before.saved} ({before.reason})" if before else ""
    print(f"{path}: {len(made.outcomes)} outcomes{replaced}")


@app.command()
def gate(
    name: Annotated[str, typer.Argument(help="A baseline's name in results/baselines, or the path of its file.")],
    margin: Annotated[float, typer.Option(help="A fall in recall, in points, that is too small to matter.")] = 0.5,
    store: GateStoreOption = None,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Build a baseline's graphs again with what is installed now: exit 1 where recall has fallen.

    \b
    Example:
      bench gate default
      bench gate default --margin 1 --json
    """
    from bench.analysis.gate import check
    from bench.present.gate import flat, text
    from bench.study import baseline
    from bench.study.spec import read, with_builds

    if not 0 < margin < 100:
        raise BenchError(f"--margin {margin}: give points of recall, above 0 and below 100")
    kept = baseline.read(baseline.path_of(name))
    study = read(kept.experiment)
    first = study.experiment.build_seeds
    study = with_builds(study, kept.builds)
    baseline.check_repeats(kept, study)  # before anything is built
    with _measuring(study, store, jobs) as measure:
        report = check(kept, study, measure, first, margin / 100)
    told = text(report)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as stream:
                stream.write(told + "\n")
        except OSError as error:
            _say(f"warning: no summary written to GITHUB_STEP_SUMMARY={summary}: {error.strerror}")
    if as_json:
        _print_json(flat(report))
    else:
        print(told)
    if not report.passed:
        raise SystemExit(FAILED)


@app.command(name="list")
def list_(
    kind: Annotated[str, typer.Argument(help="datasets, orders, engines, experiments or presets.")],
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
        return
    print(listings.text(rows))
    if kind in listings.BELOW:
        print(f"\n{listings.BELOW[kind]()}")


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
        _say(f"left out, for what their sources do not state: {', '.join(out)}")
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
    from bench.present.presets import flat, preset_text
    from bench.study.presets import searches, studies

    assert isinstance(experiment.k, int)
    asked = searches(chosen, experiment.k, _say)
    found = by_preset(_filled(studies(name, experiment, asked, dataset), path, jobs, "the same command"), asked, chosen)
    if as_json:
        _print_json([flat(row) for row in found])
    else:
        print(preset_text(name, found))


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


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Datasets; see `bench list datasets`.")],
    as_json: JsonOption = False,
) -> None:
    """Download datasets that are published, check them, and keep them in the cache.

    \b
    Example:
      bench fetch fashion-mnist-784-euclidean
      bench fetch scifact nfcorpus
    """
    from bench.data import catalog
    from bench.present.progress import transfers

    rows: list[dict[str, Any]] = []
    failed = False
    for name in names:
        try:
            with transfers(_say, sys.stderr.isatty()) as progress:
                got = catalog.fetch(name, progress)
        except BenchError as error:
            failed = True
            rows.append({"name": name, "error": str(error)})
            _say(f"bench: {error}")
            continue
        except KeyboardInterrupt:
            _say("interrupted: what came is kept where the server allows; the same command goes on from there")
            raise SystemExit(INTERRUPTED) from None
        rows += [{"name": name, "path": str(f.path), "sha256": f.sha256, "from": f.came} for f in got]
        if not as_json:
            for file in got:
                print(f"{name}  {file.path}  sha256:{file.sha256}  (from {file.came})", flush=True)
    if as_json:
        _print_json(rows)
    if failed:
        raise SystemExit(USER_MISTAKE)


@app.command()
def embed(
    texts: Annotated[Path, typer.Argument(help="A BEIR folder, or a JSON Lines file of texts under the key text.")],
    model: Annotated[
        str, typer.Option(help="A sentence-transformers model by name or folder, or lsa@d for d dimensions of LSA.")
    ],
    query_prefix: Annotated[
        str | None, typer.Option(help="Put before every query; without it, what the model states.")
    ] = None,
    passage_prefix: Annotated[
        str | None, typer.Option(help="Put before every text to be found; without it, what the model states.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="The judgements in qrels/SPLIT.tsv; test unless told.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse judgements of unknown queries and texts.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts that go through the model at a time.")] = 32,
    name: Annotated[str | None, typer.Option(help="The model's name in files; the end of --model unless told.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn texts into vectors, and write the TOML file that names them as a dataset.

    \b
    Example:
      bench embed beir/scifact --model all-MiniLM-L6-v2
      bench embed reviews.jsonl --model lsa@384
    """
    from bench.data.embed import embed as embed_texts

    try:
        path, record = embed_texts(
            texts,
            model,
            query_prefix=query_prefix,
            passage_prefix=passage_prefix,
            split=split,
            strict=strict,
            batch_size=batch_size,
            name=name,
            told=_say,
        )
    except KeyboardInterrupt:
        _say("interrupted: whole blocks of texts are kept; the same command goes on from there")
        raise SystemExit(INTERRUPTED) from None
    if as_json:
        _print_json({"dataset": str(path), "embedding": record})
    else:
        print(path)


def _run(study: "Study", path: Path, jobs: int, as_json: bool, resume: str) -> None:
    """Run what a store misses of a study, with progress, and print the study's table."""
    _print_table(_filled([study], path, jobs, resume), as_json)


def _filled(studies: "Sequence[Study]", path: Path, jobs: int, resume: str) -> "Iterator[tuple[str, Outcome]]":
    """What studies of one name ask, from the store, after what it misses of them was run with progress."""
    from bench.study.run import run as run_study
    from bench.study.store import Store

    store = Store.create(path)
    name, trials = studies[0].name, [trial for study in studies for trial in study.trials]
    missing = store.missing(trials)
    done = 0
    _say(f"{name}: {len(trials)} outcomes asked, {len(missing)} missing in {path}")
    try:
        with _progress(len(missing)) as (told, step):
            for study in studies:
                for _ in run_study(study, store, jobs, told):
                    done += 1
                    step()
    except KeyboardInterrupt:
        _say(f"interrupted: {done} of {len(missing)} outcomes finished and kept in {path}; {resume} goes on from there")
        raise SystemExit(INTERRUPTED) from None
    asked = {trial.key for trial in trials}
    return ((n, outcome) for n, outcome in store.outcomes(name) if outcome.trial.key in asked)


@contextmanager
def _measuring(study: "Study", path: Path | None, jobs: int) -> "Iterator[Callable[[Sequence[Trial]], list[Outcome]]]":
    """What measures trials of a study, with progress; in a store of its own unless one is named."""
    from tempfile import TemporaryDirectory

    from bench.study.run import run as run_study
    from bench.study.store import Store

    with TemporaryDirectory() as own:
        store = Store.create(path or Path(own) / "store.sqlite")

        def measure(trials: "Sequence[Trial]") -> "list[Outcome]":
            missing = store.missing(trials)
            _say(f"{study.name}: {len(missing)} outcomes to measure")
            with _progress(len(missing)) as (told, step):
                for _ in run_study(study, store, jobs, told, trials):
                    step()
            asked = {trial.key for trial in trials}
            return [outcome for _, outcome in store.outcomes(study.name) if outcome.trial.key in asked]

        yield measure
        store.close()


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
    from bench.analysis.categories import permuted, separated
    from bench.analysis.retrieval import retrieval
    from bench.analysis.summary import labels, shares, summarize
    from bench.present.categories import permuted_text
    from bench.present.retrieval import flat as flat_retrieval
    from bench.present.retrieval import retrieval_text
    from bench.present.tables import flat, summary_text

    of_permutations, found = separated(outcomes)
    if reference is not None and reference not in (known := labels(found)):
        raise unknown("order", reference, known)
    reference = reference or "random"
    summaries = summarize(found, reference, ties) if found or not of_permutations else []
    scored, categories = retrieval(found), permuted(of_permutations, ties)
    if as_json:
        more = {(row.experiment, row.order, *row.setting.values()): flat_retrieval(row) for row in scored}
        rows = [flat(s) | more.get((s.experiment, s.order, *s.setting.values()), {}) for s in summaries]
        _print_json([*rows, *categories])
        return
    texts = [summary_text(summaries, shares(found, ties), reference, ties)] if summaries else []
    texts += [retrieval_text(scored)] if scored else []
    texts += [permuted_text(categories)] if categories else []
    print("\n\n".join(texts))


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
