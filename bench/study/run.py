"""The one loop: trial -> build -> search -> outcome."""

from collections.abc import Iterator, Sequence
from functools import cache as cache_once
from functools import partial
from itertools import groupby

import msgspec
import numpy as np

from bench import cache, orders
from bench.data.dataset import Dataset
from bench.errors import Log
from bench.geometry import Geometry, made_by
from bench.geometry.describe import profile
from bench.geometry.verify import verify_given
from bench.measure import retrieval
from bench.study.build import Job, data_files, measure
from bench.study.outcome import Failure, Outcome
from bench.study.store import Store
from bench.study.study import Study, data_of
from bench.study.trial import Trial
from bench.study.workers import Workers, in_workers


def run(
    study: Study,
    store: Store,
    workers: Workers | None = None,
    log: Log = lambda line: None,
    trials: Sequence[Trial] | None = None,
    again: bool = False,
) -> Iterator[Outcome | Failure]:
    """What the trials of a study, or some of them, come to that the store misses, each on disk before it is given out.

    workers: processes that build; recall stays the same, times do not. Without them builds run in this process, where
        an engine that dies or hangs takes the run with it.
    log: called with a line before anything that takes time other than builds.
    again: whether what the store has is measured again.
    """
    requested = study.trials if trials is None else trials
    store.enlist(study.name, requested)
    if trials is None:
        for dataset in study.datasets.values():
            verify_given(Geometry(dataset, log))
    missing = list(requested) if again else store.missing(requested)
    exact = cache_once(partial(_exact_scores, study))
    jobs = _jobs(study, store, missing, workers.count if workers else 1, log)
    for results in in_workers(jobs, workers) if workers else map(measure, jobs):
        for result in results:
            if isinstance(result, Outcome):
                scores = exact(result.trial.data.dataset, result.trial.search.k)
                result = msgspec.structs.replace(result, retrieval_exact=scores)
                store.add(result)
            else:
                store.fail(result)
            yield result


def _jobs(study: Study, store: Store, missing: list[Trial], side_by_side: int, log: Log) -> Iterator[Job]:
    """Every build with its order, made just before; what belongs to a dataset is made once."""
    deepest = max(k for _, k in study.experiment.searches)
    for name, of_dataset in groupby(missing, key=lambda trial: trial.data.dataset):
        dataset = study.datasets[name]
        geometry = Geometry(dataset, log)
        if store.profile(data_of(dataset)) is None:
            store.describe(data_of(dataset), profile(geometry))
        files = data_files(dataset, geometry, deepest)
        for _, searches in groupby(of_dataset, key=lambda trial: trial.build):
            trials = list(searches)
            order = _order(dataset, geometry, trials[0])
            yield Job(
                trials=trials,
                data=files,
                order=cache.on_disk(order.arrays["order"]),
                order_seconds=order.seconds,
                side_by_side=side_by_side,
            )


def _order(dataset: Dataset, geometry: Geometry, trial: Trial) -> cache.Entry:
    """The order of a trial, made once for all engines."""
    name, params, seed = trial.order.order, msgspec.json.decode(trial.order.order_params), trial.seeds.order_seed

    def make() -> dict[str, np.ndarray]:
        return {"order": orders.make(name, params, dataset, geometry, seed)}

    key = {"fingerprint": dataset.fingerprint, "metric": dataset.metric, "order_seed": seed, **made_by()}
    return cache.entry("orders", key | msgspec.structs.asdict(trial.order), make)


def _exact_scores(study: Study, name: str, k: int) -> dict[str, np.ndarray]:
    """What the exact neighbours score against a dataset's judgements; nothing without any."""
    dataset = study.datasets[name]
    if dataset.judgements is None:
        return {}
    deepest = max(k for _, k in study.experiment.searches)
    return retrieval.scores(Geometry(dataset).ground_truth(deepest)[1][:, :k], dataset.judgements)
