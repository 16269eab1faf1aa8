"""The one loop: trial -> build -> search -> outcome."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache as cache_once
from functools import partial
from itertools import chain, groupby

import msgspec
import numpy as np

from bench.errors import Log
from bench.geometry import Geometry
from bench.geometry.describe import profile
from bench.indexes import INDEXES
from bench.measure import retrieval
from bench.study.execution.build import Job, check_code, data_files, measure
from bench.study.execution.refusal import refusal
from bench.study.execution.workers import Workers, in_workers
from bench.study.outcome import Failure, Outcome
from bench.study.spec.study import Study, data_of
from bench.study.store import Store
from bench.study.trial import Trial


def run(
    study: Study,
    store: Store,
    workers: Workers | None = None,
    log: Log = lambda line: None,
    trials: Sequence[Trial] | None = None,
    again: bool = False,
) -> Iterator[Outcome | Failure]:
    """Yield the results of a study's trials, or of some, that the store misses; each is on disk before it is yielded.

    trials: of `study.with_ladder`; without them `study.trials`.
    workers: processes that build; recall stays the same, times do not. Without them builds run in this process, where
        an engine that dies or hangs takes the run with it.
    log: called with a line before anything that takes time other than builds.
    again: whether what the store has is measured again.
    """
    requested = study.trials if trials is None else trials
    missing = list(requested) if again else store.missing(requested)
    if missing:
        store.check_writable()
    of_ladder = set(study.ladder)
    store.enlist(
        study.name,
        [trial for trial in requested if trial not in of_ladder],
        [trial for trial in requested if trial in of_ladder],
    )
    refused = _refused(missing, log)
    tried = [trial for trial in missing if trial not in refused]
    exact = cache_once(partial(_exact_scores, study))
    jobs = _jobs(study, store, tried, workers.count if workers else 1, log)
    for result in chain(refused.values(), in_workers(jobs, workers, log) if workers else _here(jobs, log)):
        if isinstance(result, Outcome):
            name = result.trial.data.dataset
            scores, groups = exact(name, result.trial.search.k), study.datasets[name].query_groups
            outcome = msgspec.structs.replace(result, retrieval_exact=scores, query_groups=groups)
            store.add(outcome, study.name)
            yield outcome
        else:
            store.fail(result, study.name)
            yield result


def _refused(trials: Sequence[Trial], log: Log) -> dict[Trial, Failure]:
    """Return a Failure for each trial that its engine refuses. log: called once with every reason."""
    reasons = {trial: refusal(trial.index, trial.data, trial.search.ef_search) for trial in trials}
    refused = {trial: why for trial, why in reasons.items() if why}
    for line in dict.fromkeys(f"{trial.data.dataset}: {trial.index.engine} {why}" for trial, why in refused.items()):
        log(line)
    return {trial: Failure(trial=trial, reason=why) for trial, why in refused.items()}


def _here(jobs: Iterable[Job], log: Log) -> Iterator[Outcome | Failure]:
    for job in jobs:
        if INDEXES[job.trials[0].index.engine].file:  # a user's, which is read again where it is named again
            check_code(job)
        yield from measure(job, log)


def _jobs(study: Study, store: Store, missing: list[Trial], side_by_side: int, log: Log) -> Iterator[Job]:
    """Yield every build; the files of a dataset are made once."""
    deepest = max(k for _, k in study.experiment.searches)
    for name, of_dataset in groupby(missing, key=lambda trial: trial.data.dataset):
        dataset = study.datasets[name]
        geometry = Geometry(dataset, log)
        store.describe(data_of(dataset), profile(geometry))
        files = data_files(dataset, geometry, deepest)
        for _, of_build in groupby(of_dataset, key=lambda trial: trial.build):
            searches = list(of_build)
            name = searches[0].index.engine
            yield Job(trials=searches, data=files, engine=INDEXES[name].file or name, side_by_side=side_by_side)


def _exact_scores(study: Study, name: str, k: int) -> dict[str, np.ndarray]:
    """Return the scores of the exact neighbours against a dataset's judgements; empty without judgements."""
    dataset = study.datasets[name]
    if dataset.judgements is None:
        return {}
    depth = retrieval.depth(k, dataset.judgements)
    deepest = min(dataset.n, max(depth, *(k for _, k in study.experiment.searches)))
    ids = Geometry(dataset).ground_truth(deepest)[1][:, :depth]
    ids = np.pad(ids, ((0, 0), (0, depth - ids.shape[1])), constant_values=-1)  # a base of k rows has no more
    return retrieval.scores(ids, dataset.judgements)
