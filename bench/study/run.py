"""The one loop: trial -> build -> search -> outcome."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby
from typing import NamedTuple

import msgspec
import numpy as np

from bench import indexes, orders
from bench.data.dataset import Dataset
from bench.geometry import Geometry, knn
from bench.geometry.verify import verify_given
from bench.measure import recall, retrieval
from bench.study.environment import environment
from bench.study.store import Outcome, Store
from bench.study.study import Study
from bench.study.trial import Trial

_ORDERS_BYTES = 1 << 30  # of orders kept for the next engine


class Build(NamedTuple):
    """An index to build, and the trials that its searches serve."""

    dataset: Dataset
    truth: tuple[np.ndarray, np.ndarray]  # distances and ids (q, k), for the largest k asked
    exact: dict[int, dict[str, np.ndarray]]  # by k: retrieval scores of the exact neighbours
    order: np.ndarray
    trials: list[Trial]


def run(
    study: Study,
    store: Store,
    jobs: int = 1,
    told: Callable[[str], None] = lambda line: None,
    trials: Sequence[Trial] | None = None,
    anew: bool = False,
) -> Iterator[Outcome]:
    """The outcomes of a study, or of some of its trials, that the store misses, each on disk before it is given out.

    jobs: processes that build side by side; recall stays the same, times do not. told: is called with a
    line before anything that takes time other than builds. anew: whether what the store has is measured again.
    """
    asked = study.trials if trials is None else trials
    store.enlist(study.name, asked)
    if trials is None:
        for dataset in study.datasets.values():
            verify_given(Geometry(dataset, told))
    missing = list(asked) if anew else store.missing(asked)
    found_on = environment(jobs)
    for outcome in _measured(_builds(study, missing, told), jobs):
        outcome = msgspec.structs.replace(outcome, environment=found_on)
        store.add(outcome)
        yield outcome


def _builds(study: Study, missing: list[Trial], told: Callable[[str], None]) -> Iterator[Build]:
    """Every build with its order, made just before; geometry is computed once a dataset."""
    for name, of_dataset in groupby(missing, key=lambda trial: trial.dataset):
        dataset, trials = study.datasets[name], list(of_dataset)
        geometry = Geometry(dataset, told)
        truth = geometry.ground_truth(max(k for _, k in study.experiment.searches))
        exact = {k: retrieval.scores(truth[1][:, :k], dataset.judgements) for k in {trial.k for trial in trials}}
        fitting = max(1, min(len(study.orders[name]), _ORDERS_BYTES // (8 * dataset.n)))
        made = lru_cache(maxsize=fitting)(partial(_order, dataset, geometry))  # engines share orders
        for _, searches in groupby(trials, key=lambda trial: trial.build):
            served = list(searches)
            first = served[0]
            order = made(first.order, first.order_params, first.order_seed)
            yield Build(dataset, truth, exact, order, served)


def _order(dataset: Dataset, geometry: Geometry, name: str, params: str, seed: int) -> np.ndarray:
    return orders.make(name, msgspec.json.decode(params), dataset, geometry, seed)


def _measured(builds: Iterable[Build], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        for build in builds:
            yield from measure(build)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch=jobs)
    for outcomes in parallel(delayed(_all)(build) for build in builds):
        yield from outcomes


def _all(build: Build) -> list[Outcome]:
    return list(measure(build))


def measure(build: Build) -> Iterator[Outcome]:
    """Build the index once, then search and score it for every trial that it serves."""
    first = build.trials[0]
    params = indexes.Params(first.M, first.ef_construction, first.chunk, first.threads)
    start = time.perf_counter()
    searcher = indexes.INDEXES[first.engine].build(
        build.dataset.base, build.order, first.metric, params, first.build_seed
    )
    build_seconds = time.perf_counter() - start
    geometry, (distances, ids) = Geometry(build.dataset), build.truth
    for trial in build.trials:
        start = time.perf_counter()
        found = searcher.search(build.dataset.queries, trial.k, trial.ef_search)
        search_seconds = time.perf_counter() - start
        reached = knn.true_distances(geometry.query_points, geometry.points, found, geometry.ranks_by)
        yield Outcome(
            trial=trial,
            hits=recall.hits(found, ids[:, : trial.k]),
            hits_tie=recall.hits_with_ties(found, reached, distances[:, : trial.k]),
            ids_sha256=hashlib.sha256(found.astype("<i8").tobytes()).hexdigest(),
            build_seconds=build_seconds,
            search_seconds=search_seconds,
            environment={},
            retrieval=retrieval.scores(found, build.dataset.judgements),
            retrieval_exact=build.exact[trial.k],
        )
