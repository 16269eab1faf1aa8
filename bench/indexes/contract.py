"""Checks that every engine must pass, or its figures are noise: experiments on vectors made for the purpose.

They look at an engine from outside, by the ids that its searches return, so that they work for any engine.
Small ef_search makes answers depend on every link: two graphs that differ give different answers.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from bench.geometry import knn
from bench.indexes import places
from bench.indexes.engine import Engine, Params, Searcher
from bench.indexes.places import fewest_links

N, D, QUERIES = 400, 16, 200
_NARROW = 10  # an ef_search that shows every link
AT_MOST = 0.3  # of queries: 0 to 0.16 with the far rows last, 0.44 to 0.8 with any earlier, in hnswlib and FAISS
_SPARSE = {"M": 6, "ef_construction": 30}  # few links: graphs that answer wrongly now and then


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check of an engine.

    check: its name, a key of CHECKS.
    holds: whether the engine passed.
    evidence: what was seen, in figures.
    """

    check: str
    holds: bool
    evidence: str


def verdicts(engine: Engine, metric: str | None = None, *, of_order: bool = False) -> Iterator[CheckResult]:
    """A CheckResult of every check that concerns what the engine promises, by its first metric unless another is named.

    of_order: only what figures of order rest on. An engine that raises an exception does not hold.
    """
    for name in concerning(engine, of_order=of_order):
        try:
            holds, evidence = CHECKS[name][0](engine, metric or engine.metrics[0])
        except Exception as error:  # noqa: BLE001 - an engine may raise anything
            holds, evidence = False, f"{type(error).__name__}: {error}"
        yield CheckResult(check=name, holds=holds, evidence=evidence)


def concerning(engine: Engine, *, of_order: bool = False) -> list[str]:
    """The names of the checks of `verdicts`, in its sequence."""
    return [
        name
        for name, (_, promises) in CHECKS.items()
        if (promises or not of_order) and all(getattr(engine.promises, promise) for promise in promises)
    ]


def vectors(metric: str, n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, D) and queries (QUERIES, D) of lengths that differ, float32; read-only, as an engine gets them."""
    rng = np.random.default_rng([seed, *metric.encode()])
    rows = rng.standard_normal((n + QUERIES, D)) * rng.uniform(0.5, 2, (n + QUERIES, 1))
    rows = rows.astype(np.float32)
    rows.flags.writeable = False
    return rows[:n], rows[n:]


def build(
    engine: Engine, metric: str, order: np.ndarray | None = None, seed: int = 1, n: int = N, **params: Any
) -> Searcher:
    """Return the searcher that the engine builds from `vectors`, in file order unless another is given."""
    base, _ = vectors(metric, n)
    return engine.build(base, np.arange(n) if order is None else order, metric, sparse(engine, params), seed)


def answers(searcher: Searcher, metric: str, n: int = N) -> np.ndarray:
    """Ids (QUERIES, 10) that a narrow search returns."""
    return searcher.search(vectors(metric, n)[1], 10, _NARROW)


def sparse(engine: Engine, changed: dict[str, Any]) -> Params:
    """Parameters of few links, and others that are changed."""
    return engine.params(**{**_SPARSE, **changed})


def _shuffled(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n)


def differing(one: np.ndarray, other: np.ndarray) -> int:
    """How many queries were answered otherwise."""
    return int((one != other).any(axis=1).sum())


def _differ(one: np.ndarray, other: np.ndarray) -> str:
    return f"{differing(one, other)} of {len(one)} answers differ"


def order_reaches_graph(engine: Engine, metric: str) -> tuple[bool, str]:
    """Another order gives another graph; if no two graphs are alike, the effect of a row's place shows it."""
    return (other_orders_differ if engine.promises.repeats else places_are_felt)(engine, metric)


def places_are_felt(engine: Engine, metric: str) -> tuple[bool, str]:
    """Where a row is put decides how often it is returned, and the last rows are those put last: see `places`."""
    known = places.felt(engine, metric)
    evidence = f"z by place {known.overall:+.1f}, of the last tenth {known.last:+.1f}, in {known.builds} builds"
    return abs(known.overall) > places.FELT and known.last > places.FELT, evidence


def other_orders_differ(engine: Engine, metric: str) -> tuple[bool, str]:
    """Another order gives other answers."""
    one, other = backwards(engine, metric)
    return not np.array_equal(one, other), _differ(one, other)


def order_is_the_callers(engine: Engine, metric: str) -> tuple[bool, str]:
    """Rows in an order give the graph of the same rows moved to that order: nothing depends on a row's id."""
    one, other = moved(engine, metric)
    return np.array_equal(one, other), _differ(one, other)


def last_rows_come_last(engine: Engine, metric: str) -> tuple[bool, str]:
    """Rows far from all others, put last, hardly change what the others answer: their graph was there before."""
    one, other = beside_far_rows(engine, metric)
    return differing(one, other) < AT_MOST * QUERIES, _differ(one, other)


def backwards(engine: Engine, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Answers of rows in file order, and backwards."""
    orders = np.arange(N), np.arange(N)[::-1].copy()
    one, other = (answers(build(engine, metric, order), metric) for order in orders)
    return one, other


def moved(engine: Engine, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Answers of rows in an order, and of the same rows moved to that order, under their ids before."""
    base, _ = vectors(metric)
    order = _shuffled(N, 1)
    one = answers(build(engine, metric, order), metric)
    rows = engine.build(base[order], np.arange(N), metric, sparse(engine, {}), 1)
    positions = answers(rows, metric)
    return one, np.where(positions >= 0, order[positions], -1)


def beside_far_rows(engine: Engine, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Answers of rows, and of the same followed by some that are far from all others.

    Rows that go in earlier than they are given shift the levels and links of all that follow.
    """
    base, queries = vectors(metric)
    far = np.random.default_rng(0).standard_normal((N // 10, D))
    far = far + 50 if metric == "l2" else 0.001 * far  # the least of inner products; for a cosine, one direction
    far[:, 0] -= 0 if metric == "l2" else 0.01
    order, params = _shuffled(N, 5), sparse(engine, {})
    alone = engine.build(base, order, metric, params, 1).search(queries, 10, _NARROW)
    whole = np.vstack([base, far.astype(np.float32)])
    last = np.concatenate([order, N + np.arange(len(far))])
    return alone, engine.build(whole, last, metric, params, 1).search(queries, 10, _NARROW)


def repeats(engine: Engine, metric: str) -> tuple[bool, str]:
    """The same build gives the same answers."""
    one, other = (answers(build(engine, metric, _shuffled(N, 2)), metric) for _ in range(2))
    return np.array_equal(one, other), _differ(one, other)


def seed_reaches_graph(engine: Engine, metric: str) -> tuple[bool, str]:
    """Another build seed gives another graph."""
    one, other = (answers(build(engine, metric, seed=seed), metric) for seed in (1, 2))
    return not np.array_equal(one, other), _differ(one, other)


def parameters_reach_graph(engine: Engine, metric: str) -> tuple[bool, str]:
    """Another M, and another ef_construction, give another graph."""
    one = answers(build(engine, metric), metric)
    others = {"M": build(engine, metric, M=12), "ef_construction": build(engine, metric, ef_construction=12)}
    answered = {name: answers(searcher, metric) for name, searcher in others.items()}
    evidence = ", ".join(f"{name}: {_differ(one, other)}" for name, other in answered.items())
    return not any(np.array_equal(one, other) for other in answered.values()), evidence


def ids_are_base_rows_nearest_first(engine: Engine, metric: str) -> tuple[bool, str]:
    """Answers are ids of base rows, nearest first, and mostly begin with the nearest."""
    base, queries = vectors(metric)
    ids = build(engine, metric, _shuffled(N, 3)).search(queries, 10, 200)
    if ids.shape != (QUERIES, 10) or ids.dtype != np.int64 or ids.min() < -1 or ids.max() >= N:
        return False, f"ids of shape {ids.shape}, type {ids.dtype}, from {ids.min()} to {ids.max()}"
    distances = knn.true_distances(*_ranked(base, queries, metric), ids, _ranks_by(metric))
    ascending = bool((np.diff(distances, axis=1) >= -1e-5).all())
    nearest = float((ids[:, 0] == truth_of(base, queries, 1, metric)[:, 0]).mean())
    return ascending and nearest > 0.9, f"{100 * nearest:.0f} % begin with the nearest; ascending: {ascending}"


def recall_is_one_at_saturation(engine: Engine, metric: str) -> tuple[bool, str]:
    """A search as wide as the base returns the exact neighbours, in any order of insertion."""
    n = 500
    base, queries = vectors(metric, n)
    truth = np.sort(truth_of(base, queries, 10, metric), axis=1)
    missing = 0
    for order in (np.arange(n), _shuffled(n, 4)):
        ids = build(engine, metric, order, n=n, M=16, ef_construction=200).search(queries, 10, n)
        missing += int((np.sort(ids, axis=1) != truth).any(axis=1).sum())
    return missing == 0, f"{missing} of {2 * QUERIES} answers are not exact"


def wider_searches_find_more(engine: Engine, metric: str) -> tuple[bool, str]:
    """A larger ef_search raises recall."""
    base, queries = vectors(metric)
    truth = truth_of(base, queries, 10, metric)
    searcher = build(engine, metric)
    narrow, wide = (recall_of(searcher.search(queries, 10, ef), truth) for ef in (_NARROW, 100))
    return wide > narrow, f"recall {narrow:.3f} at ef_search {_NARROW}, {wide:.3f} at 100"


def searches_leave_no_trace(engine: Engine, metric: str) -> tuple[bool, str]:
    """One build answers alike whatever it was asked before."""
    _, queries = vectors(metric)
    searcher = build(engine, metric)
    wide = searcher.search(queries, 20, 100)
    narrow = searcher.search(queries, 5, 5)
    again = searcher.search(queries, 20, 100)
    holds = np.array_equal(wide, again) and not np.array_equal(wide[:, :5], narrow)
    return holds, f"{_differ(wide, again)} the second time"


def unreachable_rows_are_minus_one(engine: Engine, metric: str) -> tuple[bool, str]:
    """Where a search reaches fewer than k rows, ids end in -1, are distinct, and have those of narrower answers."""
    rng = np.random.default_rng(0)  # islands and two links a node: most of the graph falls apart
    centres = 100 * rng.standard_normal((40, 8))
    base = (np.repeat(centres, 10, axis=0) + 1e-3 * rng.standard_normal((400, 8))).astype(np.float32)
    params = sparse(engine, {"M": fewest_links(engine, metric), "ef_construction": 8})
    searcher = engine.build(base, np.arange(400), metric, params, 1)
    ids = searcher.search(base[:30] + np.float32(1e-4), 300, 400)
    reached = (ids >= 0).sum(axis=1)
    first = all((row[:count] >= 0).all() for row, count in zip(ids, reached, strict=True))
    distinct = all(len(set(row[:count])) == count for row, count in zip(ids, reached, strict=True))
    narrow = searcher.search(base[:30] + np.float32(1e-4), 10, 400)
    same = all(set(few) <= set(many) for few, many in zip(narrow, ids, strict=True))  # islands have ties
    return first and distinct and same, f"{reached.min()} to {reached.max()} of 300 rows reached"


def _ranked(base: np.ndarray, queries: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    return (knn.unit(queries), knn.unit(base)) if metric == "cosine" else (queries, base)


def _ranks_by(metric: str) -> str:
    return "ip" if metric == "ip" else "l2"


def truth_of(base: np.ndarray, queries: np.ndarray, k: int, metric: str) -> np.ndarray:
    return knn.search(*_ranked(base, queries, metric), k, _ranks_by(metric))[1]


def recall_of(ids: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(row) & set(near)) / truth.shape[1] for row, near in zip(ids, truth, strict=True)]))


Check = Callable[[Engine, str], tuple[bool, str]]

# Every check, with the promises that it rests on; none where every engine must pass
CHECKS: dict[str, tuple[Check, tuple[str, ...]]] = {
    "the order reaches the graph": (order_reaches_graph, ("keeps_order",)),
    "the order is the caller's": (order_is_the_callers, ("keeps_order", "repeats")),
    "the last rows come last": (last_rows_come_last, ("keeps_order", "repeats", "seeded")),
    "builds repeat": (repeats, ("repeats",)),
    "the seed reaches the graph": (seed_reaches_graph, ("seeded",)),
    "parameters reach the graph": (parameters_reach_graph, ()),
    "ids are base rows, nearest first": (ids_are_base_rows_nearest_first, ()),
    "recall is 1 at a saturating ef_search": (recall_is_one_at_saturation, ()),
    "wider searches find more": (wider_searches_find_more, ("has_ef_search",)),
    "searches leave no trace": (searches_leave_no_trace, ()),
    "unreachable rows are -1": (unreachable_rows_are_minus_one, ()),
}
