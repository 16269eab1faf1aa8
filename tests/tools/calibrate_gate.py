"""How often does the gate raise a false alarm, and does it find what it says it finds? Part of `make calibrate`.

Gates run in the command's own path (`gate.check`), with builds drawn from `populations`: a baseline of some builds, and
now others, which the baseline has not, as if of another version, so that intervals have to decide. Planted faults are
built for real. A share p over R runs has a standard error of sqrt(p (1 - p) / R).
"""

import pickle
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import msgspec
import numpy as np
from joblib import Parallel, delayed
from scipy.stats import binomtest
from support.datasets import checked, load
from support.examples import example_of
from support.faults import FAULTS, MISCOUNTS, measured
from tabulate import tabulate
from tools import populations

from bench.analysis import verdict
from bench.analysis.fall import ALPHA
from bench.features.gate import gate
from bench.study import baseline
from bench.study.order_labels import label
from bench.study.spec.experiment import Experiment
from bench.study.spec.study import Study
from bench.study.store import Store

FIRST = 3  # builds with which a gate begins
BUILDS = (5, 10, 20)  # of a baseline; a population has twice as many, so that those of now are others
BASELINES = 10  # among which the runs of planted faults are shared
K = populations.K


def main() -> None:
    parser = populations.parser(__doc__)
    parser.add_argument("--runs", type=int, default=64, help="gates a cell with nothing changed")
    parser.add_argument("--faults", type=int, default=10, help="runs of each planted fault; 0 for none")
    arguments = parser.parse_args()
    if arguments.quick:
        pools, cells, runs, faults = (
            populations.small(arguments.store, arguments.jobs),
            ((5, 20, 12), (20, 500, 12)),
            40,
            0,
        )
    else:
        pools = populations.populations(arguments.store, arguments.jobs)
        cells = [(b, q, n) for b in BUILDS for q in (20, 200, 1000) for n in (6, 72)] + [(10, 200, 504)]
        runs, faults = arguments.runs, arguments.faults
    parallel = Parallel(n_jobs=arguments.jobs)
    kept = tempfile.NamedTemporaryFile(suffix=".pickle")  # noqa: SIM115 - as long as this process
    kept.write(pickle.dumps(pools))  # read once by each worker: with every task it would go to each anew
    kept.flush()
    rows, alarms, gates = [], 0, 0
    for builds, queries, lines in cells:
        times = runs if lines <= 100 else max(runs // 8, 1)
        failed = parallel(delayed(drawn)(kept.name, builds, queries, lines, run) for run in range(times))
        alarms, gates = alarms + sum(failed), gates + times
        point = parallel(delayed(drawn)(kept.name, builds, queries, lines, run, planted=1) for run in range(times // 4))
        rows.append([builds, queries, lines, times, *_interval(sum(failed), times), 100 * np.mean(point)])
    header = ["builds", "queries", "lines", "gates", "false alarms, %", "95 % interval", "a fall it says it finds, %"]
    print(tabulate(rows, header, tablefmt="pipe", floatfmt=".1f"))
    share, interval = _interval(alarms, gates)
    print(f"\nIn all {alarms} false alarms in {gates} gates: {share} % {interval}", flush=True)
    if faults:
        planted(faults, parallel)
    sys.exit(int(binomtest(alarms, gates, ALPHA, "greater").pvalue < 0.001))


def _interval(times, runs):
    """A share in percent, and its binomial interval (Clopper and Pearson 1934)."""
    share = binomtest(int(times), runs).proportion_ci()
    return f"{100 * times / runs:.1f}", f"[{100 * share.low:.1f}, {100 * share.high:.1f}]"


def drawn(path, builds, queries, lines, run, planted=0):
    """Whether a gate fails whose builds, then and now, are drawn from populations and have nothing else changed.

    planted: of how many of its lines recall falls by as much as the gate says that it finds in nine of ten; then
    whether these fell.
    """
    rng = np.random.default_rng([builds, queries, lines, run, planted])
    study, by_name = _study(rng, populations.read(path), builds, queries, lines)
    pool = _Pool(rng, by_name, queries)
    saved = baseline.create("b", study, "e", "r", [pool.outcome(trial, "then") for trial in study.trials])
    cases, fall = [], 0.0
    if planted:
        able = [(case, size) for case, size in gate.found_by(saved, FIRST).cases.items() if size < 0.3]
        case, fall = able[rng.integers(len(able))]
        cases = [case]

    def measure(trials):
        return [pool.outcome(t, "now", fall if verdict.case_of(t) in cases else 0.0) for t in trials]

    with mock.patch.object(gate, "broken_promises", return_value=[]), mock.patch.object(gate, "misscored", list_none):
        report = gate.check(saved, study, measure, FIRST)
    return any(line.verdict == verdict.FELL and (not cases or line.case in cases) for line in report.lines)


def list_none(*_):
    return []


def _study(rng, pools, builds, queries, lines):
    """A Study of so many settings and orders, of data that stand for populations, and these by the data's name."""
    wanted = max(min(lines // 6, len(pools)), 1)
    chosen = [pools[place] for place in rng.choice(len(pools), wanted, replace=False)]
    data = [
        checked(f"p{number}", rng.random((200, 4)), rng.random((queries, 4)), "l2") for number in range(len(chosen))
    ]
    copies = max(lines // (6 * wanted), 1)  # of an index, each with builds of its own
    experiment = Experiment(
        datasets=[one.name for one in data],
        orders=list(populations.ORDERS),
        index=[{"engine": "hnswlib", "M": 16 + number} for number in range(copies)],
        ef_search=list(populations.EF_SEARCH),
        build_seeds=builds,
    )
    return Study("gate", experiment, data), {one.name: of for one, of in zip(data, chosen, strict=True)}


class _Pool:
    """Outcomes whose builds are drawn from populations, those of now without those of then."""

    def __init__(self, rng, pools, queries) -> None:
        self._rng, self._pools, self._rows = rng, pools, {}
        self._columns = {
            name: rng.integers(next(iter(of.recalls[10].values())).shape[1], size=queries) for name, of in pools.items()
        }

    def outcome(self, trial, when, fall=0.0):
        name, of = trial.data.dataset, self._pools[trial.data.dataset]
        order = of.orders[populations.ORDERS.index(label(trial.order))]  # by place: some have others
        recalls = of.recalls[trial.search.ef_search][order]
        key = (name, order, trial.index)
        if key not in self._rows:
            self._rows[key] = self._rng.permutation(len(recalls))
        row = self._rows[key][(trial.seeds.build_seed - 1) * 2 + (when == "now")]
        hits = np.rint(recalls[row][self._columns[name]] * K).astype(np.int64)
        if fall:  # so many hits, whichever: builds vary as before
            each = np.repeat(np.arange(queries := len(hits)), hits)
            lost = self._rng.choice(each, min(round(fall * K * queries), len(each)), replace=False)
            hits = hits - np.bincount(lost, minlength=queries)
        outcome = example_of(trial, hits, f"{when}-{row}")
        environment = {"versions": {"hnswlib": when}, "binaries": {}}
        return msgspec.structs.replace(outcome, build=msgspec.structs.replace(outcome.build, environment=environment))


def study():
    """`image-patches`, where order matters much, and `digits`, where inner product and distance differ."""
    experiment = Experiment(
        datasets=["image-patches", "digits"],
        orders=["random", "lid-descending", "radius-ascending"],
        index=[{"engine": "hnswlib"}, {"engine": "faiss"}],
        build_seeds=10,
    )
    patches = load("image-patches", {"n": 1000, "queries": 200})
    return Study("gate", experiment, [patches, load("digits")])


def planted(runs, parallel):
    """Print how often planted faults are found, of real builds with seeds that the baseline has not."""
    with TemporaryDirectory() as folder:
        baselines = parallel(delayed(save)(Path(folder), number) for number in range(BASELINES))
        rows = []
        for name in FAULTS | MISCOUNTS:
            start = time.perf_counter()
            against = [baselines[run % BASELINES] for run in range(runs)]
            reports = parallel(delayed(repeat)(Path(folder), one, name, run) for run, one in enumerate(against))
            rows.append(
                [
                    name,
                    runs,
                    100 * np.mean([any(line.verdict == verdict.FELL for line in report.lines) for report in reports]),
                    100 * np.mean([bool(report.contract) for report in reports]),
                    100 * np.mean([bool(report.scoring) for report in reports]),
                    np.mean([sum(line.verdict == verdict.FELL for line in report.lines) for report in reports]),
                    np.mean([max(line.builds[1] for line in report.lines) for report in reports]),
                ]
            )
            print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    header = ["fault", "runs", "by recall, %", "by its promises, %", "by known answers, %", "lines fell", "builds used"]
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
    fault = (FAULTS | MISCOUNTS)[name](np.random.default_rng(run)) if name else nullcontext()
    with fault:
        report = gate.check(
            against, repeated, lambda trials: measured(repeated, trials, store, 10_000_000 + 1000 * run), FIRST
        )
    store.close()
    path.unlink()
    return report


if __name__ == "__main__":
    main()
