"""The contract of every engine's adapter, or its figures are noise; and that the checks name who breaks it."""

import subprocess
import sys

import msgspec
import numpy as np
import pytest
from support.graphs import graph, plain
from support.needs import needed

from bench.indexes import INDEXES, contract
from bench.indexes.contract import CHECKS, N, vectors, verdicts
from bench.indexes.engine import Params, Promises

WITH_GRAPHS = ("hnswlib", "faiss")  # whose graphs are read byte by byte; of others, answers have to do


def every(names=INDEXES, first=0):
    """Engines by each metric that they have, from the first on or a later one."""
    pairs = [pytest.param(name, one, marks=needed(name)) for name in names for one in INDEXES[name].metrics[first:]]
    return pytest.mark.parametrize(("name", "metric"), pairs)


every_engine = pytest.mark.parametrize("name", [pytest.param(name, marks=needed(name)) for name in INDEXES])


def promised(engine):
    """The names of the checks of what an engine promises."""
    return [check for check, (_, on) in CHECKS.items() if all(getattr(engine.promises, one) for one in on)]


@every_engine
def test_every_engine_holds_its_contract(name):
    engine = INDEXES[name]
    found = list(verdicts(engine))
    assert [verdict.check for verdict in found] == promised(engine)
    assert [verdict for verdict in found if not verdict.holds] == []


# Checks that a fault in the distances of one metric, or in the rows prepared for it, would fail
OF_METRIC = [
    "the order is the caller's",
    "ids are base rows, nearest first",
    "recall is 1 at a saturating ef_search",
    "unreachable rows are -1",
]


@every(first=1)
def test_the_other_metrics_of_an_engine_hold_what_depends_on_a_metric(name, metric):
    engine = INDEXES[name]
    checks = [check for check in promised(engine) if check in OF_METRIC]
    assert len(checks) >= 3
    found = {check: CHECKS[check][0](engine, metric) for check in checks}
    assert [(check, evidence) for check, (holds, evidence) in found.items() if not holds] == []


@every(WITH_GRAPHS)
def test_the_graph_is_that_of_a_plain_row_by_row_build(name, metric):
    n = 2500  # more than an adapter gathers at a time
    base, _ = vectors(metric, n)
    order = np.random.default_rng(1).permutation(n)
    params = INDEXES[name].params(M=6, ef_construction=30)
    built = INDEXES[name].build(base, order, metric, params, 7).index
    assert graph(name, built) == graph(name, plain(name, base, order, metric, params, 7))


PROGRAM = """
import sys, hashlib, numpy as np
sys.path.insert(0, {tests!r})
from bench.indexes import INDEXES
from support.graphs import graph
rng = np.random.default_rng(5)
base = rng.standard_normal((400, 24)).astype(np.float32)
engine = INDEXES[{engine!r}]
searcher = engine.build(base, rng.permutation(400), {metric!r}, engine.params(M=8, ef_construction=40), 3)
ids = searcher.search(base[:100] + np.float32(0.1), 10, 20)
built = graph({engine!r}, searcher.index) if {of_graph!r} else b""
print("result", hashlib.sha256(built).hexdigest(), hashlib.sha256(ids.tobytes()).hexdigest())
"""


@every_engine
def test_builds_and_results_repeat_bit_by_bit_in_another_process(name, request):
    if not INDEXES[name].promises.repeats:
        pytest.skip(f"{name} does not promise to repeat")
    tests = str(request.config.rootpath / "tests")
    program = PROGRAM.format(engine=name, metric=INDEXES[name].metrics[0], tests=tests, of_graph=name in WITH_GRAPHS)
    outputs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    results = {line for output in outputs for line in output.splitlines() if line.startswith("result")}
    assert len(results) == 1
    assert len(results.pop().split()) == 3


class Changed:
    """A searcher whose answers are changed."""

    def __init__(self, searcher, change):
        self._searcher, self._change = searcher, change

    def search(self, queries, k, ef_search):
        return self._change(self._searcher, queries, k, ef_search)


def faulty(order=lambda order: order, params=lambda params: params, seed=lambda seed: seed, answer=None):
    """hnswlib with a fault in what it is given or what it answers."""
    whole = INDEXES["hnswlib"]

    def build(base, given, metric, given_params, given_seed):
        searcher = whole.build(base, order(given), metric, params(given_params), seed(given_seed))
        return Changed(searcher, answer) if answer else searcher

    return msgspec.structs.replace(whole, build=build)


def nearest_first_no_more(searcher, queries, k, ef_search):
    return searcher.search(queries, k, ef_search)[:, ::-1]


RNG = np.random.default_rng(0)
FAULTS = {
    "the order reaches the graph": faulty(order=np.sort),
    "the order is the caller's": faulty(order=np.sort),
    "the last rows come last": faulty(order=lambda order: np.roll(order, len(order) // 10)),
    "builds repeat": faulty(order=RNG.permutation),
    "the seed reaches the graph": faulty(seed=lambda seed: 100),
    "parameters reach the graph": faulty(params=lambda params: Params(M=6, ef_construction=30)),
    "ids are base rows, nearest first": faulty(answer=nearest_first_no_more),
    "recall is 1 at a saturating ef_search": faulty(
        answer=lambda searcher, queries, k, ef: (searcher.search(queries, k, ef) + 1) % N
    ),
    "wider searches find more": faulty(answer=lambda searcher, queries, k, ef: searcher.search(queries, k, max(k, 10))),
    "searches leave no trace": faulty(
        answer=lambda searcher, queries, k, ef: RNG.permuted(searcher.search(queries, k, ef), axis=1)
    ),
    "unreachable rows are -1": faulty(
        answer=lambda searcher, queries, k, ef: np.maximum(searcher.search(queries, k, ef), 0)
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_a_fault_is_named_by_its_check(check):
    named = {verdict.check: verdict for verdict in verdicts(FAULTS[check])}
    assert not named[check].holds
    assert any(digit.isdigit() for digit in named[check].evidence)


def test_an_engine_is_not_checked_for_promises_that_it_does_not_give():
    free = msgspec.structs.replace(
        INDEXES["hnswlib"],
        promises=Promises(keeps_order=False, repeats=False, seeded=False, has_ef_search=False),
    )
    assert {verdict.check for verdict in verdicts(free)} == {
        name for name, (_, promises) in CHECKS.items() if not promises
    }


def test_places_show_whether_an_engine_that_never_repeats_keeps_the_order():
    def fresh(seed):
        return int(RNG.integers(1, 2**31))

    random = Promises(repeats=False, seeded=False)
    orders = {True: lambda order: order, False: RNG.permutation}
    for keeps, order in orders.items():
        engine = msgspec.structs.replace(faulty(order=order, seed=fresh), promises=random)
        named = {verdict.check: verdict for verdict in verdicts(engine, of_order=True)}
        assert "the order is the caller's" not in named
        assert named["the order reaches the graph"].holds == keeps
        assert "z by place" in named["the order reaches the graph"].evidence


def test_the_vectors_of_the_contract_cannot_be_written():
    for rows in contract.vectors("l2"):
        assert not rows.flags.writeable


def test_an_engine_that_raises_does_not_hold_and_the_checks_go_on():
    def build(*_):
        raise RuntimeError("no graph")

    broken = msgspec.structs.replace(INDEXES["hnswlib"], build=build)
    assert [(verdict.holds, verdict.evidence) for verdict in verdicts(broken)] == [
        (False, "RuntimeError: no graph")
    ] * len(CHECKS)
