"""Faults to plant in the harness and its engines, each as a context manager, for the gate to detect."""

from contextlib import ExitStack, contextmanager
from unittest import mock

import msgspec
import numpy as np

from bench import indexes
from bench.geometry import Geometry, knn
from bench.measure import recall
from bench.study.run import run
from bench.study.trial import changed


@contextmanager
def adapters(change_build=None, change_answer=None):
    """All engines with their arguments or their answers changed."""

    class Changed:
        def __init__(self, searcher, n):
            self._searcher, self._n = searcher, n

        def search(self, queries, k, ef_search):
            ids = self._searcher.search(queries, k, ef_search)
            return change_answer(ids, self._n) if change_answer else ids

    def faulty(build):
        def call(base, order, metric, params, seed):
            if change_build:
                order, params = change_build(order, params)
            return Changed(build(base, order, metric, params, seed), len(base))

        return call

    engines = {
        name: msgspec.structs.replace(engine, build=faulty(engine.build)) for name, engine in indexes.INDEXES.items()
    }
    with mock.patch.dict(indexes.INDEXES, engines):
        yield


def one_point_lower(rng):
    """Every tenth query (of k = 10) loses its nearest row, which nearly always is a hit."""

    def fewer(ids, n):
        ids = ids.copy()
        ids[rng.random(len(ids)) < 0.01 * ids.shape[1], 0] = -1
        return ids

    return adapters(change_answer=fewer)


def some_find_nothing(rng):
    """Every hundredth query finds nothing, as where a part of the graph cannot be reached; always the same ones."""

    def lost(ids, n):
        ids = ids.copy()
        ids[np.arange(len(ids)) % 100 == 50] = -1
        return ids

    return adapters(change_answer=lost)


@contextmanager
def far_rows_are_ties(rng):
    """A row a third farther than the k-th neighbour counts as if as near."""
    whole = recall.hits_with_ties
    with mock.patch.object(recall, "hits_with_ties", lambda *arguments: whole(*arguments, tolerance=0.3)):
        yield


@contextmanager
def hits_not_counted(rng):
    """Recall forgets a hit of every tenth query."""
    whole = recall.hits

    def fewer(ids, truth):
        hits = whole(ids, truth)
        return np.maximum(hits - (rng.random(len(hits)) < 0.01 * ids.shape[1]), 0)

    with mock.patch.object(recall, "hits", fewer):
        yield


def m_halved(rng):
    return adapters(lambda order, params: (order, msgspec.structs.replace(params, M=params.M // 2)))


def ef_construction_quartered(rng):
    return adapters(
        lambda order, params: (order, msgspec.structs.replace(params, ef_construction=params.ef_construction // 4))
    )


def shuffles(rng):
    return adapters(lambda order, params: (rng.permutation(order), params))


def ids_off_by_one(rng):
    return adapters(change_answer=lambda ids, n: (ids + 1) % n)


@contextmanager
def duplicates_counted_twice(rng):
    """The engine names its nearest row twice, and recall counts it twice."""

    def repeated(ids, n):
        ids = ids.copy()
        ids[:, -1] = ids[:, 0]
        return ids

    def each(ids, truth):
        return (ids[:, :, None] == truth[:, None, :]).any(axis=2).sum(axis=1)

    with ExitStack() as both:
        both.enter_context(adapters(change_answer=repeated))
        both.enter_context(mock.patch.object(recall, "hits", each))
        yield


@contextmanager
def truth_of_another_metric(rng):
    def other(self, k):
        return knn.search(self.query_points, self.points, k, "l2" if self.ranks_by == "ip" else "ip")

    with mock.patch.object(Geometry, "ground_truth", other):
        yield


FAULTS = {
    "recall 1 point lower": one_point_lower,
    "1 % of queries find nothing": some_find_nothing,
    "M halved": m_halved,
    "ef_construction quartered": ef_construction_quartered,
    "an adapter that shuffles": shuffles,
    "ids off by one": ids_off_by_one,
    "ground truth of another metric": truth_of_another_metric,
}
# Faults of the scoring, which known answers show before any statistics
MISCOUNTS = {
    "a duplicate id counted twice": duplicates_counted_twice,
    "hits not counted": hits_not_counted,
    "far rows counted as ties": far_rows_are_ties,
}


def measured(study, trials, store, shift=0, version="another"):
    """Outcomes of trials with all seeds moved by `shift`, as if of another version of the engines (None: as it is)."""

    def moved(trial, by):
        seeds = trial.seeds
        return changed(trial, build_seed=seeds.build_seed + by, order_seed=seeds.order_seed + by)

    moved_trials = [moved(trial, shift) for trial in trials]
    for _ in run(study, store, trials=moved_trials):
        pass
    keys = {trial.key for trial in moved_trials}
    outcomes = []
    for _, outcome in store.outcomes(study.name):
        if outcome.trial.key in keys:
            environment = outcome.build.environment
            if version:
                versions = environment["versions"] | dict.fromkeys(("hnswlib", "faiss-cpu"), version)
                environment = environment | {"versions": versions}
            build = msgspec.structs.replace(outcome.build, environment=environment)
            outcomes.append(msgspec.structs.replace(outcome, trial=moved(outcome.trial, -shift), build=build))
    return outcomes
