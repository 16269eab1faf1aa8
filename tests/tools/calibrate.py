"""Do intervals, verdicts and advice hold what they promise? `make calibrate`.

A study draws builds and queries with replacement from a population of real builds (see `populations`), so that the
truth is known. A share p over R studies has a standard error of sqrt(p (1 - p) / R). Whatever is beyond its promise by
more than four of these is listed at the end, and the exit code is 1.
"""

import sys
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from tabulate import tabulate
from tools import calibrate_advice, calibrate_equal_ef, calibrate_groups, calibrate_permutations, populations

from bench.analysis.summary import UNDECIDED, differences_to, verdicts
from bench.statistics import intervals, power
from bench.statistics.sample import falls_apart, independent

CELLS = tuple((builds, queries) for builds in (3, 5, 10) for queries in (200, 1000))
POWER_EACH = 4  # of how many studies one is asked whether it finds a point, which needs no such precision
STUDIES_OF_PERMUTATIONS = 400
LEAST_UNDECIDED = 20  # comparisons of a cell, of which a share is given
COPIES = 2  # of each order in a study, so that five are compared with the first
K = populations.K
# Their builds fall apart now and then, which few builds do not show: reported, and not promised
FALL_APART = ("mixture", "five_clusters", *(make.__name__ for make in populations.FRAGILE))


class Promise(NamedTuple):
    """The limits of a share."""

    low: float
    high: float


PROMISES = {
    "mean held": Promise(0.91, 1),
    "difference held": Promise(0.93, 1),
    "false verdict": Promise(0, 0.05),
    "settled, as they are": Promise(0.70, 1),
    "settled, equal": Promise(0.70, 1),
    "equal ef held": Promise(0.93, 1),
    "by groups": Promise(0.90, 1),
    "planned difference shown": Promise(0.70, 0.95),
    **{f"shown by {builds} builds": Promise(0.70, 0.95) for builds, _ in CELLS},
    "false: sd 0": Promise(0, 0.05),
    "a cost is invented": Promise(0, 0.05),
    **{f"sd {100 * sd:g} held": Promise(0.93, 1) for sd in calibrate_permutations.SPREADS if sd},
}


def main() -> None:
    parser = populations.parser(__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies a cell")
    arguments = parser.parse_args()
    if arguments.quick:
        pools, studies, cells = populations.small(arguments.store, arguments.jobs), 250, ((3, 200), (5, 500))
    else:
        pools, studies, cells = populations.populations(arguments.store, arguments.jobs), arguments.studies, CELLS
    broken, parts = [], [*PARTS, *([] if arguments.quick else [("What now among 60 settings", advised, 25)])]
    for title, measure, part in parts:
        count = max(studies // part, 40)
        rows = Parallel(n_jobs=arguments.jobs)(
            delayed(measure)(population, cell, count) for population in pools for cell in cells
        )
        broken += table(f"{title}; {count} studies a cell", [row for of_one in rows for row in of_one])
    if not arguments.quick:
        rows = Parallel(n_jobs=arguments.jobs)(
            delayed(permutations)(name, ef, of, STUDIES_OF_PERMUTATIONS)
            for name, by_ef in populations.permuted(arguments.store, arguments.jobs)
            for ef, of in by_ef.items()
        )
        broken += table(f"Permutations of categories, two seeds; {STUDIES_OF_PERMUTATIONS} studies a cell", rows)
    for line in broken:
        print(f"BROKEN: {line}")
    sys.exit(bool(broken))


class Row(NamedTuple):
    """Shares of studies, by name, with how many studies each is of, in one cell of one population."""

    population: str
    ef_search: int
    builds: int
    queries: int
    shares: dict[str, tuple[float, int]]


def table(title: str, rows: list[Row]) -> list[str]:
    """Print shares in percent by population, a column each, cells as lowest to highest; what breaks a promise."""
    names = list(dict.fromkeys(name for row in rows for name in row.shares))
    by_population = defaultdict(lambda: defaultdict(list))
    broken = []
    for row in rows:
        for name, (share, count) in row.shares.items():
            by_population[row.population][name].append(share)
            promise = PROMISES.get(name)
            if promise and count and not row.population.startswith(FALL_APART):
                error = 4 * (max(share * (1 - share), 0.02) / count) ** 0.5
                if not promise.low - error <= share <= promise.high + error:
                    cell = f"{row.builds} builds, {row.queries} queries, ef_search {row.ef_search}"
                    broken.append(f"{name} in {100 * share:.1f} % of {count} studies: {row.population}, {cell}")
    lines = []
    for population, shares in by_population.items():
        cells = [100 * np.array(shares[name]) for name in names]
        lines.append([population, *(f"{c.mean():.1f} ({c.min():.1f}, {c.max():.1f})" if len(c) else "" for c in cells)])
    print(f"\n{title}: %, mean over cells (lowest, highest)")
    print(tabulate(lines, ["population", *names], tablefmt="pipe", disable_numparse=True), flush=True)
    return broken


def _seeded(population, cell, ef):
    return np.random.default_rng([2026, ef, *cell, *population.name.encode()])


def draw(rng, recalls, builds, columns):
    """A study's recalls (builds, queries) from a population, and its columns, so that orders share them."""
    return recalls[rng.integers(len(recalls), size=builds)][:, columns]


def leveled(population, ef):
    """Orders that differ query by query, and in how much their builds vary, as real ones do, and not in the mean."""
    by_order = population.recalls[ef]
    level = by_order["random"].mean()
    return [by_order[order] - by_order[order].mean() + level for order in population.orders]


def called(others, reference):
    """Whether each of the others is better or worse, as `verdicts` have it, without what these cost beside."""
    differences, comparisons = differences_to(others, reference)
    return [intervals.p_value(difference) * comparisons < 1 - intervals.CONFIDENCE for difference in differences]


def decisions(population, cell, studies):
    """How often intervals hold the truth, how often a study has any false verdict, and how often a point is found."""
    builds, queries = cell
    rows = []
    for ef in populations.EF_SEARCH:
        by_order = population.recalls[ef]
        if _nothing_missed(by_order):
            continue
        rng = _seeded(population, cell, ef)
        orders = [order for order in leveled(population, ef) for _ in range(COPIES)]
        truth = by_order["random"].mean()
        held = defaultdict(int)
        found = defaultdict(int)
        for study in range(studies):
            columns = rng.integers(orders[0].shape[1], size=queries)
            reference, *others = (independent(draw(rng, order, builds, columns), K) for order in orders)
            mean = intervals.mean(reference)
            held["mean held"] += mean.low <= truth <= mean.high
            difference = intervals.difference(others[-1], reference)
            held["difference held"] += difference.low <= 0 <= difference.high
            held["false verdict"] += any(called(others, reference))
            if study % POWER_EACH:
                continue
            found["hint: random"] += falls_apart(reference.recalls)
            found[f"hint: {population.orders[-1]}"] += falls_apart(others[-1].recalls)
            better = others[0]._replace(recalls=others[0].recalls + 0.01)
            found["a point found: random + .01"] += called([better, *others[1:]], reference)[0]
            other = others[-1]._replace(recalls=others[-1].recalls + 0.01)
            found["another order + .01"] += called([*others[:-1], other], reference)[-1]
        shares = {name: (count / studies, studies) for name, count in held.items()}
        of_power = -(-studies // POWER_EACH)
        shares |= {name: (count / of_power, of_power) for name, count in found.items()}
        rows.append(Row(population.name, ef, builds, queries, shares))
    return rows


def _nothing_missed(by_order) -> bool:
    """Where next to nothing is missed there is nothing to tell."""
    return all((of_order > 1 - 1e-9).mean() > 0.999 for of_order in by_order.values())


def settled(population, cell, studies):
    """Of comparisons that are undecided, how many are decided by what they say is needed: more builds on the same
    queries, or more queries next to them. Of orders as they are, and of orders that are truly equal."""
    builds, queries = cell
    shares = {}
    for name, of_ef in (("as they are", as_they_are), ("equal", leveled)):
        undecided, decided = 0, []
        for ef in populations.EF_SEARCH:
            rng, orders = _seeded(population, cell, ef), of_ef(population, ef)
            for _ in range(studies // 4):
                columns = rng.integers(orders[0].shape[1], size=queries)
                now = [draw(rng, order, builds, columns) for order in orders]
                compared = verdicts([independent(of_one, K) for of_one in now[1:]], independent(now[0], K))
                for place, verdict in enumerate(compared):
                    undecided += verdict.verdict == UNDECIDED
                    if verdict.verdict == UNDECIDED and verdict.needed.builds and verdict.needed.builds <= 300:
                        then = _more(rng, orders, now, columns, verdict.needed)
                        decided.append(verdicts(then[1:], then[0])[place].verdict != UNDECIDED)
        if len(decided) >= LEAST_UNDECIDED:
            shares[f"settled, {name}"] = (float(np.mean(decided)), len(decided))
        if undecided >= LEAST_UNDECIDED:
            shares[f"a number is given, {name}"] = (len(decided) / undecided, undecided)
    return [Row(population.name, 0, builds, queries, shares)]


def as_they_are(population, ef):
    """The orders of a population, which may differ in the mean."""
    return [population.recalls[ef][order] for order in population.orders]


def planned(population, cell, studies):
    """How often a study shows a difference as large as a pilot says that 80 % show: a pilot of three builds that plans
    for as many as the study has, and one like the study, as a table has it.

    An order that interacts with the queries falls by that much, hit by hit; among five comparisons. To gain as much is
    more than many an order can.
    """
    builds, queries = cell
    rows = []
    for ef in populations.EF_SEARCH:
        if _nothing_missed(population.recalls[ef]):
            continue
        rng, shown = _seeded(population, cell, ef), defaultdict(list)
        orders = [order for order in leveled(population, ef) for _ in range(COPIES)]

        def study(repeats, orders, rng=rng):
            columns = rng.integers(orders[0].shape[1], size=queries)
            return [independent(draw(rng, order, repeats, columns), K) for order in orders]

        for _ in range(studies):
            pilot, table = study(3, [orders[0], orders[-1]]), study(builds, orders)
            for name, size in _planned_sizes(pilot, table, builds):
                if not np.isnan(size):
                    reference, *others = study(builds, orders)
                    worse = others[-1]._replace(recalls=fallen(rng, others[-1].recalls, size))
                    shown[name].append(called([*others[:-1], worse], reference)[-1])
        shares = {name: (float(np.mean(of_one)), len(of_one)) for name, of_one in shown.items()}
        rows.append(Row(population.name, ef, builds, queries, shares))
    return rows


def _planned_sizes(pilot, table, builds):
    """The difference that 80 % are to show by a pilot of three builds, and by a table, with their names."""
    hit = power.worth_of_a_hit(pilot[-1], builds)
    expected = power.planned(pilot[-1], pilot[0], builds)
    size = power.minimum_detectable_effect(expected.estimate, len(table) - 1, hit, expected.known)
    yield "planned difference shown", size
    differences, comparisons = differences_to(table[1:], table[0])
    yield f"shown by {builds} builds", power.minimum_detectable_effect(differences[-1], comparisons, hit)


def fallen(rng, recalls, size):
    """Recalls (builds, queries) less `size` in the mean of many, where every hit is lost with the same probability."""
    hits = np.clip(np.rint(recalls * K), 0, K).astype(int)
    return recalls - rng.binomial(hits, min(size * K / hits.mean(), 1)) / K


def _more(rng, orders, now, columns, needed):
    """A study as a pilot says is needed: with its builds on its queries where that is all, else with other queries."""
    if not needed.queries:
        more = [draw(rng, order, needed.builds - len(now[0]), columns) for order in orders]
        return [independent(np.vstack(both), K) for both in zip(now, more, strict=True)]
    columns = rng.integers(orders[0].shape[1], size=min(needed.queries, 20_000))
    return [independent(draw(rng, order, needed.builds, columns), K) for order in orders]


def equal_efs(population, cell, studies):
    """How often the interval of the ef_search that an order equals holds where the curves of mean recall cross."""
    builds, queries = cell
    builds_of_all = min(len(orders["random"]) for orders in population.recalls.values())
    ladder = {ef: {"random": orders["random"][:builds_of_all]} for ef, orders in population.recalls.items()}
    rows = []
    for ef in populations.EF_SEARCH:
        for order in population.orders[1:]:
            curves = {**ladder, ef: {**population.recalls[ef], **ladder[ef]}}
            rng = _seeded(population, cell, ef)
            held = calibrate_equal_ef.coverage(rng, curves, order, ef, builds, queries, studies)
            if min(ladder) < held["truth"] < max(ladder):
                rows.append(Row(population.name, ef, *cell, {"equal ef held": (held["held"], studies)}))
    return rows


def advised(population, cell, studies):
    """How often What now invents a cost, or leaves the winner unnamed, among many settings."""
    orders, rng = leveled(population, 10), _seeded(population, cell, 10)
    shares = calibrate_advice.shares(rng, orders, *cell, studies)
    return [Row(population.name, 10, *cell, {name: (share, studies) for name, share in shares.items()})]


def permutations(name, ef, of, studies):
    """How often permutations are found to differ that do, or do not, and how often the interval holds by how much, of
    two seeds; and how often they are found to differ that do not, of more."""
    rng, queries = np.random.default_rng([2026, ef, *name.encode()]), 1000
    shares = {}
    for sd, (shown, held) in calibrate_permutations.found(rng, of, 2, queries, studies).items():
        shares["false: sd 0" if sd == 0 else f"sd {100 * sd:g} found"] = (shown, studies)
        if sd:
            shares[f"sd {100 * sd:g} held"] = (held, studies)
    for seeds in (3, 5):
        [(shown, _)] = calibrate_permutations.found(rng, of, seeds, queries, studies, (0.0,)).values()
        shares[f"false: sd 0, {seeds} seeds"] = (shown, studies)
    return Row(name, ef, 2, queries, shares)


def grouped(population, cell, studies):
    """How often the interval of a mean holds the truth where whole groups of queries are drawn."""
    if population.groups is None:
        return []
    builds, queries = cell
    rows = []
    for ef in populations.EF_SEARCH:
        rng, recalls = _seeded(population, cell, ef), population.recalls[ef]["random"]
        drawn = max(queries // 10, 20)
        held = calibrate_groups.coverage(recalls, population.groups, rng, builds, drawn, studies)
        shares = {name: (share, studies) for name, share in held.items()}
        rows.append(Row(population.name, ef, builds, drawn, shares))
    return rows


PARTS = (
    ("Intervals and verdicts", decisions, 1),
    ("What `undecided` says is needed", settled, 4),
    ("The smallest difference that a pilot plans for", planned, 10),
    ("The ef_search that an order equals", equal_efs, 10),
    ("Groups of queries", grouped, 4),
)


if __name__ == "__main__":
    main()
