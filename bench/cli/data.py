"""Commands about data: its geometry, its sources, and the names that other commands take."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.terminal import (
    INTERRUPTED,
    USER_MISTAKE,
    JsonOption,
    LabelsOption,
    MetricOption,
    WideOption,
    beside,
    print_json,
    say,
    terminal_layout,
)
from bench.convert import as_text
from bench.errors import BenchError, unknown
from bench.outputs import is_stream, writer
from bench.streams import check_stdout


def lid(
    file: Annotated[str, typer.Argument(help="A file of rows, as `bench compare` takes, or the name of a dataset.")],
    k: Annotated[
        int, typer.Option("--k", help="Exact neighbours of each row to estimate from; a copy counts once.")
    ] = 100,
    estimator: Annotated[str, typer.Option(help="mle, mom or tle.")] = "mle",
    metric: MetricOption = None,
    output: Annotated[
        Path | None, typer.Option(help="A .npy file for the estimate of each row, or - for standard output.")
    ] = None,
    labels: LabelsOption = None,
    by_label: Annotated[bool, typer.Option("--by-label", help="The dimension of each label's rows instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate the local intrinsic dimension of every row, and the global dimension.

    \b
    Example:
      bench lid embeddings.npy --metric cosine --output lid.npy
      bench lid clinc150-10 --by-label
      bench lid embeddings.npy --labels categories.txt --by-label
    """
    from bench.data import catalog
    from bench.data.formats.npy import ESTIMATES, npy
    from bench.data.loading import load_whole
    from bench.data.parts import Parts
    from bench.geometry import Geometry
    from bench.geometry.describe import describe, describe_labels

    given = Parts(base=file, metric=metric, labels=labels)
    if output and output.suffix.lower() != ".npy" and not is_stream(output):
        raise BenchError(f"--output {output}: give a name that ends in .npy")
    write = writer(output, ESTIMATES, catalog.files(given)) if output else None
    check_stdout()
    geometry = Geometry(load_whole(given, say), say)
    described = describe_labels(geometry, k, estimator) if by_label else describe(geometry, k, estimator)
    if write:
        write(npy(geometry.dataset.by_source(geometry.lid(k, estimator))))
    with beside(output):
        _print_described(described, as_json)


def _print_described(described: Any, as_json: bool) -> None:
    """Print what geometry says of a dataset, or of each of its labels."""
    if as_json:
        print_json(described)
    elif isinstance(described, list):
        rows = [[*(row | {"lid_mean": f"{row['lid_mean']:.3f}"}).values()] for row in described]
        print(terminal_layout(wide=False).table([*described[0]], rows, 1))
    else:
        for name, value in described.items():
            print(f"{name:22}{value:.3f}" if isinstance(value, float) else f"{name:22}{value}")


def order(
    file: Annotated[str, typer.Argument(help="A file of rows, as `bench compare` takes, or the name of a dataset.")],
    order: Annotated[
        str, typer.Option("--order", help="A name of `bench list orders`, with parameters as in cluster:clusters=100.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="A .npy, .txt or .parquet file for the row numbers, first to last, or -.")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option("--write", help="A .npy file for the vectors themselves in the order, as float32.")
    ] = None,
    metric: MetricOption = None,
    labels: LabelsOption = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the order's ties, shuffles and centroids.")] = 1,
) -> None:
    """Write the order in which to load the rows of a file into a database: the first number is the first row to insert.

    \b
    Example:
      bench order embeddings.npy --order residual-descending --output ids.npy
      bench compare embeddings.npy --orders given,random,./ids.npy
      bench order embeddings.npy --order residual-descending --write reordered.npy
    """
    from bench import orders
    from bench.data import catalog
    from bench.data.formats import ids
    from bench.data.formats.npy import reordered, write_rows
    from bench.data.loading import load_whole
    from bench.data.parts import Parts

    name, params = orders.single(order, "--order")
    if output is None and vectors is None:
        raise BenchError("name a file for the row numbers with --output, or for the vectors with --write")
    if output:
        ids.check_suffix(output)
    if vectors and vectors.suffix.lower() != ".npy":
        raise BenchError(f"--write {vectors}: give a name that ends in .npy")
    given = Parts(base=file, metric=metric, labels=labels)
    reads = catalog.files(given)
    write = writer(output, ids.ROW_NUMBERS, reads) if output else None
    check_stdout()
    dataset = load_whole(given, say)
    kept = [*reads, *([output] if output else [])]
    write_vectors = writer(vectors, reordered(dataset.base), kept) if vectors else None
    rows = orders.of_all_rows(name, params, dataset, seed, say)
    if output and write:
        write(ids.written(rows, output))
    places = orders.own.in_base(dataset, rows)
    if write_vectors:
        write_vectors(lambda stream: write_rows(stream, dataset.base, places))
    with beside(output):
        if output:
            print(f"{output}: {len(rows):,} row numbers of {dataset.name} in the order {order}")
        if vectors:
            print(f"{vectors}: {len(places):,} vectors of {dataset.name} in the order {order}")


def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Datasets; see `bench list datasets`.")],
    as_json: JsonOption = False,
) -> None:
    """Download published datasets, check them, and keep them in the cache.

    \b
    Example:
      bench fetch fashion-mnist-784-euclidean
      bench fetch scifact nfcorpus
    """
    from bench.data import catalog
    from bench.present.progress import transfers

    check_stdout()
    rows: list[dict[str, Any]] = []
    failed = False
    for name in names:
        try:
            with transfers(say, sys.stderr.isatty()) as progress:
                fetched = catalog.fetch(name, progress)
        except BenchError as error:
            failed = True
            rows.append({"name": name, "error": str(error)})
            say(f"bench: {error}")
            continue
        except KeyboardInterrupt:
            say("interrupted: what has arrived is saved where the server allows; the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from None
        rows += [{"name": name, "path": as_text(str(f.path)), "sha256": f.sha256, "from": f.origin} for f in fetched]
        if not as_json:
            for file in fetched:
                print(f"{name}  {file.path}  sha256:{file.sha256}  (from {file.origin})", flush=True)
    if as_json:
        print_json(rows)
    if failed:
        raise typer.Exit(USER_MISTAKE)


def embed(
    texts: Annotated[Path, typer.Argument(help="A BEIR folder, or a JSON Lines or CSV file of texts.")],
    model: Annotated[
        str, typer.Option(help="A sentence-transformers model by name or folder, or lsa@d for d dimensions of LSA.")
    ],
    queries: Annotated[
        Path | None,
        typer.Option(help="A JSON Lines or CSV file of queries; without it, rows are held out of the texts."),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="The column of CSV, or the key of JSON Lines, of the texts; text by default.")
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="The column or key of the texts' labels, for the order category; without it, no labels."),
    ] = None,
    query_prefix: Annotated[
        str | None, typer.Option(help="Text to put before each query; by default the model's own.")
    ] = None,
    passage_prefix: Annotated[
        str | None, typer.Option(help="Text to put before each text to search; by default the model's own.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="The judgements in qrels/SPLIT.tsv; test by default.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse judgements of unknown queries and texts.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts per call of the model.")] = 32,
    name: Annotated[str | None, typer.Option(help="The model's name in files; the end of --model by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn texts into vectors, and write the TOML file that names them as a dataset.

    \b
    Example:
      bench embed beir/scifact --model all-MiniLM-L6-v2
      bench embed reviews.jsonl --model lsa@384
      bench embed train.csv --queries test.csv --text-column question --label-column intent --model lsa@384
    """
    from bench.data.texts.embed import embed as embed_texts

    check_stdout()
    try:
        path, record = embed_texts(
            texts,
            model,
            queries=queries,
            text_column=text_column,
            label_column=label_column,
            query_prefix=query_prefix,
            passage_prefix=passage_prefix,
            split=split,
            strict=strict,
            batch_size=batch_size,
            name=name,
            log=say,
        )
    except KeyboardInterrupt:
        say("interrupted: what is whole is saved; the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"dataset": as_text(str(path)), "embedding": record})
    else:
        print(path)


def list_(
    kind: Annotated[str, typer.Argument(help="datasets, orders, engines, experiments or presets.")],
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List datasets, orders, engines, experiments or presets.

    \b
    Example:
      bench list orders
    """
    from bench.present import listings

    if kind not in listings.KINDS:
        raise unknown("list", kind, listings.KINDS)
    rows = listings.KINDS[kind]()
    if as_json:
        print_json(rows)
        return
    print(listings.text(kind, rows, terminal_layout(wide)))
