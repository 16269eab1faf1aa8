"""Fakes are named by the right verdict, faithful engines are not accused; more runs in `calibrate_doctor`."""

from functools import cache

import msgspec
import numpy as np
import pytest
from support.doctor import examined
from support.fakes import FAITHFUL, FAKES, HNSWLIB, ChunkedParams, fake, within_calls
from support.messages import names

from bench.errors import BenchError
from bench.features.doctor import examination
from bench.features.doctor.diagnosis import judged
from bench.features.doctor.examination import Failed, Recalls
from bench.features.doctor.kept_order import ALIKE, CANNOT_TELL, FAILED, INSIDE, KEPT, LOST, REFUSED, effect
from bench.indexes.engine import Promises


def line(found, question):
    [one] = [line for line in found.lines if line.question == question]
    return one


@cache  # several facts of one examination
def fake_found(name):
    return examined(FAKES[name].engine)


@pytest.mark.parametrize("name", FAKES)
def test_a_fake_is_named_by_its_verdict(name):
    _, question, answer, broken = FAKES[name]
    found = fake_found(name)
    assert (line(found, question).answer, line(found, question).broken) == (answer, broken)
    assert any(sign.isdigit() for sign in line(found, question).evidence)
    assert all(one.remedy for one in found.broken)


@pytest.mark.parametrize("name", FAITHFUL)
@pytest.mark.parametrize("metric", ["cosine", "ip"])
def test_a_faithful_engine_is_not_accused(name, metric):
    found = examined(FAITHFUL[name], metric)
    assert found.broken == []
    assert found.lines[0].answer == KEPT
    assert found.keeps


def test_an_engine_breaks_no_promise_that_it_does_not_give():
    free = Promises(keeps_order=False, repeats=False, seeded=False, has_ef_search=False)
    for name in ("shuffles all rows, always alike", "ignores its seed", "two threads though one is asked"):
        assert examined(msgspec.structs.replace(FAKES[name].engine, promises=free)).broken == []


def test_nothing_is_known_of_a_graph_that_answers_do_not_show():
    for name in ("answers exactly", "ids off by one"):
        found = fake_found(name)
        assert [one.question for one in found.broken] == [FAKES[name].question]
        assert line(found, "order").answer == line(found, "build seed").answer == CANNOT_TELL
        assert not found.keeps


def test_settings_name_the_parameters_that_keep_the_order():
    [setting] = examined(FAITHFUL["faiss"]).settings
    assert names(setting, "chunk = 1", f"100: {INSIDE}", f"all: {LOST}")
    [threads] = examined(HNSWLIB).settings
    assert names(threads, "threads = 1", 2)
    chunk, *others = fake_found("shuffles inside a call of 1,000 by default").settings
    assert names(chunk, "chunk = 1", LOST)
    assert others == [threads]


def test_chunks_that_keep_the_order_give_the_same_graph():
    found = examined(FAITHFUL["hnswlib, chunks that keep the order"])
    assert [line(found, f"order, chunk = {chunk}").answer for chunk in (100, "all")] == [ALIKE, ALIKE]


def test_a_refusal_is_no_failure():
    def check(params):
        if params.threads > 1 or params.chunk == "all":
            raise ValueError("one thread, and rows in batches")

    engine = fake(within_calls(lambda rows: rows), params=ChunkedParams, check=check)
    found = examined(engine)
    assert found.broken == []
    for question in ("repeats, 2 threads", "order, chunk = all"):
        assert line(found, question).answer == REFUSED
        assert line(found, question).evidence == "one thread, and rows in batches"


def test_a_refused_build_breaks_no_promise_and_a_failed_one_does():
    def build(base, order, metric, params, seed):
        raise BenchError("set RAYON_NUM_THREADS=1 first") if params.threads > 1 else MemoryError("no room")

    found = examined(msgspec.structs.replace(HNSWLIB, build=build))
    assert line(found, "repeats, 2 threads").answer == REFUSED
    assert line(found, "order") in found.broken
    assert line(found, "order").evidence == "MemoryError: no room"


def test_misses_are_unreachable_rows_or_rounded_distances():
    def lost(base, metric):
        return lambda searcher, queries, k, ef: unreachable(searcher.search(queries, k + 3, max(ef, k + 3)), k)

    def unreachable(ids, k):
        return np.array([[one for one in row if one not in (3, 4, 5)][:k] for row in ids])

    found = line(examined(fake(answer=lost)), "the widest search")
    assert (found.answer, found.broken) == ("misses: unreachable rows", True)
    assert "3 of 500 rows" in found.evidence

    def build(base, order, metric, params, seed):
        return HNSWLIB.build(np.round(base * 16) / 16, order, metric, params, seed)

    found = examined(msgspec.structs.replace(HNSWLIB, build=build))
    assert line(found, "the widest search").answer == "misses: rounded distances"
    assert line(found, "order").answer == KEPT  # though rows at equal distances are sorted by id


def test_the_cost_of_a_clustered_order_has_an_interval():
    recalls = Recalls(np.full((5, 40), 0.7), np.full((5, 40), 0.9))
    assert effect(recalls).value == pytest.approx(-0.2)
    known = dict(examination.run(HNSWLIB, "l2", {}))
    clustered = line(judged("hnswlib", "1.0", HNSWLIB, "l2", known), "clustered")
    assert clustered.answer.startswith("-")
    assert clustered.evidence.startswith("[-")


def test_a_failed_part_has_its_reason_as_evidence():
    known = {name: Failed("killed by SIGSEGV") for name in examination.parts(FAITHFUL["faiss"])}
    found = judged("faiss", "1.0", FAITHFUL["faiss"], "l2", known)
    assert {one.evidence for one in found.lines} == {"killed by SIGSEGV"}
    assert found.broken == found.lines
    assert not found.keeps


def raises_for_few(base, metric):
    def answer(searcher, queries, k, ef_search):
        ids = searcher.search(queries, k, ef_search)
        if (ids < 0).any():
            raise RuntimeError("Cannot return the results in a contiguous 2D array")
        return ids

    return answer


def test_a_check_in_which_an_engine_raises_is_named_with_its_remedy():
    found = examined(fake(answer=raises_for_few))
    [broken] = found.broken
    assert broken.question == "unreachable rows are -1"
    assert broken.answer == FAILED
    assert broken.evidence.startswith("RuntimeError: ")
    assert "-1" in broken.remedy
    held = line(found, "other checks")
    assert held.answer == "hold"
    assert "unreachable" not in held.evidence
