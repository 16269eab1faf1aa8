"""Populations of real builds, from which `make calibrate` draws studies whose truth is known.

Data that nothing was tuned on as well: generators with seeds that no test uses, tails, scales and dimensions that none
of the shipped data has, and real sentence embeddings where `BENCH_MIRROR` has them.
"""

import argparse
import json
import os
import pickle
import sys
from collections import defaultdict
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from support.datasets import checked, load
from tools import calibrate_permutations

from bench.analysis.setting import by_setting, samples
from bench.data import dataset
from bench.features.categories.permutations import crossed
from bench.study.execution.workers import Workers
from bench.study.order_labels import label
from bench.study.run import run
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

ORDERS = ("random", "lid-descending", "radius-ascending")  # the last two are those that move recall most
BY_CATEGORY = ("random", "lid-descending", "category")  # of data whose builds fall apart in category order
EF_SEARCH = (10, 40)
K = 10
BUILDS = 40
LADDER_BUILDS = 20  # of these, of `random`, are searched on the ladder too, which takes longest
ROWS = 3000
REAL_ROWS = 4000  # of sentence embeddings


class Population(NamedTuple):
    """Builds of one dataset in one engine.

    name: of both.
    orders: `random` first, the order that is compared with it on its own last.
    recalls: {ef_search: {order: (builds, queries)}}, of an order the same builds at every ef_search; at EF_SEARCH of
        all orders, on the ladder beyond of the first LADDER_BUILDS of `random` alone.
    groups: (queries,) where queries belong together.
    """

    name: str
    orders: tuple[str, ...]
    recalls: dict[int, dict[str, np.ndarray]]
    groups: np.ndarray | None


def heavy_tails(rng):
    """Rows of 24 independent values of Student's t with 2.5 degrees of freedom."""
    return rng.standard_t(2.5, (ROWS + 1000, 24))


def three_dimensions(rng):
    """Recall close to 1."""
    return rng.standard_normal((ROWS + 1000, 3))


def two_hundred_dimensions(rng):
    """Recall far from 1."""
    return rng.standard_normal((ROWS + 1000, 200))


def scales(rng):
    """Sixteen dimensions whose spread differs from row to row by four times and more."""
    return rng.standard_normal((ROWS + 1000, 16)) * np.exp(rng.normal(1, 0.7, (ROWS + 1000, 1)))


def cube(rng):
    """Uniform in eight dimensions, so that a third of the rows is near an edge."""
    return rng.random((ROWS + 1000, 8))


def clusters(rng, count=12):
    """Gaussian clusters far apart: of ten builds in category order one loses a part of some cluster."""
    centres = rng.standard_normal((count, 8))
    centres *= 16 / np.linalg.norm(centres, axis=1, keepdims=True)
    labels = rng.integers(len(centres), size=ROWS + 1000)
    return centres[labels] + rng.standard_normal((len(labels), 8)), labels


def near_duplicates(rng):
    """Two hundred rows that some twenty others nearly repeat: links to one's own copies leave few to any other."""
    rows = rng.standard_normal((200, 16))
    labels = rng.integers(len(rows), size=ROWS + 1000)
    return rows[labels] + 0.01 * rng.standard_normal((len(labels), 16)), labels


def chains(rng):
    """Twenty random walks: a link that is pruned cuts a walk in two."""
    walks = np.cumsum(rng.standard_normal((20, (ROWS + 1000) // 20, 16)), axis=1)
    labels = np.repeat(np.arange(len(walks)), walks.shape[1])
    mixed = rng.permutation(len(labels))
    return walks.reshape(-1, 16)[mixed], labels[mixed]


OWN = (heavy_tails, three_dimensions, two_hundred_dimensions, scales, cube)
FRAGILE = (clusters, near_duplicates, chains)  # with labels; builds in category order fall apart now and then
GENERATED = (
    ("image-patches", {"n": ROWS}),
    ("digits", {}),
    ("image-patches", {"n": ROWS, "seed": 77}),
    ("subspace", {"n": ROWS, "d": 96, "intrinsic_dimension": 12, "seed": 79}),
    ("mixture", {"n": ROWS, "dimensions": [2, 6, 12, 24], "seed": 78}),
)
REAL = ("clinc150", "clinc150-in-scope", "wordnet")


def datasets():
    """All that there are; without BENCH_MIRROR none of real data."""
    loaded = [load(name, parameters) for name, parameters in GENERATED]
    loaded += [own(number) for number in range(len(OWN))]
    loaded += [fragile(number) for number in range(len(FRAGILE))]
    if os.environ.get("BENCH_MIRROR"):
        loaded += [dataset.limit(load(name), REAL_ROWS) for name in REAL]
    return loaded


def own(number):
    """The Dataset of OWN by its place."""
    points = OWN[number](np.random.default_rng([2026, number])).astype(np.float32)
    return checked(OWN[number].__name__, points[:ROWS], points[ROWS:], "l2")


def fragile(number):
    """The Dataset of FRAGILE by its place."""
    return _labelled(FRAGILE[number].__name__, FRAGILE[number](np.random.default_rng([2027, number])))


def _labelled(name, drawn):
    points, labels = drawn
    points = points.astype(np.float32)
    return checked(name, points[:ROWS], points[ROWS:], "l2", labels[:ROWS])


def orders_of(name):
    """The orders of a dataset, by its name."""
    return BY_CATEGORY if name in {make.__name__ for make in FRAGILE} else ORDERS


def studies(loaded, builds):
    """A Study of every dataset in hnswlib, and in FAISS of those that ship."""
    for of_data in loaded:
        ships = of_data.name in ("image-patches(n=3000)", "digits")
        for engine in ("hnswlib", "faiss") if ships else ("hnswlib",):
            experiment = Experiment(
                datasets=[of_data.name],
                orders=list(orders_of(of_data.name)),
                index=[{"engine": engine}],
                ef_search=list(EF_SEARCH),
                build_seeds=builds,
            )
            yield f"{of_data.name}, {engine}", Study("calibration", experiment, [of_data])


def parser(about):
    """Options of every calibration."""
    options = argparse.ArgumentParser(description=about.splitlines()[0])
    options.add_argument("--store", type=Path, default=Path("results/calibration.sqlite"))
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="two small populations and few studies, for a first look")
    return options


def populations(path, jobs=1, builds=BUILDS, loaded=None):
    """Every Population, built where the store at `path` has not got it."""
    store = Store.create(path)
    named = list(studies(datasets() if loaded is None else loaded, builds))
    for name, study in named:
        print(f"{name}: {len(store.missing(_trials(study)))} outcomes to build", file=sys.stderr, flush=True)  # noqa: T201
        for _ in run(study, store, Workers(jobs), trials=_trials(study)):
            pass
    population_of = {trial.key: name for name, study in named for trial in _trials(study)}
    of_population = defaultdict(list)
    for _, outcome in chain(store.outcomes("calibration"), store.ladder("calibration")):
        name = population_of.get(outcome.trial.key)
        if name is not None:
            of_population[name].append(outcome)
    return [_population(name, tuple(study.experiment.orders), of_population.pop(name)) for name, study in named]


def _trials(study):
    """All of a study's trials, but on the ladder those of the first builds alone."""
    on_ladder = set(study.ladder)
    return [t for t in study.with_ladder if t.seeds.build_seed <= LADDER_BUILDS or t not in on_ladder]


def permuted(path, jobs=1):
    """(name, {ef_search: calibrate_permutations.Population}) of whole categories in every sequence, two seeds each: of
    four in a generated mixture, of five clusters far apart, and where BENCH_MIRROR has them of five domains of
    CLINC150, searched from outside."""
    loaded = [load("mixture", {"n": ROWS, "dimensions": [2, 6, 12, 24], "seed": 78})]
    loaded += [_labelled("five_clusters", clusters(np.random.default_rng([2028]), 5))]
    if os.environ.get("BENCH_MIRROR"):
        loaded += [dataset.limit(load("clinc150-5-oos"), REAL_ROWS)]
    store, built = Store.create(path), []
    for data in loaded:
        experiment = Experiment(
            datasets=[data.name],
            orders=[{"name": "category", "permutations": 120}],
            index=[{"engine": "hnswlib"}],
            ef_search=list(EF_SEARCH),
            build_seeds=2,
            reference="",
        )
        study = Study("permutations", experiment, [data])
        print(f"permutations of {data.name}: {len(store.missing(study.trials))} outcomes to build", file=sys.stderr)  # noqa: T201
        for _ in run(study, store, Workers(jobs)):
            pass
        wanted = {trial.key for trial in study.trials}
        outcomes = [pair for pair in store.outcomes("permutations") if pair[1].trial.key in wanted]
        by_ef = {}
        for setting, by_order in by_setting(outcomes).items():
            orders, recalls = crossed(samples(by_order))
            sequences = [json.loads(order.order_params)["permutation"] for order in orders]
            by_ef[setting.of.search.ef_search] = calibrate_permutations.population(recalls, sequences)
        built.append((f"{data.name}, {len(sequences)} permutations", by_ef))
    return built


def _population(name, orders, outcomes):
    rows, groups = {}, None
    for outcome in outcomes:
        trial = outcome.trial
        key = trial.search.ef_search, label(trial.order)
        rows.setdefault(key, []).append((trial.seeds.build_seed, outcome.hits / K))
        groups = outcome.query_groups
    recalls = {}
    for (ef, order), built in sorted(rows.items()):
        recalls.setdefault(ef, {})[order] = np.array([recall for _, recall in sorted(built, key=lambda row: row[0])])
    return Population(name, orders, recalls, groups)


@cache
def read(path):
    """Populations that were pickled into a file, read once by each process."""
    return pickle.loads(Path(path).read_bytes())


def small(path, jobs=1):
    """Two quick ones, of 40 builds."""
    return populations(path, jobs, 40, [load("image-patches", {"n": 1000, "seed": 83}), own(1)])
