"""Does moving rows by a few places replicate a build as a seed does? On engines that have a seed: `make jitter`.

An engine without a seed repeats bit for bit, so that five builds of one order are one build counted five times. The
build seed then moves each row by fewer than `jitter` places (`indexes/insertion`). Here that is held against what a
seed of levels does: the same order built by seeds, and with one seed by jitters. Each cell has a fixed seed of its own,
so that what one draw of levels does to all builds with it would show in the means.
"""

import argparse
import os
import sys
from itertools import product
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy import stats
from support.datasets import load
from tabulate import tabulate

from bench import orders
from bench.data.dataset import limit
from bench.geometry import Geometry, knn
from bench.indexes import INDEXES
from bench.indexes.insertion import jittered
from bench.measure import recall

ENGINES = ("hnswlib", "faiss")
DATASETS = {"clinc150": 4000, "image-patches": 3000}  # and how many rows of each
ORDERS = ("given", "radius-ascending", "lid-descending", "random")
JITTERS = (1, 2, 4, 8, 16, 32)  # 1 moves nothing, and replicates under `random` alone, where builds draw their orders
K = EF_SEARCH = 10
# The least jitter must have a mean and an sd that are as with seeds: their intervals over all cells lie within these
MEAN, SD = 0.2, (0.8, 1.25)  # a share of the sd between builds; a ratio of sds


class Cell(NamedTuple):
    """An engine on a dataset in an order; fixed_seed is that of its builds by jitter."""

    dataset: str
    engine: str
    order: str
    fixed_seed: int


class Effect(NamedTuple):
    """A jitter beside seeds in one cell.

    difference, ratio: of means and of sds, each with its 95 % interval.
    shift, shift_error: the difference and its standard error, over the sd by seeds.
    """

    difference: tuple[float, float, float]
    ratio: tuple[float, float, float]
    shift: float
    shift_error: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=32, help="builds by seeds, and by each jitter")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    datasets = [name for name in DATASETS if name != "clinc150" or os.environ.get("BENCH_MIRROR")]
    if len(datasets) < len(DATASETS):
        print("clinc150 is left out: it needs BENCH_MIRROR", file=sys.stderr)
    names = product(datasets, ENGINES, ORDERS)
    cells = [Cell(*name, fixed_seed=1000 + number) for number, name in enumerate(names)]
    runs = Parallel(n_jobs=arguments.jobs, return_as="generator")(
        delayed(recalls)(cell, arguments.builds) for cell in cells
    )
    found = {}
    for cell, (by_seeds, by_jitter) in zip(cells, runs, strict=True):
        found[cell] = {jitter: effect(by_seeds, of) for jitter, of in by_jitter.items()}
        table(cell, by_seeds, found[cell])
    print(f"\n## All cells, {arguments.builds} builds by seeds and by each jitter\n")
    for title, chosen in (("one order for all builds", False), ("an order drawn for each build", True)):
        print(f"{title}:\n")
        pooled({cell: of for cell, of in found.items() if (cell.order == "random") == chosen})


def recalls(cell: Cell, builds: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Mean recall (builds,) of builds by seeds, and by each jitter with a fixed seed."""
    dataset = limit(load(cell.dataset), DATASETS[cell.dataset])
    geometry = Geometry(dataset)
    with knn.faiss_threads(1):
        truth = geometry.ground_truth(K)[1]
    engine = INDEXES[cell.engine]

    def order(number: int) -> np.ndarray:
        return orders.make(cell.order, orders.parameters(cell.order, {}), dataset, geometry, number)

    def one(inserted: np.ndarray, seed: int) -> float:
        searcher = engine.build(dataset.base, inserted, dataset.metric, engine.params(), seed)
        return float(recall.hits(searcher.search(dataset.queries, K, EF_SEARCH), truth).mean() / K)

    numbers = range(1, builds + 1)
    # Orders that are drawn differ from those by seeds too: a difference of means is that of samples drawn apart.
    by_seeds = np.array([one(order(number), number) for number in numbers])
    by_jitter = {
        jitter: np.array(
            [one(jittered(order(builds * jitter + number), jitter, number), cell.fixed_seed) for number in numbers]
        )
        for jitter in JITTERS
        if jitter > 1 or cell.order == "random"
    }
    return by_seeds, by_jitter


def effect(by_seeds: np.ndarray, by_jitter: np.ndarray) -> Effect:
    """Welch's interval of the difference of means, and the F interval of the ratio of sds."""
    welch = stats.ttest_ind(by_jitter, by_seeds, equal_var=False)
    difference, interval = by_jitter.mean() - by_seeds.mean(), welch.confidence_interval(0.95)
    sds = by_jitter.std(ddof=1), by_seeds.std(ddof=1)
    freedom = len(by_jitter) - 1, len(by_seeds) - 1
    ratio = sds[0] / sds[1]
    low, high = (ratio / stats.f.ppf(tail, *freedom) ** 0.5 for tail in (0.975, 0.025))
    error = (sds[0] ** 2 / len(by_jitter) + sds[1] ** 2 / len(by_seeds)) ** 0.5
    return Effect(
        (difference, interval.low, interval.high),
        (ratio, low, high),
        difference / sds[1],
        error / sds[1],
    )


def table(cell: Cell, by_seeds: np.ndarray, of: dict[int, Effect]) -> None:
    """A row a jitter, below the mean and the sd by seeds."""
    print(
        f"\n{cell.dataset}[{DATASETS[cell.dataset]}], {cell.engine}, {cell.order}: by seeds mean {by_seeds.mean():.4f},"
        f" sd {by_seeds.std(ddof=1):.4f}\n"
    )
    rows = [
        [jitter, "{:+.4f} ({:+.4f} to {:+.4f})".format(*one.difference), "{:.2f} ({:.2f} to {:.2f})".format(*one.ratio)]
        for jitter, one in of.items()
    ]
    print(
        tabulate(rows, ["jitter", "difference of means (95 %)", "ratio of sds (95 %)"], tablefmt="github"), flush=True
    )


def pooled(found: dict[Cell, dict[int, Effect]]) -> None:
    """A row a jitter over all cells, with intervals from how cells differ; chi-square is of differences by own errors.

    Where one draw of levels moves all builds that have it, differences are larger than their own errors allow.
    """
    rows = []
    for jitter in next(iter(found.values())):
        effects = [of[jitter] for of in found.values()]
        shift = over_cells([one.shift for one in effects])
        ratio = np.exp(over_cells([np.log(one.ratio[0]) for one in effects]))
        chi2 = sum((one.shift / one.shift_error) ** 2 for one in effects)
        does = SD[0] < ratio[1] and ratio[2] < SD[1] and max(-shift[1], shift[2]) < MEAN
        rows.append(
            [
                jitter,
                "{:+.2f} ({:+.2f} to {:+.2f})".format(*shift),
                f"{sum(one.difference[1] <= 0 <= one.difference[2] for one in effects)} of {len(effects)}",
                f"{chi2:.1f} (p {stats.chi2.sf(chi2, len(effects)):.2g})",
                "{:.2f} ({:.2f} to {:.2f})".format(*ratio),
                f"{sum(one.ratio[1] <= 1 <= one.ratio[2] for one in effects)} of {len(effects)}",
                "yes" if does else "no",
            ]
        )
    headers = [
        "jitter",
        "difference of means over sd (95 %)",
        "0 in a cell's interval",
        "chi-square",
        "ratio of sds (95 %)",
        "1 in a cell's interval",
        "as by seeds",
    ]
    print(tabulate(rows, headers, tablefmt="github"), "\n", flush=True)


def over_cells(values: list[float]) -> np.ndarray:
    """The mean (3,) of one value a cell, and the t interval of it."""
    mean, error = np.mean(values), stats.sem(values)
    return mean + error * stats.t.ppf([0.5, 0.025, 0.975], len(values) - 1)


if __name__ == "__main__":
    main()
