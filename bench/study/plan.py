"""What a study will take and what it can show, from a probe of small builds, before anything is run."""

import time
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from bench import indexes, orders
from bench.data.dataset import Dataset, limit
from bench.geometry import Geometry
from bench.measure import recall
from bench.study.experiment import Index
from bench.study.study import Study

PROBE_ROWS = 4000  # of each dataset; half as many as well, to see how time grows
SEEDS = (1, 2, 3)
ORDERS = ("random", "residual-descending")  # two that differ as orders do, and cost little to make


class Probe(msgspec.Struct, frozen=True):
    """What a few builds of a part of a dataset showed for one index and one search.

    build_seconds: expected of a build of the whole, from t = c n^a through the two sizes probed.
    recalls: by order of ORDERS, (seeds, queries) recall a query on the part.
    """

    dataset: str
    index: Index
    ef_search: int
    k: int
    build_seconds: float
    search_seconds: float
    recalls: dict[str, np.ndarray]


def probe(study: Study, told: Callable[[str], None] = lambda line: None) -> Iterator[Probe]:
    """A Probe of every dataset × index × search of the study; nothing is stored."""
    searches = study.experiment.searches
    for dataset in study.datasets.values():
        part = limit(dataset, PROBE_ROWS)
        geometry = Geometry(part, told)
        truth = geometry.ground_truth(min(part.n, max(k for _, k in searches)))[1]
        sequences = {
            name: [orders.make(name, orders.parameters(name, {}), part, geometry, seed) for seed in SEEDS]
            for name in ORDERS
        }
        for index in study.experiment.index:
            told(f"{dataset.name}: probing {index.engine} on {part.n:,} of {dataset.n:,} rows")
            half, _ = _build(part, index, sequences["random"][0][: part.n // 2], 1)
            built = {
                name: [_build(part, index, order, seed) for seed, order in zip(SEEDS, made, strict=True)]
                for name, made in sequences.items()
            }
            seconds = float(np.median([taken for taken, _ in built["random"]]))
            growth = max(1.0, float(np.log2(seconds / half)))
            whole = seconds * (dataset.n / part.n) ** growth
            for ef_search, k in searches:
                if k <= part.n:
                    recalls, search_seconds = _search(part, truth[:, :k], built, ef_search)
                    yield Probe(dataset.name, index, ef_search, k, whole, search_seconds, recalls)


def _search(
    part: Dataset, truth: np.ndarray, built: dict[str, list[tuple[float, indexes.Searcher]]], ef_search: int
) -> tuple[dict[str, np.ndarray], float]:
    """Recall by order, and the median seconds of a search."""
    k = truth.shape[1]
    seconds, recalls = [], {}
    for name, searchers in built.items():
        rows = []
        for _, searcher in searchers:
            start = time.perf_counter()
            ids = searcher.search(part.queries, k, ef_search)
            seconds.append(time.perf_counter() - start)
            rows.append(recall.hits(ids, truth) / k)
        recalls[name] = np.array(rows)
    return recalls, float(np.median(seconds))


def _build(part: Dataset, index: Index, order: np.ndarray, seed: int) -> tuple[float, indexes.Searcher]:
    """Seconds of a build, and what was built."""
    params = indexes.Params(index.M, index.ef_construction, index.chunk, index.threads)
    start = time.perf_counter()
    searcher = indexes.INDEXES[index.engine].build(part.base, order, part.metric, params, seed)
    return time.perf_counter() - start, searcher
