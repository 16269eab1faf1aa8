"""What `bench doctor` tries on an engine, from outside: builds and searches alone, and what came of them in figures.

What they mean is said in `analysis.doctor`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np

from bench.errors import BenchError
from bench.geometry import knn
from bench.indexes import contract, places
from bench.indexes.engine import Engine, Params
from bench.indexes.insertion import Chunk
from bench.indexes.places import Places

CHUNKS: tuple[Chunk, ...] = (1, 100, "all")  # 100: an island of `places`
WIDTHS = (10, 40, 160)  # of ef_search
REPEATS, THREADS = 3, 2
BEGUN = "begun"  # of an experiment that nothing has come of yet
OTHERS = ("parameters reach the graph", "searches leave no trace", "unreachable rows are -1")
_BUILDS = 5  # of a clustered order, and of a random one
_REPEATED = 1000  # rows: two threads gave hnswlib two graphs in each of 400 pairs of builds
_ISLANDS = 50  # of 20 rows, one after the other: that costs hnswlib and FAISS 11 to 13 points with these links
_FEWER = 300  # queries, since some engines take 4 ms for one
_K, _SATURATED = 10, 500  # rows where a search as wide as the base is exact in hnswlib and FAISS
_TOLERANCE = 1e-4  # of distances that are float32


class Failed(msgspec.Struct, frozen=True):
    """An experiment that came to nothing. refused: whether the engine cannot have such parameters, as it says."""

    reason: str
    refused: bool = False


class Differing(msgspec.Struct, frozen=True):
    """The number of queries, of `queries`, that a build answered differently from the first of `builds`."""

    differ: int
    queries: int
    builds: int

    @property
    def share(self) -> float:
        return self.differ / self.queries


class ExactOrder(msgspec.Struct, frozen=True):
    """Answers of an engine that repeats, by order.

    backwards: against those of the rows in file order.
    moved: rows in an order, against the same rows moved to that order.
    far: rows, against the same followed by some that are far from all others.
    """

    backwards: Differing
    moved: Differing
    far: Differing


class Recalls(msgspec.Struct, frozen=True):
    """Recall (builds, queries) of a clustered order of rows and of a random one, the same rows and queries."""

    clustered: np.ndarray
    random: np.ndarray


class Saturation(msgspec.Struct, frozen=True, kw_only=True):
    """The results of searches as wide as the base, or as wide as the engine takes.

    recall: of the nearest 10.
    shifted: the offset of all ids if removing it restores recall, otherwise 0.
    foreign: ids that are no row's.
    nearest_first: the share of answers whose distances ascend.
    never: rows that no search returned, though each was searched for itself.
    rows: of the base.
    excess: how much farther than the true 10th neighbour the 10th returned is where an answer is not exact, as a share.
    """

    recall: float
    shifted: int
    foreign: int
    nearest_first: float
    never: int
    rows: int
    excess: float

    @property
    def wrong(self) -> bool:
        """Return whether ids are not the rows' that were found."""
        return bool(self.shifted or self.foreign or self.recall < 0.5)


class Widths(msgspec.Struct, frozen=True):
    """Recall by ef_search, and of how many queries any width changes the answer."""

    recalls: dict[int, float]
    differ: int
    queries: int


def repeats(engine: Engine, metric: str, known: Mapping[str, Any], threads: int = 1) -> Differing:
    """The same build, over and again."""
    rng = np.random.default_rng(0)
    order = rng.permutation(_REPEATED)
    base, queries = rng.standard_normal((2, _REPEATED, contract.D)).astype(np.float32)
    params = _params(engine, M=6, ef_construction=30, threads=threads)
    first, builds, differ = None, 0, 0
    while builds < REPEATS and not differ:
        ids = engine.build(base, order, metric, params, 1).search(queries, _K, _K)
        first = ids if first is None else first
        builds, differ = builds + 1, contract.differing(first, ids)
    return Differing(differ, len(queries), builds)


def seeds(engine: Engine, metric: str, known: Mapping[str, Any]) -> Differing | None:
    """Two build seeds; of an engine that repeats."""
    if not repeating(known):
        return None
    one, other = (contract.answers(contract.build(engine, metric, seed=seed), metric) for seed in (1, 2))
    return Differing(contract.differing(one, other), len(one), 2)


def exact_order(engine: Engine, metric: str, known: Mapping[str, Any]) -> ExactOrder | None:
    """Return the effects that equal answers show, for an engine that repeats."""
    if not repeating(known):
        return None
    pairs = (compared(engine, metric) for compared in (contract.backwards, contract.moved, contract.beside_far_rows))
    return ExactOrder(*(Differing(contract.differing(*pair), contract.QUERIES, 2) for pair in pairs))


def same_graph(engine: Engine, metric: str, known: Mapping[str, Any], chunk: Chunk) -> Differing | None:
    """A chunk's graph against that of the default; of an engine that repeats."""
    changed = _chunk(engine, chunk)
    if not repeating(known):
        return None
    order = np.random.default_rng(1).permutation(contract.N)
    one, other = (contract.answers(contract.build(engine, metric, order, **params), metric) for params in ({}, changed))
    return Differing(contract.differing(one, other), len(one), 2)


def felt(engine: Engine, metric: str, known: Mapping[str, Any], chunk: Chunk | None = None) -> Places | None:
    """Return the effect of a row's place; None if the graph equals the one from one row per call."""
    if chunk is not None and alike(known.get(of_chunk("same graph", chunk))):
        return None
    return places.felt(engine, metric, **_chunk(engine, chunk))


def clustered(engine: Engine, metric: str, known: Mapping[str, Any], chunk: Chunk | None = None) -> Recalls | None:
    """One island of rows after the other against all at random."""
    if chunk is not None and alike(known.get(of_chunk("same graph", chunk))):
        return None
    base, queries, island = places.vectors(0, _ISLANDS)
    queries = queries[:_FEWER]
    truth = knn.search(queries, base, _K, "l2")[1]
    params = _params(engine, M=8, ef_construction=20, **_chunk(engine, chunk))
    recalls: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for seed in range(1, _BUILDS + 1):
        rng = np.random.default_rng(seed)
        for order, of_order in zip((places.by_island(island, rng), rng.permutation(places.N)), recalls, strict=True):
            ids = engine.build(base, order, metric, params, seed).search(queries, _K, _K)
            of_order.append((ids[:, :, None] == truth[:, None, :]).any(axis=1).mean(axis=1))
    return Recalls(*(np.array(of_order) for of_order in recalls))


def saturation(engine: Engine, metric: str, known: Mapping[str, Any]) -> Saturation:
    """All rows for themselves, and others, in searches as wide as can be."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((_SATURATED + contract.QUERIES, contract.D))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    base, n = rows[:_SATURATED], _SATURATED
    width = min(n, engine.most_ef_search or n)
    searcher = engine.build(base, rng.permutation(n), metric, _params(engine, M=16, ef_construction=200), 1)
    ids = searcher.search(rows, _K, width)
    near, truth = knn.search(rows, base, _K, "l2")
    recalls = {shift: contract.recall_of(np.where(ids >= 0, ids - shift, -1), truth) for shift in (0, 1, -1)}
    inside = (ids >= 0) & (ids < n)
    distances = np.linalg.norm(rows[:, None] - base[np.where(inside, ids, 0)], axis=2)
    distances[~inside] = np.inf
    missed = ~(np.sort(ids, axis=1) == np.sort(truth, axis=1)).all(axis=1)
    full = missed & inside.all(axis=1)
    return Saturation(
        recall=recalls[0],
        shifted=next((shift for shift in (1, -1) if recalls[shift] > 0.9 > recalls[0]), 0),
        foreign=int((~inside & (ids != -1)).sum()),
        nearest_first=float((distances[:, 1:] >= distances[:, :-1] - _TOLERANCE).all(axis=1).mean()),
        never=n - len(np.unique(ids[inside])),
        rows=n,
        excess=float(np.median(distances[full, -1] / near[full, -1] - 1)) if full.any() else 0.0,
    )


def widths(engine: Engine, metric: str, known: Mapping[str, Any]) -> Widths:
    """Hard data by ef_search: of an exact scan, recall is 1 at any."""
    base, queries = contract.vectors(metric)
    searcher = contract.build(engine, metric, np.random.default_rng(2).permutation(contract.N))
    truth = contract.truth_of(base, queries, _K, metric)
    answers = {ef: searcher.search(queries, _K, ef) for ef in WIDTHS}
    differ = max(contract.differing(answers[WIDTHS[0]], ids) for ids in answers.values())
    return Widths({ef: contract.recall_of(ids, truth) for ef, ids in answers.items()}, differ, len(queries))


def other(engine: Engine, metric: str, known: Mapping[str, Any], check: str) -> tuple[bool, str]:
    """Return whether a check of the contract holds, and the evidence."""
    return contract.CHECKS[check][0](engine, metric)


Part = Callable[[Engine, str, Mapping[str, Any]], Any]


def parts(engine: Engine) -> dict[str, Part]:
    """All that is tried on an engine, by what it is called, in order: later ones know what came of those before."""
    tried: dict[str, Part] = {
        "repeats on 1 thread": repeats,
        f"repeats on {THREADS} threads": partial(repeats, threads=THREADS),
        "seeds": seeds,
        "widths of search": widths,
        "saturation": saturation,
        "exact order": exact_order,
        "places": felt,
        "clustered order": clustered,
        **{check: partial(other, check=check) for check in OTHERS},
    }
    for chunk in CHUNKS if has_chunks(engine) else ():
        if chunk != engine.params().chunk:  # type: ignore[attr-defined]
            tried[of_chunk("same graph", chunk)] = partial(same_graph, chunk=chunk)
            tried[of_chunk("places", chunk)] = partial(felt, chunk=chunk)
            tried[of_chunk("clustered order", chunk)] = partial(clustered, chunk=chunk)
    return tried


def in_a_process(engine: Engine) -> list[list[str]]:
    """Names of experiments that may share a process: in some engines, threads are a process's and not a build's."""
    names = list(parts(engine))
    apart = [name for name in names if name == f"repeats on {THREADS} threads"]
    return [[name for name in names if name not in apart], apart]


def run(
    engine: Engine, metric: str, known: Mapping[str, Any], names: Sequence[str] | None = None
) -> Iterator[tuple[str, Any]]:
    """(name, BEGUN) before each experiment that is not known, and (name, what came of it) after it.

    names: of experiments, where not all are asked for.

    What came of it is None where it does not concern the engine, and Failed where the engine raised an exception.
    """
    found = dict(known)
    for name, experiment in parts(engine).items():
        if name in found or (names is not None and name not in names):
            continue
        yield name, BEGUN
        try:
            found[name] = experiment(engine, metric, found)
        except BenchError as error:
            found[name] = Failed(str(error), refused=True)
        except Exception as error:  # noqa: BLE001 - an engine may raise anything
            found[name] = Failed(f"{type(error).__name__}: {error}")
        yield name, found[name]


def _params(engine: Engine, **changed: Any) -> Params:
    """Return parameters with these changes, the others at the engine's defaults.

    Raises BenchError if the engine does not accept them.
    """
    params = engine.params(**changed)
    try:
        engine.check(params)
    except ValueError as error:
        raise BenchError(str(error)) from None
    return params


def _chunk(engine: Engine, chunk: Chunk | None) -> dict[str, Any]:
    """Rows a call as a parameter; none where it stays at the default."""
    changed = {} if chunk is None else {"chunk": chunk}
    _params(engine, **changed)
    return changed


def of_chunk(name: str, chunk: Chunk) -> str:
    """Return the name of an experiment with `chunk` rows per call."""
    return f"{name}, chunk {chunk}"


def has_chunks(engine: Engine) -> bool:
    """Return whether an engine takes `chunk` rows per call."""
    return "chunk" in engine.params.__struct_fields__


def repeating(known: Mapping[str, Any]) -> bool:
    """Return whether an engine repeats its builds on one thread."""
    return alike(known.get("repeats on 1 thread"))


def alike(found: Any) -> bool:
    """Return whether builds were compared and gave the same answers."""
    return isinstance(found, Differing) and not found.differ
