"""The cost of the harness relative to the plain library calls, measured in one run: `make speed`.

Not a test: machines are noisy, so figures are ratios, and rounds of both sides alternate.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faiss
import hnswlib
import numpy as np
from support.datasets import load
from support.results import result

from bench import orders
from bench.analysis.summary import verdicts
from bench.geometry import Geometry, dimension, knn
from bench.present.summary import summary_rows
from bench.statistics import intervals, variance
from bench.statistics.sample import independent
from bench.study.store import Store

BENCH = str(Path(sys.executable).parent / "bench")
DATASET = "clinc150" if os.environ.get("BENCH_MIRROR") else "image-patches"
ORDERS = ["random", "lid-ascending", "lid-descending"]
SEEDS = 2
EXPERIMENT = f"""
datasets = ["{DATASET}"]
orders = {json.dumps(ORDERS)}
build_seeds = {SEEDS}
ef_search = [10, 40]
[[index]]
engine = "hnswlib"
[[index]]
engine = "faiss"
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("speed.toml").write_text(EXPERIMENT)
        print(f"bench --help: {best(lambda: bench('--help')):.2f} s")
        print(f"pointwise LID, 10,000 × 384: {lid_ratio():.2f} times as fast as scikit-dimension's own fit")
        print(f"statistics of 6 orders, 20 builds, 1,000 queries: {best(summarize):.2f} s")
        for datasets, names, builds in ((4, 5, 5), (10, 10, 10)):
            report(datasets, names, builds)
        first = timed(lambda: bench("run", "speed.toml", "--store", "first.sqlite"))
        print(f"bench run on {DATASET}, the first time, with LID to compute: {first:.1f} s")
        ours, inside, two, plain = [], [], [], []
        for round_ in range(5):  # alternating, since machines are noisy
            run = ("run", "speed.toml", "--store", f"{round_}.sqlite")
            ours.append(timed(lambda run=run: bench(*run)))
            inside.append(in_engines(Path(run[-1])))
            plain.append(plainly())
            two.append(timed(lambda run=run: bench(*run[:-1], f"two-{run[-1]}", "--jobs", "2")))
            print(
                f"bench run: {ours[-1]:.1f} s, of these in builds and searches {inside[-1]:.1f} s; with --jobs 2: "
                f"{two[-1]:.1f} s; the same builds and searches by plain calls: {plain[-1]:.1f} s",
                flush=True,
            )
        rounds = list(zip(ours, inside, two, plain, strict=True))
        print(f"overhead beside plain calls: {statistics.median(a / p for a, _, _, p in rounds):.3f} (median)")
        print(f"overhead beside its own builds and searches: {statistics.median(a / i for a, i, _, _ in rounds):.3f}")
        print(f"overhead the first time: {first / statistics.median(plain):.3f}")
        print(f"--jobs 2 is {statistics.median(a / t for a, _, t, _ in rounds):.2f} times as fast as --jobs 1")
        print(f"bench run with nothing to do: {best(lambda: bench('run', 'speed.toml', '--store', '0.sqlite')):.2f} s")


def in_engines(store: Path) -> float:
    """Seconds that the engines took of a run."""
    outcomes = [outcome for _, outcome in Store.open(store).outcomes()]
    builds = {outcome.build.id: outcome.build.build_seconds for outcome in outcomes}
    return sum(builds.values()) + sum(outcome.search_seconds for outcome in outcomes)


def plainly() -> float:
    """Seconds of the same builds and searches by the libraries' own calls, orders known, nothing scored."""
    dataset = load(DATASET)
    geometry = Geometry(dataset)
    known = {
        (name, seed): orders.make(name, orders.parameters(name, {}), dataset, geometry, seed)
        for name in ORDERS
        for seed in range(1, SEEDS + 1)
    }
    start = time.perf_counter()
    space = {"l2": "l2", "cosine": "cosine"}[dataset.metric]
    for (_, seed), order in known.items():
        index = hnswlib.Index(space, dataset.d)
        index.init_index(dataset.n, M=16, ef_construction=128, random_seed=seed)
        index.add_items(dataset.base[order], order, num_threads=1)
        for ef in (10, 40):
            index.set_ef(ef)
            index.knn_query(dataset.queries, 10, num_threads=1)
    faiss.omp_set_num_threads(1)
    for (_, seed), order in known.items():
        rows, queries = dataset.base[order], dataset.queries.copy()
        if dataset.metric == "cosine":
            faiss.normalize_L2(rows)
            faiss.normalize_L2(queries)
        kind = faiss.METRIC_L2 if dataset.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        index = faiss.IndexHNSWFlat(dataset.d, 16, kind)
        index.hnsw.efConstruction = 128
        index.hnsw.rng = faiss.RandomGenerator(seed)
        for i in range(dataset.n):
            index.add(rows[i : i + 1])
        for ef in (10, 40):
            index.hnsw.efSearch = ef
            index.search(queries, 10)
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    return time.perf_counter() - start


def lid_ratio() -> float:
    """How many times as fast as scikit-dimension, of which equal results are asserted."""
    import skdim

    if DATASET == "clinc150":
        points = load(DATASET).base[:10_000]
    else:
        points = np.random.default_rng(0).standard_normal((10_000, 384)).astype(np.float32)
    ours, theirs = [], []
    for _ in range(3):
        start = time.perf_counter()
        distances, neighbors = knn.neighbors(points, 100)
        lid = dimension.pointwise(distances, neighbors, points)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        own = skdim.id.MLE().fit(points, n_neighbors=100).dimension_pw_
        theirs.append(time.perf_counter() - start)
    # Where a row has a duplicate, scikit-dimension's estimate is 0; ours leaves the duplicate out.
    usable = own > 0
    difference = np.abs(lid[usable] / own[usable] - 1).max()
    assert difference < 1e-5, difference
    print(f"largest relative difference of LID: {difference:.1e}, {(~usable).sum()} rows with duplicates aside")
    return statistics.median(theirs) / statistics.median(ours)


def summarize() -> None:
    """All figures of a table of one setting, on recalls of no meaning."""
    samples = [independent(np.random.default_rng(seed).random((20, 1000))) for seed in range(6)]
    for sample in samples:
        intervals.mean(sample)
    verdicts(samples[1:], samples[0])
    variance.shares(samples)


def report(datasets: int, names: int, builds: int) -> None:
    """Prints what a page costs beside the figures that a table shows of the same outcomes, and to open it."""
    options = {
        "datasets": [f"set {number}" for number in range(datasets)],
        "engines": ("hnswlib", "faiss"),
        "orders": ["random", *(f"order {number}" for number in range(1, names))],
        "efs": (10, 20, 40, 80, 160),
        "builds": builds,
        "queries": 1000,
        "ladder": True,
        "profiles": True,
    }
    result(**options).html()  # what is loaded once
    ours, plain = [], []
    for _ in range(3):
        of_page, of_table = result(**options), result(**options).findings
        plain.append(timed(lambda of=of_table: summary_rows(of.summaries, of.shares, of.retrieval)))
        ours.append(timed(lambda of=of_page: of.report(Path("page.html"))))
    ratio = statistics.median(a / p for a, p in zip(ours, plain, strict=True))
    count, size = len(of_page.findings.outcomes), Path("page.html").stat().st_size
    print(
        f"page of {count:,} outcomes: {min(ours):.1f} s, {ratio:.2f} times the figures of its table;"
        f" {size / 1e6:.1f} MB; in a browser {opening(Path('page.html'))}",
        flush=True,
    )


def opening(page: Path) -> str:
    """How long it takes until a page shows its choice and tables, and all charts."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if found is None:
        return "not tried, as there is none"
    first, whole = [], []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(3):
            opened = browser.new_page()
            start = time.perf_counter()
            opened.goto(page.absolute().as_uri(), wait_until="commit")
            opened.wait_for_selector("select[name=search] option", state="attached")
            first.append(time.perf_counter() - start)
            opened.wait_for_selector("body[data-drawn]")
            whole.append(time.perf_counter() - start)
            opened.close()
        browser.close()
    return f"{min(first):.1f} s until it can be used, {min(whole):.1f} s with all charts"


def bench(*words: str) -> None:
    subprocess.run([BENCH, *words], capture_output=True, check=True)


def timed(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def best(call) -> float:
    return min(timed(call) for _ in range(5))


if __name__ == "__main__":
    main()
