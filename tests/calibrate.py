"""Do the intervals hold what they promise? Simulated studies from real recalls a query: `make calibrate`.

A population is every build of an order that a store has (its builds × queries); a study draws builds and
queries from it with replacement, so that the truth, the population's mean, is known. Figures come with
their own standard error: a share p over R studies has sqrt(p (1 - p) / R).
"""

import argparse
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy import stats as scipy_stats
from tabulate import tabulate

from bench.analysis import stats
from bench.analysis.sample import independent
from bench.analysis.setting import by_setting, samples
from bench.analysis.summary import verdicts
from bench.study.order_labels import label
from bench.study.run import run
from bench.study.store import Store
from bench.study.study import read

BUILDS = (3, 5, 10, 20)
QUERIES = (200, 1000)
ORDERS_IN_A_NULL_STUDY = 6
K = 10  # of the experiment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies a cell")
    parser.add_argument("--store", type=Path, default=Path("results/calibration.sqlite"))
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    study = read("calibration")
    store = Store.create(arguments.store)
    for done, _ in enumerate(run(study, store, log=print)):
        if done % 50 == 0:
            print(f"population: {done} outcomes", flush=True)
    populations = [
        {label(order): sample.recalls for order, sample in samples(by_order).items()}
        for by_order in by_setting(store.outcomes("calibration")).values()
    ]
    for title, measure in (("Coverage of 95 % intervals, %", coverage), ("False and true verdicts, %", decisions)):
        measured = Parallel(n_jobs=arguments.jobs)(
            delayed(of_population)(measure, number, population, arguments.studies)
            for number, population in enumerate(populations)
        )
        rows = defaultdict(list)
        for cells in measured:
            for cell, shares in cells.items():
                rows[cell] += shares.items()
        print(
            f"\n{title}; {arguments.studies} studies a cell; mean over {len(populations)} populations (lowest, highest)"
        )
        names = list(dict.fromkeys(name for cells in rows.values() for name, _ in cells))
        lines = []
        for (builds, queries), cells in rows.items():
            line = [builds, queries]
            for name in names:
                shares = [100 * share for known, share in cells if known == name]
                line.append(f"{np.mean(shares):.1f} ({min(shares):.1f}, {max(shares):.1f})")
            lines.append(line)
        print(tabulate(lines, ["builds", "queries", *names], tablefmt="pipe", disable_numparse=True), flush=True)


def of_population(measure, number, population, studies):
    """What is measured in every cell (builds, queries) of one population."""
    rng = np.random.default_rng([2024, number])
    return {(b, q): measure(rng, population, b, q, studies) for b in BUILDS for q in QUERIES}


def draw(rng, recalls, builds, queries):
    """A study's recalls (builds, queries) from a population, and its columns, so that orders share them."""
    return recalls[rng.integers(len(recalls), size=builds)][:, queries]


def coverage(rng, population, builds, queries, studies):
    """The share of studies whose interval holds the truth, by method."""
    random, other = population["random"], population["lid-descending"]
    held = defaultdict(list)
    for _ in range(studies):
        columns = rng.integers(random.shape[1], size=queries)
        a, b = draw(rng, random, builds, columns), draw(rng, other, builds, columns)
        truth = random.mean()
        estimate = stats.mean(independent(a, K))
        held["mean"].append(estimate.low <= truth <= estimate.high)
        truth = other.mean() - random.mean()
        estimate = stats.difference(independent(b), independent(a))
        held["difference"].append(estimate.low <= truth <= estimate.high)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # builds that are nearly identical
            builds_only = scipy_stats.ttest_ind(b.mean(axis=1), a.mean(axis=1), equal_var=False).confidence_interval()
        held["difference: t on builds"].append(builds_only.low <= truth <= builds_only.high)
        low, high = bootstrap_of_builds(rng, b, a)
        held["difference: bootstrap of builds"].append(low <= truth <= high)
        low, high = crossed_bootstrap(rng, b, a)
        held["difference: crossed bootstrap"].append(low <= truth <= high)
    return {name: np.mean(values) for name, values in held.items()}


def decisions(rng, population, builds, queries, studies):
    """Shares of studies: of six like orders any is called better or worse; one better by a point is called better."""
    random = population["random"]
    names = list(population)
    # Orders that differ query by query as real ones do, and yet are equal in the mean.
    level = [population[name] - population[name].mean() + random.mean() for name in names]
    false_alike, false_level, true = [], [], []
    for _ in range(studies):
        columns = rng.integers(random.shape[1], size=queries)
        alike = [independent(draw(rng, random, builds, columns)) for _ in range(ORDERS_IN_A_NULL_STUDY)]
        false_alike.append(any(called(alike[1:], alike[0])))
        equal = [independent(draw(rng, recalls, builds, columns)) for recalls in level]
        false_level.append(any(called(equal[1:], equal[0])))
        better = independent(draw(rng, random, builds, columns) + 0.01)
        true.append(called([better, *alike[2:]], alike[0])[0])
    return {
        "false, six like orders": np.mean(false_alike),
        "false, orders that differ by query": np.mean(false_level),
        "power, 1 point": np.mean(true),
    }


def called(samples, reference):
    """Whether each sample is called better or worse than the reference."""
    return [verdict.verdict in ("better", "worse") for verdict in verdicts(samples, reference)]


def bootstrap_of_builds(rng, a, b, rounds=400):
    means = a.mean(axis=1), b.mean(axis=1)
    again = [m[rng.integers(len(m), size=(rounds, len(m)))].mean(axis=1) for m in means]
    return np.quantile(again[0] - again[1], [0.025, 0.975])


def crossed_bootstrap(rng, a, b, rounds=400):
    """Builds and queries redrawn at once (Owen 2007), the same queries for both."""
    queries = a.shape[1]
    weights = rng.multinomial(queries, np.full(queries, 1 / queries), size=rounds) / queries
    again = []
    for recalls in (a, b):
        builds = len(recalls)
        rows = rng.multinomial(builds, np.full(builds, 1 / builds), size=rounds) / builds
        again.append(((rows @ recalls) * weights).sum(axis=1))
    return np.quantile(again[0] - again[1], [0.025, 0.975])


if __name__ == "__main__":
    main()
