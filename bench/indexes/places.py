"""Does a row's place in the order reach the graph? For engines that never repeat as for those that do.

With two links a node, rows that go in late are returned more often than those before them: later ones have not yet
taken their links away. The order is drawn at random, so where it does not reach the graph, places and how often rows
are returned are independent, whatever the engine draws. Then each rank sum's z (Wilcoxon 1945, with ties; large sample)
is that of a standard normal variable, and so is the sum of b builds' over the root of b.
"""

from typing import Any

import msgspec
import numpy as np

from bench.indexes.engine import Engine

ISLANDS, ROWS, D, QUERIES = 10, 100, 32, 1000
N = ISLANDS * ROWS
_LINKS = (2, 4, 8, 16)  # of a node: with 4, hnswlib's z is a third of that with 2; with 8, next to nothing
_EF_CONSTRUCTION = 8
_K = 10
BUILDS = 32  # at most, of each of two orders: pgvector shows 1.6 a build of what it does inside a call, others more
# Of |z|: reached by chance in 4e-8 of looks, so that the four figures at 32 looks are wrong in 5e-6 of settings
FELT = 5.5
CHANCE = 3.0  # of |z|: what is not there stays below in 99.7 % of cases, after all builds


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of places on how often rows are returned, as z of rank sums over builds; beyond FELT it is no chance.

    links: M, the fewest that the engine takes; with more than 2, what is not felt may be there all the same.
    builds: of each of two orders.
    overall: by place, rows in an order drawn at random.
    last: of the last tenth of these rows; above 0 where they go in last.
    inside: by place within islands of ROWS, one island after the other: within a call, where a call has so many rows.
    ids: by row number within these islands.
    """

    links: int
    builds: int
    overall: float
    last: float
    inside: float
    ids: float

    @property
    def decided(self) -> bool:
        """Return whether all that a faithful engine shows is shown."""
        return min(abs(self.overall), abs(self.last), abs(self.inside)) > FELT


def vectors(seed: int, islands: int = ISLANDS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (N, D), queries (QUERIES, D) and the island of each row (N,): unit vectors, so that metrics rank alike."""
    rng = np.random.default_rng(seed)
    centres = 3 * rng.standard_normal((islands, D))
    island = rng.permutation(np.repeat(np.arange(islands), N // islands))
    base = _unit(centres[island] + rng.standard_normal((N, D)))
    near = centres[island] + rng.standard_normal((N, D))
    return base, _unit(near[rng.integers(N, size=QUERIES)] + 0.5 * rng.standard_normal((QUERIES, D))), island


def by_island(island: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order (n,) of one island after the other, each at random."""
    order = rng.permutation(len(island))
    return order[np.argsort(rng.permutation(island.max() + 1)[island[order]], kind="stable")]


def felt(engine: Engine, metric: str, seed: int = 0, **changed: Any) -> Places:
    """Return the effect of places, from as many builds as decide it, BUILDS at most.

    changed: parameters other than the engine's defaults. seed: of data, orders and builds.
    """
    links = fewest_links(engine, metric)
    params = engine.params(M=links, ef_construction=max(_EF_CONSTRUCTION, links), **changed)
    total, known = np.zeros(4), Places(links=links, builds=0, overall=0, last=0, inside=0, ids=0)
    while not known.decided and known.builds < BUILDS:
        build = known.builds + 1
        rng = np.random.default_rng([seed, build])
        base, queries, island = vectors(int(rng.integers(2**31)))
        mixed, parted = rng.permutation(N), by_island(island, rng)
        returned = []
        for order in (mixed, parted):
            ids = engine.build(base, order, metric, params, int(rng.integers(1, 2**31))).search(queries, _K, _K)
            returned.append(np.bincount(ids[(ids >= 0) & (ids < N)], minlength=N))
        one = np.zeros(N, dtype=np.int64)
        total += [
            _z(_places(mixed), returned[0], one),
            _z(_places(mixed) >= 0.9 * N, returned[0], one),
            _z(_places(parted), returned[1], island),
            _z(np.arange(N), returned[1], island),
        ]
        overall, last, inside, ids_z = (float(z) for z in total / np.sqrt(build))
        known = Places(links=links, builds=build, overall=overall, last=last, inside=inside, ids=ids_z)
    return known


def fewest_links(engine: Engine, metric: str) -> int:
    """The least M of 2, 4, 8 and 16 that an engine builds with."""
    rows = np.random.default_rng(0).standard_normal((2 * ROWS, D)).astype(np.float32)
    for links in _LINKS[:-1]:
        params = engine.params(M=links, ef_construction=max(_EF_CONSTRUCTION, links))
        try:
            engine.check(params)
            engine.build(rows, np.arange(len(rows)), metric, params, 1)
        except Exception:  # noqa: BLE001 - why is said where the engine is built with more
            continue
        return links
    return _LINKS[-1]


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / lengths, dtype=np.float32)


def _places(order: np.ndarray) -> np.ndarray:
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places


def _z(places: np.ndarray, returned: np.ndarray, stratum: np.ndarray) -> float:
    """The standardized sum over strata of products of centred ranks; 0 where all rows are returned alike."""
    from scipy.stats import rankdata

    covered = variance = 0.0
    for one in range(int(stratum.max()) + 1):
        inside = stratum == one
        of_place, of_count = (rankdata(values[inside]) for values in (places, returned))
        of_place, of_count = of_place - of_place.mean(), of_count - of_count.mean()
        covered += float(of_place @ of_count)
        variance += float((of_place @ of_place) * (of_count @ of_count) / (len(of_place) - 1))
    return covered / variance**0.5 if variance > 0 else 0.0
