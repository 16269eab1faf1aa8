"""One build: an index in one order, then every search that it serves, scored. What a worker does."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from bench import cache
from bench.cache import ArrayFile
from bench.data.dataset import Dataset, Judgements
from bench.geometry import Geometry, knn
from bench.indexes import INDEXES
from bench.indexes.engine import Searcher, params_of
from bench.measure import recall, retrieval
from bench.study.environment import environment
from bench.study.outcome import Build, Failure, Outcome
from bench.study.trial import Index, Trial

_REASON_LENGTH = 300  # characters of a failure's reason: a line, not a log


class DataFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset by the files that its arrays lie in.

    base, queries: as an engine gets them.
    points, query_points, ranks_by: the space that recall is counted in, see `Geometry`.
    distances, ids: (q, k) of the exact neighbours, for the largest k asked for.
    judgements: the arrays of `judgement_arrays`, empty without judgements.
    """

    base: ArrayFile
    queries: ArrayFile
    points: ArrayFile
    query_points: ArrayFile
    ranks_by: str
    distances: ArrayFile
    ids: ArrayFile
    judgements: dict[str, ArrayFile]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An index to build, and the trials that its searches serve; it names files and carries no arrays.

    order: (n,) int64.
    order_seconds: what it took to make.
    side_by_side: how many builds run at once.
    """

    trials: list[Trial]
    data: DataFiles
    order: ArrayFile
    order_seconds: float
    side_by_side: int


def data_files(dataset: Dataset, geometry: Geometry, k: int) -> DataFiles:
    """A dataset's files, with ground truth for k neighbours; what lies in no file is written to the cache."""
    distances, ids = geometry.ground_truth(k)
    judgements: Mapping[str, np.ndarray] = {}
    if dataset.judgements:
        judged = dataset.judgements
        judgements = cache.entry("judgements", {"digest": judged.digest}, lambda: judgement_arrays(judged)).arrays
    return DataFiles(
        base=cache.on_disk(dataset.base),
        queries=cache.on_disk(dataset.queries),
        points=cache.on_disk(geometry.points),
        query_points=cache.on_disk(geometry.query_points),
        ranks_by=geometry.ranks_by,
        distances=cache.on_disk(distances),
        ids=cache.on_disk(ids),
        judgements={name: cache.on_disk(array) for name, array in judgements.items()},
    )


def judgement_arrays(judgements: Judgements) -> dict[str, np.ndarray]:
    """Judgements as arrays: ids of queries and documents, and a row a grade."""
    rows = [(query, doc, grade) for query, grades in judgements.qrels.items() for doc, grade in grades.items()]
    queries, docs, grades = zip(*rows, strict=True) if rows else ((), (), ())
    return {
        "query_ids": judgements.query_ids,
        "doc_ids": judgements.doc_ids,
        "judged_queries": np.array(queries, dtype=str),
        "judged_docs": np.array(docs, dtype=str),
        "grades": np.array(grades, dtype=np.int64),
    }


def measure(job: Job) -> list[Outcome | Failure]:
    """What every trial of a job came to; an engine's exception is a Failure, one of ours is raised."""
    data, first = job.data, job.trials[0]
    index = first.index
    queries, ids, distances = data.queries.open(), data.ids.open(), data.distances.open()
    base, order = data.base.open(), np.array(job.order.open())
    start = time.perf_counter()
    try:
        searcher = build_index(index, base, order, first.data.metric, first.seeds.build_seed)
    except Exception as error:  # noqa: BLE001 - an engine may raise anything, and costs its own trials only
        return [Failure(trial=trial, reason=_reason("build", error)) for trial in job.trials]
    build_seconds = time.perf_counter() - start
    build = Build(
        order_seconds=job.order_seconds, build_seconds=build_seconds, environment=environment(job.side_by_side)
    )
    results: list[Outcome | Failure] = []
    for trial in job.trials:
        k = trial.search.k
        start = time.perf_counter()
        try:
            returned = _checked(searcher.search(queries, k, trial.search.ef_search), (len(queries), k), len(base))
        except Exception as error:  # noqa: BLE001 - as above
            results.append(Failure(trial=trial, reason=_reason("search", error)))
            continue
        search_seconds = time.perf_counter() - start
        reached = knn.true_distances(data.query_points.open(), data.points.open(), returned, data.ranks_by)
        results.append(
            Outcome(
                trial=trial,
                build=build,
                hits=recall.hits(returned, ids[:, :k]),
                hits_tie=recall.hits_with_ties(returned, reached, distances[:, :k]),
                ids_sha256=hashlib.sha256(returned.astype("<i8").tobytes()).hexdigest(),
                search_seconds=search_seconds,
                retrieval=retrieval.scores(returned, _judgements(tuple(sorted(data.judgements.items())))),
            )
        )
    return results


def build_index(index: Index, base: np.ndarray, order: np.ndarray, metric: str, seed: int) -> Searcher:
    """What an engine builds of `base` (n, d) in this order."""
    engine = INDEXES[index.engine]
    common = {name: getattr(index, name) for name in engine.params.__struct_fields__ if hasattr(index, name)}
    params = params_of(engine, common | msgspec.json.decode(index.engine_params), index.engine)
    return engine.build(base, order, metric, params, seed)


def _checked(returned: np.ndarray, shape: tuple[int, int], n: int) -> np.ndarray:
    """The ids that an engine returned, or a ValueError where they cannot be ids of base rows."""
    returned = np.asarray(returned)
    if returned.shape != shape or returned.dtype.kind not in "iu":
        raise ValueError(f"ids of shape {returned.shape} and type {returned.dtype}; {shape} of integers are needed")
    returned = returned.astype(np.int64, copy=False)
    if returned.size and (returned.min() < -1 or returned.max() >= n):
        raise ValueError(f"ids from {returned.min()} to {returned.max()}; the base has rows 0 to {n - 1}")
    return returned


@lru_cache(maxsize=4)
def _judgements(files: Sequence[tuple[str, ArrayFile]]) -> Judgements | None:
    """The judgements in these files, None where there are none."""
    if not files:
        return None
    arrays = {name: file.open() for name, file in files}
    qrels: dict[str, dict[str, int]] = {}
    rows = (arrays[name].tolist() for name in ("judged_queries", "judged_docs", "grades"))
    for query, document, grade in zip(*rows, strict=True):
        qrels.setdefault(query, {})[document] = grade
    return Judgements(np.asarray(arrays["query_ids"]), np.asarray(arrays["doc_ids"]), qrels)


def _reason(stage: str, error: Exception) -> str:
    """An exception as one line."""
    first = str(error).strip().partition("\n")[0]
    return f"{stage}: {type(error).__name__}: {first}"[:_REASON_LENGTH]
