"""The time that a study will take and the differences it can show, from a probe of small builds, before it is run."""

import time
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from bench import orders
from bench.data.dataset import Dataset, limit
from bench.errors import BenchError, Log
from bench.geometry import Geometry
from bench.indexes import INDEXES
from bench.indexes.engine import Searcher
from bench.measure import recall
from bench.study.execution.build import build_index, prepare
from bench.study.execution.processes import DiedError, apart
from bench.study.execution.refusal import refusal
from bench.study.spec.study import Study, data_of
from bench.study.trial import Index

PROBE_ROWS = 4000  # of each dataset; half as many as well, to see how time grows
SEEDS = (1, 2, 3)
ORDERS = ("random", "residual-descending")  # two that differ as orders do, and cost little to make


class Probe(msgspec.Struct, frozen=True):
    """The results of a few builds on a part of a dataset, for one index and one search.

    build_seconds: expected of a build of the whole, from t = c n^a through the two sizes probed.
    recalls: by order of ORDERS, (seeds, queries) recall per query on the part; on the ladder of one seed.
    """

    dataset: str
    index: Index
    ef_search: int
    k: int
    build_seconds: float
    search_seconds: float
    recalls: dict[str, np.ndarray]


def probe(study: Study, log: Log = lambda line: None) -> Iterator[Probe]:
    """A Probe of every dataset × index × search of the study, its ladder's too; nothing is stored.

    An index that cannot be built or searched is left out, and logged. Raises BenchError if none can.
    """
    probed, reasons = 0, []
    for dataset in study.datasets.values():
        part = limit(dataset, PROBE_ROWS)
        geometry = Geometry(part, log)
        truth = geometry.ground_truth(min(part.n, max(k for _, k in study.experiment.searches)))[1]
        orders_by_name = {
            name: [orders.make(name, orders.parameters(name, {}), part, geometry, seed) for seed in SEEDS]
            for name in ORDERS
        }
        for place, index in enumerate(study.indexes, start=1):
            which = f"{index.engine} ({place} of {len(study.indexes)})"
            log(f"{dataset.name}: probing {which} on {part.n:,} of {dataset.n:,} rows")
            try:
                for one in _of_index(study, dataset, part, truth, orders_by_name, index):
                    probed += 1
                    yield one
            except (BenchError, DiedError) as error:
                reasons.append(f"{dataset.name}: {index.engine}: {error}")
                log(f"left out: {reasons[-1]}")
    if reasons and not probed:
        raise BenchError(reasons[0])


def _of_index(
    study: Study,
    dataset: Dataset,
    part: Dataset,
    truth: np.ndarray,
    orders_by_name: dict[str, list[np.ndarray]],
    index: Index,
) -> Iterator[Probe]:
    """A Probe of every search of one index of a dataset that its engine does not refuse; BenchError if it does all."""
    refusals = {search: refusal(index, data_of(dataset), search[0]) for search in study.experiment.searches}
    searches = [search for search, why in refusals.items() if not why]
    if not searches:
        raise BenchError(next(iter(refusals.values())))
    ladder = study.ladder_searches(dataset, index)
    work = (dataset.name, dataset.n, part, truth, orders_by_name, index, searches, ladder)
    # Where a process has one number of threads, each index has a process
    yield from apart(_probes, work, None) if INDEXES[index.engine].threads_by_process else _probes(*work)


def _probes(
    name: str,
    n: int,
    part: Dataset,
    truth: np.ndarray,
    orders_by_name: dict[str, list[np.ndarray]],
    index: Index,
    searches: Sequence[tuple[int, int]],
    ladder: Sequence[tuple[int, int]],
) -> Iterator[Probe]:
    """A Probe of every search of one index."""
    seconds, builds = _builds(part, index, orders_by_name)
    whole = _extrapolated(part, index, orders_by_name["random"][0], seconds, n)
    one = {order: of_order[:1] for order, of_order in builds.items()}
    for ef_search, k in [*searches, *ladder]:
        if k <= part.n:
            searched = builds if (ef_search, k) in searches else one
            recalls, search_seconds = _search(part, truth[:, :k], searched, ef_search)
            yield Probe(name, index, ef_search, k, whole, search_seconds, recalls)


def _builds(
    part: Dataset, index: Index, orders_by_name: dict[str, list[np.ndarray]]
) -> tuple[float, dict[str, list[Searcher]]]:
    """Median seconds of a build in random order, and what was built, by order."""
    timed = {
        name: [_timed_build(part, index, order, seed) for seed, order in zip(SEEDS, of_name, strict=True)]
        for name, of_name in orders_by_name.items()
    }
    seconds = float(np.median([taken for taken, _ in timed["random"]]))
    return seconds, {name: [searcher for _, searcher in of_name] for name, of_name in timed.items()}


def _extrapolated(part: Dataset, index: Index, order: np.ndarray, seconds: float, n: int) -> float:
    """Expected seconds of a build of n rows, from those of all rows of the part and of half of them."""
    half, _ = _timed_build(part, index, order[: part.n // 2], 1)
    growth = max(1.0, float(np.log2(seconds / half)))
    return float(seconds * (n / part.n) ** growth)


def _search(
    part: Dataset, truth: np.ndarray, builds: dict[str, list[Searcher]], ef_search: int
) -> tuple[dict[str, np.ndarray], float]:
    """Recall by order, (seeds, queries), and the median seconds of a search."""
    k = truth.shape[1]
    seconds, recalls = [], {}
    for name, searchers in builds.items():
        rows = []
        for searcher in searchers:
            start = time.perf_counter()
            ids = searcher.search(part.queries, k, ef_search)
            seconds.append(time.perf_counter() - start)
            rows.append(recall.hits(ids, truth) / k)
        recalls[name] = np.array(rows)
    return recalls, float(np.median(seconds))


def _timed_build(part: Dataset, index: Index, order: np.ndarray, seed: int) -> tuple[float, Searcher]:
    try:
        prepare(index)
        start = time.perf_counter()
        searcher = build_index(index, part.base, order, part.metric, seed)
    except Exception as error:  # noqa: BLE001 - an engine may raise anything
        raise BenchError(f"no probe can be built: {error}") from None
    return time.perf_counter() - start, searcher
