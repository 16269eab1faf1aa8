"""One build: an index in one order, then every search that it serves, scored. A worker runs this."""

import hashlib
import os
import resource
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from bench import cache, orders
from bench.cache import ArrayFile
from bench.data.dataset import Dataset, Judgements
from bench.errors import BenchError, Log
from bench.geometry import Geometry, knn, made_by
from bench.indexes import INDEXES, find
from bench.indexes.engine import Params, Searcher, params_of
from bench.measure import recall, retrieval
from bench.study.environment import environment
from bench.study.outcome import Build, Failure, Outcome
from bench.study.provenance import order_code, provenance
from bench.study.trial import ALL_ROWS, Index, Search, Trial

_REASON_LENGTH = 300  # characters of a failure's reason: a line, not a log


class DataFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The files that hold a dataset's arrays.

    base, queries: as an engine gets them.
    labels: None if it has none.
    distances, ids: (q, k) of the exact neighbours, for the largest k asked for.
    judgements: the arrays of `judgement_arrays`, empty without judgements.
    """

    base: ArrayFile
    queries: ArrayFile
    labels: ArrayFile | None
    distances: ArrayFile
    ids: ArrayFile
    judgements: dict[str, ArrayFile]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An index to build, and the trials that its searches serve; it names files and carries no arrays.

    engine: as `indexes.find` takes it: a name, or a path.
    side_by_side: how many builds run at once.
    tried: whether a worker has died of it.
    """

    trials: list[Trial]
    data: DataFiles
    engine: str
    side_by_side: int
    tried: bool = False


def data_files(dataset: Dataset, geometry: Geometry, k: int) -> DataFiles:
    """Return a dataset's files, with ground truth for k neighbours; arrays without a file are written to the cache."""
    distances, ids = geometry.ground_truth(k)
    judgements: Mapping[str, np.ndarray] = {}
    if dataset.judgements:
        judged = dataset.judgements
        judgements = cache.entry("judgements", {"digest": judged.digest}, lambda: judgement_arrays(judged)).arrays
    return DataFiles(
        base=cache.on_disk(dataset.base),
        queries=cache.on_disk(dataset.queries),
        labels=None if dataset.labels is None else cache.on_disk(dataset.labels),
        distances=cache.on_disk(distances),
        ids=cache.on_disk(ids),
        judgements={name: cache.on_disk(array) for name, array in judgements.items()},
    )


def judgement_arrays(judgements: Judgements) -> dict[str, np.ndarray]:
    """Judgements as arrays: ids of queries and documents, a row a grade, and `leave_own_out` if that is so."""
    rule = {"leave_own_out": np.array([True])} if judgements.leave_own_out else {}
    rows = [(query, doc, grade) for query, grades in judgements.qrels.items() for doc, grade in grades.items()]
    queries, docs, grades = zip(*rows, strict=True) if rows else ((), (), ())
    return {
        "query_ids": judgements.query_ids,
        "doc_ids": judgements.doc_ids,
        "judged_queries": np.array(queries, dtype=str),
        "judged_docs": np.array(docs, dtype=str),
        "grades": np.array(grades, dtype=np.int64),
        **rule,
    }


def check_code(job: Job) -> None:
    """Raises BenchError if this process has other code than the process that listed the job's trials."""
    find(job.engine)
    trial = job.trials[0]
    here = provenance(trial.index.engine, bool(trial.data.judgements)), order_code(trial.order.order)
    if here != (trial.provenance, trial.order.order_code):
        raise BenchError("the harness or an engine changed while this command ran: run it again")


def measure(job: Job, log: Log) -> Iterator[Outcome | Failure]:
    """Yield the result of each trial of a job; an engine's exception becomes a Failure, others are raised."""
    first, files = job.trials[0], job.data
    index, data = first.index, first.data
    labels = None if files.labels is None else files.labels.open()
    dataset = Dataset(data.dataset, files.base.open(), files.queries.open(), data.metric, labels, data.fingerprint)
    geometry = Geometry(dataset, log)
    made = order_entry(dataset, geometry, first)
    order = np.array(made.arrays["order"])
    try:
        prepare(index)
        start = time.perf_counter()
        searcher = build_index(index, dataset.base, order, data.metric, first.seeds.build_seed)
        build_seconds = time.perf_counter() - start
    except BaseException as error:  # noqa: BLE001 - an engine may raise anything, and costs its own trials only
        yield from (Failure(trial=trial, reason=_reason("build", error)) for trial in job.trials)
        return
    build = Build(
        id=uuid.uuid4().hex,
        order_seconds=made.seconds,
        build_seconds=build_seconds,
        environment=environment(job.side_by_side, [index.engine]),
        facts={"peak_bytes": peak_bytes()} if INDEXES[index.engine].in_process else {},
    )
    for trial in job.trials:
        yield _searched(trial, searcher, build, geometry, files)


def peak_bytes() -> int:
    """Return the peak resident memory of this process so far (`ru_maxrss`)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _searched(
    trial: Trial, searcher: Searcher, build: Build, geometry: Geometry, files: DataFiles
) -> Outcome | Failure:
    """Return the result of one search of a build."""
    dataset, k = geometry.dataset, trial.search.k
    judgements = _judgements(tuple(sorted(files.judgements.items())))
    try:
        start = time.perf_counter()
        answer = searcher.search(dataset.queries, k, trial.search.ef_search)
        search_seconds = time.perf_counter() - start
        returned = _checked(answer, (len(dataset.queries), k), dataset.n)
        to_score = _to_score(searcher, dataset, returned, trial.search, judgements)
    except BaseException as error:  # noqa: BLE001 - as above
        return Failure(trial=trial, reason=_reason("search", error))
    reached = knn.true_distances(geometry.query_points, geometry.points, returned, geometry.ranks_by)
    return Outcome(
        trial=trial,
        build=build,
        hits=recall.hits(returned, files.ids.open()[:, :k]),
        hits_tie=recall.hits_with_ties(returned, reached, files.distances.open()[:, :k], geometry.query_duplicates),
        ids_sha256=hashlib.sha256(returned.astype("<i8").tobytes()).hexdigest(),
        search_seconds=search_seconds,
        retrieval=retrieval.scores(to_score, judgements),
    )


def _to_score(
    searcher: Searcher, dataset: Dataset, returned: np.ndarray, search: Search, judgements: Judgements | None
) -> np.ndarray:
    """The ids that retrieval scores: those returned (q, k), or of a deeper search if own documents are left out.

    The deeper search is not timed. Recall is that of the other, in which an own document counts as any row.
    """
    depth = retrieval.depth(search.k, judgements)
    if depth == search.k:
        return returned
    if depth > dataset.n:
        return np.pad(returned, ((0, 0), (0, depth - search.k)), constant_values=-1)
    answer = searcher.search(dataset.queries, depth, max(search.ef_search, depth))
    return _checked(answer, (len(dataset.queries), depth), dataset.n)


def order_entry(dataset: Dataset, geometry: Geometry, trial: Trial) -> cache.Entry:
    """The order of a trial, made once for all engines; its array is `order`."""
    name, params, seed = trial.order.order, msgspec.json.decode(trial.order.order_params), trial.seeds.order_seed

    def make() -> dict[str, np.ndarray]:
        with knn.faiss_threads(os.cpu_count() or 1):
            return {"order": orders.make(name, params, dataset, geometry, seed)}

    key = {"fingerprint": dataset.fingerprint, "metric": dataset.metric, "order_seed": seed, **made_by()}
    return cache.entry("orders", key | msgspec.structs.asdict(trial.order), make)


def prepare(index: Index) -> None:
    """Let an engine import and start what it needs, so that the first build in a process is timed as the others are."""
    INDEXES[index.engine].prepare(params_of_index(index))


def build_index(index: Index, base: np.ndarray, order: np.ndarray, metric: str, seed: int) -> Searcher:
    """Return the searcher that an engine builds from `base` (n, d) in this order."""
    searcher = INDEXES[index.engine].build(base, order, metric, params_of_index(index), seed)
    if not callable(getattr(searcher, "search", None)):
        raise TypeError(f"build returned {type(searcher).__name__}, which has no search(queries, k, ef_search)")
    return searcher


def params_of_index(index: Index) -> Params:
    """Return the parameters that its engine takes to build an index."""
    engine = INDEXES[index.engine]
    common = {name: getattr(index, name) for name in engine.params.__struct_fields__ if hasattr(index, name)}
    if index.chunk == ALL_ROWS and "chunk" in common:
        common["chunk"] = "all"
    return params_of(engine, common | msgspec.json.decode(index.engine_params), index.engine)


def _checked(returned: np.ndarray, shape: tuple[int, int], n: int) -> np.ndarray:
    """Return the ids that an engine returned. Raises ValueError if they cannot be ids of base rows."""
    returned = np.asarray(returned)
    if returned.shape != shape or returned.dtype.kind not in "iu":
        raise ValueError(f"ids of shape {returned.shape} and type {returned.dtype}; {shape} of integers are needed")
    returned = returned.astype(np.int64, copy=False)
    if returned.size and (returned.min() < -1 or returned.max() >= n):
        raise ValueError(f"ids from {returned.min()} to {returned.max()}; the base has rows 0 to {n - 1}")
    return returned


@lru_cache(maxsize=4)
def _judgements(files: Sequence[tuple[str, ArrayFile]]) -> Judgements | None:
    """Return the judgements in these files, None if there are no files."""
    if not files:
        return None
    arrays = {name: file.open() for name, file in files}
    qrels: dict[str, dict[str, int]] = {}
    rows = (arrays[name].tolist() for name in ("judged_queries", "judged_docs", "grades"))
    for query, document, grade in zip(*rows, strict=True):
        qrels.setdefault(query, {})[document] = grade
    ids = np.asarray(arrays["query_ids"]), np.asarray(arrays["doc_ids"])
    return Judgements(*ids, qrels, leave_own_out="leave_own_out" in arrays)


def _reason(stage: str, error: BaseException) -> str:
    """An exception as one line; Ctrl-C goes on."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    first = str(error).strip().partition("\n")[0]
    return f"{stage}: {type(error).__name__}: {first}"[:_REASON_LENGTH]
