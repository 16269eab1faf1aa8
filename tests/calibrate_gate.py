"""How often does the gate raise a false alarm, and how often does it find a planted fault? Part of `make calibrate`.

Everything is built for real, on small data, always with build seeds that the baseline has not, and as if another
version were installed, so that the intervals have to decide. A share p over R runs has a standard error of
sqrt(p (1 - p) / R).
"""

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from joblib import Parallel, delayed
from support.faults import FAULTS, MISCOUNTS, measured
from tabulate import tabulate

from bench.analysis import gate, verdict
from bench.data import catalog
from bench.study import baseline
from bench.study.experiment import Experiment
from bench.study.store import Store
from bench.study.study import Study

BUILDS = 10  # that a baseline has
FIRST = 3  # with which a gate begins
BASELINES = 10  # among which the runs are shared


def study():
    """`image-patches`, where order matters much, and `digits`, where inner product and distance differ."""
    experiment = Experiment(
        datasets=["image-patches", "digits"],
        orders=["random", "lid-descending", "radius-ascending"],
        index=[{"engine": "hnswlib"}, {"engine": "faiss"}],
        build_seeds=BUILDS,
    )
    patches = catalog.load("image-patches", {"n": 1000, "queries": 200})
    return Study("gate", experiment, [patches, catalog.load("digits")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="runs with nothing changed")
    parser.add_argument("--faults", type=int, default=50, help="runs of each planted fault")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        parallel = Parallel(n_jobs=arguments.jobs)
        baselines = parallel(delayed(save)(Path(folder), number) for number in range(BASELINES))
        print(f"{len(study().trials) // BUILDS} settings, {BUILDS} builds in a baseline, {BASELINES} baselines")
        rows = []
        for name, runs in {
            "nothing changed": arguments.runs,
            **dict.fromkeys(FAULTS | MISCOUNTS, arguments.faults),
        }.items():
            start = time.perf_counter()
            against = [baselines[run % BASELINES] for run in range(runs)]
            reports = parallel(delayed(repeat)(Path(folder), one, name, run) for run, one in enumerate(against))
            alarms = np.mean([not report.passed for report in reports])
            fallen = [sum(line.verdict == verdict.FELL for line in report.lines) for report in reports]
            undecided = [sum(line.verdict == verdict.UNDECIDED for line in report.lines) for report in reports]
            miscounts = [len(report.scoring) for report in reports]
            builds = [max(line.builds[1] for line in report.lines) for report in reports]
            rows.append(
                [
                    name,
                    runs,
                    f"{100 * alarms:.1f}",
                    np.mean(fallen),
                    np.mean(undecided),
                    np.mean(miscounts),
                    np.mean(builds),
                ]
            )
            print(f"{name}: {100 * alarms:.1f} % alarms, {time.perf_counter() - start:.0f} s", flush=True)
    header = ["fault", "runs", "alarms, %", "lines fell", "lines undecided", "known answers wrong", "builds used"]
    print(tabulate(rows, header, tablefmt="pipe", floatfmt=".1f"))


def save(folder, number):
    """A baseline of its own seeds."""
    repeated = study()
    store = Store.create(folder / f"baseline-{number}.sqlite")
    outcomes = measured(repeated, repeated.trials, store, 100_000 * (number + 1), None)
    return baseline.create("gate", repeated, "gate", "calibration", outcomes)


def repeat(folder, against, name, run):
    """The report of one gate on seeds of its own, with a fault planted."""
    repeated = study()
    path = folder / f"{name.replace(' ', '-')}-{run}.sqlite"
    store = Store.create(path)
    planted = (FAULTS | MISCOUNTS)[name](np.random.default_rng(run)) if name in FAULTS | MISCOUNTS else nullcontext()
    with planted:
        report = gate.check(
            against, repeated, lambda trials: measured(repeated, trials, store, 10_000_000 + 1000 * run), FIRST
        )
    store.close()
    path.unlink()
    return report


if __name__ == "__main__":
    main()
