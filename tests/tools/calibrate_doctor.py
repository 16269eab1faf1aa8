"""Does the doctor name what fakes do, and never accuse a faithful engine? Part of `make calibrate`.

Each run has other data, orders and seeds. A fake is named where the line of its question has the answer and says
whether a promise is broken; a faithful engine is accused where any line does. Of n runs without an error, the share of
errors is below 3 / n with 95 % confidence; how rare they are beyond that, z's say: those of a lost order are standard
normal, of which one beyond FELT is needed, and those of a faithful engine add up to the root of the number of builds.
"""

import sys
import time
from unittest import mock

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import norm
from support.fakes import FAITHFUL, FAKES
from tabulate import tabulate
from tools import populations

from bench.features.doctor import examination
from bench.features.doctor.diagnosis import judged
from bench.indexes import places
from bench.indexes.places import Places

METRICS = ("l2", "cosine", "ip")
LOOKS, FIGURES, SETTINGS = places.BUILDS, 4, len(examination.CHUNKS)


def main() -> None:
    parser = populations.parser(__doc__)
    parser.add_argument("--fakes", type=int, default=50, help="runs of each fake")
    parser.add_argument("--faithful", type=int, default=200, help="runs of each faithful engine")
    arguments = parser.parse_args()
    of_fakes, of_faithful = (2, 3) if arguments.quick else (arguments.fakes, arguments.faithful)
    parallel = Parallel(n_jobs=arguments.jobs)
    rows, wrong = [], 0
    for name, runs in [*((name, of_fakes) for name in FAKES), *((name, of_faithful) for name in FAITHFUL)]:
        done = parallel(delayed(examined)(name, run) for run in range(runs))
        errors = [said for error, said, _, _ in done if error]
        wrong += len(errors)
        seconds = [took for _, _, took, _ in done]
        figures = np.array([z for *_, z in done])
        spread = [f"{z.mean():+.1f} ({z.min():+.1f}, {z.max():+.1f})" for z in figures.T]
        rows.append([name, runs, len(errors), *spread, f"{np.median(seconds):.1f}, {max(seconds):.1f}"])
        for said in errors:
            print(f"WRONG: {name}: {said}", flush=True)
    header = ["engine", "runs", "errors", "z by place", "of the last tenth", "inside calls", "by id", "seconds"]
    print("\nz at the default: mean (lowest, highest); seconds of one core a run: median, most")
    print(tabulate(rows, header, tablefmt="pipe", disable_numparse=True))
    chance = 2 * norm.sf(places.FELT) * LOOKS * FIGURES * SETTINGS
    print(
        f"\nA z beyond {places.FELT:g} by chance: at most {chance:.1e} an engine ({LOOKS} looks at {FIGURES} figures in"
        f" {SETTINGS} settings). {wrong} errors in {sum(row[1] for row in rows)} runs.",
        flush=True,
    )
    sys.exit(int(bool(wrong) or chance > 1e-4))


def examined(name: str, run: int) -> tuple[bool, str, float, list[float]]:
    """Whether a run errs, what it says, its seconds of one core, and z's at the default."""
    engine = FAKES[name].engine if name in FAKES else FAITHFUL[name]
    metric, whole, known = METRICS[run % len(METRICS)], np.random.default_rng, {}

    def drawn(seed=None):
        other = seed is None or isinstance(seed, np.random.Generator)
        return whole(seed if other else [run, *np.atleast_1d(seed).tolist()])

    no_verdict = {one: None for one in examination.parts(engine) if one.startswith("clustered")}
    start = time.process_time()
    with mock.patch.object(np.random, "default_rng", drawn):
        known.update(examination.run(engine, metric, no_verdict))
    took = time.process_time() - start
    found = judged(name, "", engine, metric, known)
    z = known["places"]
    figures = [z.overall, z.last, z.inside, z.ids] if isinstance(z, Places) else [0.0] * 4
    if name in FAITHFUL:
        return bool(found.broken), f"{metric}, run {run}: {found.broken}", took, figures
    fake = FAKES[name]
    lines = [line for line in found.lines if line.question == fake.question]
    named = bool(lines) and (lines[0].answer, lines[0].broken) == (fake.answer, fake.broken)
    return not named, f"{metric}, run {run}: {lines}", took, figures


if __name__ == "__main__":
    main()
