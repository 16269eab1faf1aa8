"""The harness from Python and notebooks: results as pandas frames, Altair charts and a report.

The names here are stable; `import bench` gives them, and loads what they need when they are used.
"""

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench import orders as insertion_orders
from bench import streams
from bench.analysis.findings import Findings
from bench.analysis.setting import labels
from bench.api.arguments import call, items, named, order_table, parts, path, share, whole
from bench.api.result import Result
from bench.convert import as_text
from bench.data.loading import load_whole
from bench.errors import BenchError, BenchWarning, Log, unknown
from bench.geometry import Geometry
from bench.geometry.describe import check_distinct, check_lid
from bench.present.progress import outcomes as outcomes_shown
from bench.statistics.power import MARGIN
from bench.study.execution.workers import Workers
from bench.study.fill import Interrupted, Progress, fill
from bench.study.spec.comparison import comparison
from bench.study.spec.experiment import REFERENCE
from bench.study.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

    from bench.study.spec.study import Study

    Vectors = ArrayLike | pd.DataFrame | Path | str  # a str is the path of a file, or the name of a dataset
    Labels = ArrayLike | pd.Series | Path | str

__all__ = ["BenchError", "BenchWarning", "Result", "compare", "lid", "load", "order"]


@named
def compare(
    vectors: "Vectors",
    *,
    queries: "Vectors | None" = None,
    labels: "Labels | None" = None,
    metric: str | None = None,
    query_groups: "Labels | None" = None,
    orders: "Sequence[str | dict[str, Any] | ArrayLike] | None" = None,
    engines: Sequence[str] = ("hnswlib", "faiss"),
    ef_search: Sequence[int] = (10, 40),
    k: int = 10,
    M: int = 16,
    ef_construction: int = 128,
    seeds: int = 5,
    reference: str = REFERENCE,
    worth: float = 100 * MARGIN,
    limit: int | None = None,
    name: str = "vectors",
    store: Path | str | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> Result:
    """Compare orders of insertion on vectors, as `bench compare` does.

    vectors: (n, d) numbers: an array, or a DataFrame of numeric columns; or the path of a file or the name of a
        dataset, as the command takes them. Engines compute in float32.
    queries: (q, d), the same. Without them those of the file or dataset, else a tenth of the rows, at most 1,000, held
        out by seed.
    labels: (n,) integers or text for the order `category`; or the path of a file of them.
    metric: l2, cosine or ip; by default what the file or dataset states, else l2.
    query_groups: (q,) labels of queries that are not independent of each other, as paraphrases; or a path.
    orders: names with parameters ("block-shuffle:block=1024"), tables of them ({"name": "block-shuffle", "block":
        1024}), paths of files of row numbers, and (n,) integer arrays of row numbers, the first inserted first. Results
        call an array by its place, as orders[2]; {"rows": {"by-date": array}} gives it a name. By default given,
        random, and those by LID, radius and residual that the data allows.
    engines: names of `bench list engines`, and paths of Python files.
    ef_search, k: candidates of a search, and neighbours asked for. M, ef_construction: links of a node, and candidates
        while building.
    seeds: builds of every order. reference: the order that others are compared with, as results call it.
    worth: the smallest gain in recall that is worth it, in points; a smaller one counts as none.
    limit: the most rows of the base to use, drawn by seed. name: the name of arrays in results; files and datasets
        have their own names.
    store: a file that keeps outcomes: the same call goes on from there. Without one, nothing is kept but the Result.
    jobs: processes that build side by side; recall stays the same, times suffer. Engines run in processes of their own.
    progress: whether standard error shows how far it is, in notebooks too (as a bar, where ipywidgets is installed).

    Raises BenchError for a mistake of yours, KeyboardInterrupt at an interrupt, after which a named store has what
    finished. Warns by BenchWarning, also where trials failed.
    """
    command = call(compare, dict(locals()))
    log = streams.say if progress else _silent
    study = comparison(
        parts(vectors, metric, labels, queries=queries, query_groups=query_groups, limit=limit, name=name),
        orders=None if orders is None else [order_table(one, where) for where, one in items(orders, "orders")],
        index=[
            {
                "engine": str(engine),
                "M": whole(M, "M"),
                "ef_construction": whole(ef_construction, "ef_construction"),
            }
            for _, engine in items(engines, "engines")
        ],
        k=whole(k, "k"),
        ef_search=[whole(ef, where) for where, ef in items(ef_search, "ef_search")],
        build_seeds=whole(seeds, "seeds"),
        reference=reference,
        log=log,
    )
    workers, least = Workers(whole(jobs, "jobs")), share(worth, "worth")
    shown = outcomes_shown if progress else _nothing_shown
    stored = None if store is None else path(store, "store")
    with nullcontext("") if stored else TemporaryDirectory() as folder:
        kept = stored or Path(folder) / "store.sqlite"
        try:
            result = run([study], kept, workers, shown, log if stored else _silent, command, least)
        except Interrupted as stopped:
            rest = f"saved in {stored}; the same call goes on from there" if stored else "lost; a store would keep them"
            raise KeyboardInterrupt(f"{stopped.finished} of {stopped.missing} outcomes finished, {rest}") from None
    _warn_of_failures(result.findings)
    return result


def run(
    studies: "Sequence[Study]",
    store: Path,
    workers: Workers,
    progress: Progress,
    log: Log,
    command: str,
    worth: float = MARGIN,
) -> Result:
    """Measure the trials that the store does not have yet and return the Result of studies of one name.

    command: repeats this call. worth: see `Findings`. Raises Interrupted at an interrupt; what finished is in
    the store.
    """
    opened = Store.create(store)
    try:
        name, stated = studies[0].name, studies[0].experiment
        opened.note(name, as_text(stated.title), stated.reference, command)
        results = fill(studies, opened, workers, progress, log)
        of_data = profiles(opened, results.outcomes)
        findings = Findings(
            results.outcomes, results.ladder, results.failures, stated.reference, profiles=of_data, worth=worth
        )
        return Result(name, findings, opened.noted(name))
    finally:
        opened.close()


@named
def order(
    vectors: "Vectors",
    order: str,
    *,
    metric: str | None = None,
    labels: "Labels | None" = None,
    seed: int = 1,
) -> "np.ndarray":
    """(n,) int64, an order of all rows of vectors, as `bench order` writes it: the first number is inserted first.

    vectors, metric, labels: as `compare` takes them. order: a name, with parameters as in cluster:clusters=100. seed:
    what the order draws by.
    Raises BenchError for an order that is unknown, stands for several, or cannot be made of these rows.
    """
    if not isinstance(order, str):
        raise BenchError(f"order is a {type(order).__name__}: give a name with parameters, as 'cluster:clusters=100'")
    name, params = insertion_orders.single(order, "order")
    dataset = load_whole(parts(vectors, metric, labels))
    return insertion_orders.of_all_rows(name, params, dataset, whole(seed, "seed", least=0), _silent).copy()


@named
def lid(vectors: "Vectors", *, k: int = 100, estimator: str = "mle", metric: str | None = None) -> "np.ndarray":
    """Return (n,) float64: the local intrinsic dimension of each row, as `bench lid` writes it; NaN if undefined.

    vectors, metric: as `compare` takes them. k: exact neighbours of each row to estimate from; a copy counts once.
    estimator: mle, mom or tle.
    Raises BenchError for an estimator that is unknown, or a k that is not from 2 to the number of distinct rows - 1.
    """
    dataset = load_whole(parts(vectors, metric))
    check_lid(dataset, whole(k, "k"), estimator)
    geometry = Geometry(dataset)
    check_distinct(geometry, k)
    return dataset.by_source(geometry.lid(k, estimator).astype("float64"))


@named
def load(
    store: Path | str = "results/store.sqlite",
    experiment: str | None = None,
    *,
    reference: str | None = None,
    ties: bool = False,
    worth: float = 100 * MARGIN,
) -> Result:
    """Return the Result of an experiment in a store; the name is optional if the store has only one.

    reference: the order that others are compared with, by its label; by default the experiment's own. ties: whether
    recall counts rows as near as the k-th true neighbour, rather than going by id. worth: the smallest gain in recall
    that is worth it, in points.
    Raises BenchError if the store, the experiment or the order does not exist.
    """
    opened = Store.open(path(store, "store"))
    if experiment is None:
        named = opened.experiments()
        if len(named) != 1:
            raise BenchError(f"{store} has {len(named)} experiments: name one of {', '.join(named) or 'none'}")
        [experiment] = named
    return loaded(opened, experiment, reference, ties, share(worth, "worth"))


def loaded(
    store: Store, experiment: str, reference: str | None = None, ties: bool = False, worth: float = MARGIN
) -> Result:
    """As `load`, of a store that is open. worth: as a share of recall."""
    noted = store.noted(experiment)
    outcomes = list(store.outcomes(experiment))
    findings = Findings(
        outcomes,
        list(store.ladder(experiment)),
        [failure for _, failure in store.failures(experiment)],
        noted.reference if reference is None else reference,
        ties,
        profiles(store, outcomes),
        worth,
    )
    known = sorted(set(labels(findings.compared).values()))
    if reference is not None and reference not in known:
        raise unknown("order", reference, known)
    return Result(experiment, findings, noted)


def profiles(store: Store, outcomes: Any) -> Any:
    """Return the geometry that a store keeps of each dataset in `outcomes`."""
    data = dict.fromkeys(outcome.trial.data for _, outcome in outcomes)
    known = ((of, store.profile(of)) for of in data)
    return {of: arrays for of, arrays in known if arrays}


def _warn_of_failures(findings: Findings) -> None:
    """Warn (BenchWarning) if trials failed, naming the first."""
    if failures := findings.failures:
        engine, reason = failures[0].trial.index.engine, failures[0].reason
        line = f"{len(failures):,} of {findings.trials:,} trials failed, the first in {engine}: {reason}"
        warnings.warn(line, BenchWarning, stacklevel=3)


def _silent(line: str) -> None:
    pass


def _nothing_shown(total: int) -> Any:
    return nullcontext((_silent, lambda: None))
