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

import calibrate_permutations
import numpy as np

from bench.analysis.categories import crossed
from bench.analysis.setting import by_setting, samples
from bench.data import catalog, dataset
from bench.study.experiment import Experiment
from bench.study.order_labels import label
from bench.study.run import run
from bench.study.store import Store
from bench.study.study import Study
from bench.study.workers import Workers

ORDERS = ("random", "lid-descending", "radius-ascending")  # the last two are those that move recall most
EF_SEARCH = (10, 40)
K = 10
BUILDS = 100
ROWS = 3000
REAL_ROWS = 4000  # of sentence embeddings


class Population(NamedTuple):
    """Builds of one dataset in one engine.

    name: of both.
    recalls: {ef_search: {order: (builds, queries)}}, of an order the same builds at every ef_search; at EF_SEARCH of
        all orders, on the ladder beyond of `random` alone.
    groups: (queries,) where queries belong together.
    """

    name: str
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
    """Uniform in eight dimensions, so that a third of the rows lies near an edge."""
    return rng.random((ROWS + 1000, 8))


OWN = (heavy_tails, three_dimensions, two_hundred_dimensions, scales, cube)
GENERATED = (
    ("image-patches", {"n": ROWS}),
    ("digits", {}),
    ("image-patches", {"n": ROWS, "seed": 77}),
    ("subspace", {"n": ROWS, "d": 96, "intrinsic_dimension": 12, "seed": 79}),
    ("mixture", {"n": ROWS, "dimensions": [2, 6, 12, 24], "seed": 78}),
)
REAL = ("clinc150", "clinc150-in-scope")


def datasets():
    """All that there are; without BENCH_MIRROR none of real data."""
    loaded = [catalog.load(name, parameters) for name, parameters in GENERATED]
    loaded += [_own(number) for number in range(len(OWN))]
    if os.environ.get("BENCH_MIRROR"):
        loaded += [dataset.limit(catalog.load(name), REAL_ROWS) for name in REAL]
    return loaded


def _own(number):
    points = OWN[number](np.random.default_rng([2026, number])).astype(np.float32)
    return dataset.checked(OWN[number].__name__, points[:ROWS], points[ROWS:], "l2")


def studies(loaded, builds):
    """A Study of every dataset in hnswlib, and in FAISS of those that ship."""
    for of_data in loaded:
        ships = of_data.name in ("image-patches(n=3000)", "digits")
        for engine in ("hnswlib", "faiss") if ships else ("hnswlib",):
            experiment = Experiment(
                datasets=[of_data.name],
                orders=list(ORDERS),
                index=[{"engine": engine}],
                ef_search=list(EF_SEARCH),
                build_seeds=builds,
            )
            yield f"{of_data.name}, {engine}", Study("calibration", experiment, [of_data])


def parser(about):
    """What every calibration takes."""
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
        print(f"{name}: {len(store.missing(study.with_ladder))} outcomes to build", file=sys.stderr, flush=True)  # noqa: T201
        for _ in run(study, store, Workers(jobs), trials=study.with_ladder):
            pass
    population_of = {trial.key: name for name, study in named for trial in study.with_ladder}
    of_population = defaultdict(list)
    for _, outcome in chain(store.outcomes("calibration"), store.ladder("calibration")):
        name = population_of.get(outcome.trial.key)
        if name is not None:
            of_population[name].append(outcome)
    return [_population(name, of_population.pop(name)) for name, _ in named]


def permuted(path, jobs=1):
    """(name, {ef_search: calibrate_permutations.Population}) of whole categories in every sequence, two seeds each: of
    four in a generated mixture, and where BENCH_MIRROR has them of five domains of CLINC150, searched from outside."""
    loaded = [catalog.load("mixture", {"n": ROWS, "dimensions": [2, 6, 12, 24], "seed": 78})]
    loaded += [catalog.load("clinc150-5-oos")] if os.environ.get("BENCH_MIRROR") else []
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


def _population(name, outcomes):
    rows, groups = {}, None
    for outcome in outcomes:
        trial = outcome.trial
        key = trial.search.ef_search, label(trial.order)
        rows.setdefault(key, []).append((trial.seeds.build_seed, outcome.hits / K))
        groups = outcome.query_groups
    recalls = {}
    for (ef, order), built in sorted(rows.items()):
        recalls.setdefault(ef, {})[order] = np.array([recall for _, recall in sorted(built, key=lambda row: row[0])])
    return Population(name, recalls, groups)


@cache
def read(path):
    """Populations that were pickled into a file, read once by each process."""
    return pickle.loads(Path(path).read_bytes())


def small(path, jobs=1):
    """Two quick ones, of 40 builds."""
    return populations(path, jobs, 40, [catalog.load("image-patches", {"n": 1000, "seed": 83}), _own(1)])
