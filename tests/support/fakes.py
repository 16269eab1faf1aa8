"""Engines for the doctor to examine: hnswlib with a fault that it has to name, and faithful ones, never to accuse."""

from typing import NamedTuple

import msgspec
import numpy as np

from bench.features.doctor.kept_order import BY_ID, EARLIER, INSIDE, LOST
from bench.geometry import knn
from bench.indexes import INDEXES
from bench.indexes.engine import Engine, Params, Promises
from bench.indexes.insertion import Chunk, JitteredParams, calls, jittered

HNSWLIB = INDEXES["hnswlib"]
RNG = np.random.default_rng()


class ChunkedParams(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows a call."""

    chunk: Chunk = 1


class CallsOfThousand(ChunkedParams, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """chunk: rows a call."""

    chunk: Chunk = 1000


class Answering:
    """A searcher whose answers are changed."""

    def __init__(self, searcher, change):
        self._searcher, self._change = searcher, change

    def search(self, queries, k, ef_search):
        return self._change(self._searcher, queries, k, ef_search)


def fake(order=lambda order, seed: order, seed=lambda seed: seed, answer=None, threads=1, **changed):
    """hnswlib with a fault in the order that it is given, its seed, what it answers or its threads."""

    def build(base, given, metric, params, given_seed):
        plain = Params(M=params.M, ef_construction=params.ef_construction, threads=max(threads, params.threads))
        asked = {"chunk": params.chunk} if hasattr(params, "chunk") else {}
        rows = np.ascontiguousarray(order(given, given_seed, **asked))
        searcher = HNSWLIB.build(base, rows, metric, plain, seed(given_seed))
        return Answering(searcher, answer(base, metric)) if answer else searcher

    return msgspec.structs.replace(HNSWLIB, build=build, **changed)


def within_calls(change):
    """An order with a change in every call."""
    return lambda order, seed, chunk: np.concatenate([change(rows) for rows in calls(order, chunk)])


def exactly(base, metric):
    """Answers of an exact scan."""

    def scan(searcher, queries, k, ef_search):
        points, rows = (knn.unit(queries), knn.unit(base)) if metric == "cosine" else (queries, base)
        return knn.search(points, rows, k, "ip" if metric == "ip" else "l2")[1]

    return scan


def off_by_one(base, metric):
    return lambda searcher, queries, k, ef: (searcher.search(queries, k, ef) + 1) % len(base)


def of_one_width(base, metric):
    return lambda searcher, queries, k, ef: searcher.search(queries, k, max(k, 10))


def fresh_seed(seed):
    return int(RNG.integers(1, 2**31))


def fixed_shuffle(order, seed):
    """As FAISS does within a call: always the same."""
    return order[np.random.default_rng(789).permutation(len(order))]


RANDOM = Promises(repeats=False, seeded=False)


class Fake(NamedTuple):
    """An engine, and the verdict that it has to get: question, answer, and whether it is a promise broken."""

    engine: Engine
    question: str
    answer: str
    broken: bool = True


def last_tenth_first(order, seed):
    return np.roll(order, len(order) // 10)


FAKES = {
    "shuffles all rows": Fake(fake(lambda order, seed: RNG.permutation(order), promises=RANDOM), "order", LOST),
    "shuffles all rows, always alike": Fake(fake(fixed_shuffle), "order", LOST),
    "sorts by id": Fake(fake(lambda order, seed: np.sort(order)), "order", BY_ID),
    "sorts by id, never repeats": Fake(
        fake(lambda order, seed: np.sort(order), fresh_seed, promises=RANDOM), "order", BY_ID
    ),
    "shuffles inside a call": Fake(
        fake(within_calls(RNG.permutation), params=ChunkedParams), "order, chunk = 100", INSIDE, broken=False
    ),
    "shuffles inside a call, never repeats": Fake(
        fake(within_calls(RNG.permutation), fresh_seed, params=ChunkedParams, promises=RANDOM),
        "order, chunk = 100",
        INSIDE,
        broken=False,
    ),
    "sorts by id inside a call": Fake(
        fake(within_calls(np.sort), params=ChunkedParams), "order, chunk = 100", f"{BY_ID} inside a call", broken=False
    ),
    "shuffles inside a call of 1,000 by default": Fake(
        fake(
            within_calls(lambda rows: np.random.default_rng(789).permutation(rows)),
            params=CallsOfThousand,
        ),
        "order, chunk = 1000",
        LOST,
    ),
    "ignores its seed": Fake(fake(seed=lambda seed: 100), "build seed", "does nothing"),
    "answers exactly": Fake(fake(answer=exactly), "answers from", "an exact scan"),
    "ids off by one": Fake(fake(answer=off_by_one), "ids", "off by +1"),
    "ignores ef_search": Fake(fake(answer=of_one_width), "a larger ef_search", "does nothing"),
    "last tenth first": Fake(fake(last_tenth_first), "order", EARLIER),
    "last tenth first, never repeats": Fake(fake(last_tenth_first, fresh_seed, promises=RANDOM), "order", EARLIER),
    "two threads though one is asked": Fake(fake(threads=2), "repeats, 1 thread", "no"),
}

FAITHFUL = {
    "hnswlib": HNSWLIB,
    "faiss": INDEXES["faiss"],
    "hnswlib, a fresh seed each build": fake(seed=fresh_seed, promises=RANDOM),
    "hnswlib, two threads and a fresh seed": fake(seed=fresh_seed, threads=2, promises=RANDOM),
    "hnswlib, jittered": fake(lambda order, seed: jittered(order, 8, seed), lambda seed: 100, params=JitteredParams),
    "hnswlib, unseeded": fake(seed=lambda seed: 100, promises=Promises(seeded=False)),
    "hnswlib, chunks that keep the order": fake(lambda order, seed, chunk: order, params=ChunkedParams),
}
