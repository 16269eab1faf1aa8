"""What pgvector does that its adapter relies on, and that its server goes with the process."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.engines import exact_recall
from support.messages import refused
from support.processes import children, gone

from bench.geometry import knn
from bench.indexes import INDEXES, pgvector
from bench.indexes.contract import vectors
from bench.indexes.engine import MOST, installed_version, params_of, version
from bench.present.listings import engines
from bench.study.environment import differences, environment
from bench.study.provenance import provenance
from bench.study.spec.experiment import Experiment, check

pytestmark = pytest.mark.engine("pgvector")

N = 600
BASE, QUERIES = vectors("l2", N)
SHUFFLED = np.random.default_rng(1).permutation(N)
own_server = pytest.mark.skipif(pgvector.DSN in os.environ, reason="with a server of its own")


def build(order=SHUFFLED, metric="l2", base=None, **params):
    given = params_of(INDEXES["pgvector"], {"M": 6, "ef_construction": 30, **params}, "pgvector")
    return pgvector.build(vectors(metric, N)[0] if base is None else base, order, metric, given, 1)


def table(searcher, columns="*"):
    return searcher.connection.execute(f"SELECT {columns} FROM {searcher.table} ORDER BY ctid").fetchall()


@pytest.mark.parametrize("index", ["first", "after"])
@pytest.mark.parametrize("chunk", [1, 7, "all"])
def test_the_table_has_the_rows_in_the_callers_order_and_exactly(index, chunk):
    order = SHUFFLED[:100]
    searcher = build(order, index=index, chunk=chunk)
    ids, rows = zip(*table(searcher, "id, vector::real[]"), strict=True)
    assert np.array_equal(ids, order)
    assert np.array_equal(np.array(rows, dtype=np.float32), BASE[order])


@pytest.mark.parametrize("index", ["first", "after"])
def test_the_order_of_rows_reaches_the_graph(index):
    # Rows on shells: from the inside out, .82 of neighbours are found, else .69, with an sd of .01 over builds.
    rng = np.random.default_rng(0)
    base = (rng.standard_normal((1500, 16)) * np.linspace(0.001, 1, 1500)[:, None]).astype(np.float32)
    queries = base[rng.permutation(1500)[:200]] + np.float32(0.3) * rng.standard_normal((200, 16), dtype=np.float32)
    outwards = np.arange(1500)

    def found(order):
        return np.mean([recall(build(order, base=base, index=index), base, queries) for _ in range(2)])

    assert found(outwards) > 0.06 + max(found(outwards[::-1]), found(rng.permutation(1500)))


def recall(searcher, base, queries, ef_search=10):
    _, exact = knn.search(queries, base, 10, "l2")
    ids = searcher.search(queries, 10, ef_search)
    return np.mean([np.isin(row, near).mean() for row, near in zip(ids, exact, strict=True)])


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
@pytest.mark.parametrize("index", ["first", "after"])
def test_ids_are_those_of_exact_search_in_any_order(metric, index):
    base, queries = vectors(metric, N)
    ids = build(metric=metric, index=index, M=16, ef_construction=200).search(queries, 10, N)
    points = (knn.unit(queries), knn.unit(base)) if metric == "cosine" else (queries, base)
    _, exact = knn.search(*points, 10, "ip" if metric == "ip" else "l2")
    assert np.array_equal(np.sort(ids, axis=1), np.sort(exact, axis=1))


@pytest.mark.parametrize("index", ["first", "after"])
def test_exact_duplicates_share_an_element_and_keep_their_ids(index):
    base = np.repeat(BASE[:75], 8, axis=0)  # an element has room for ten
    ids = build(base=base, index=index, M=16, ef_construction=200).search(BASE[:75], 8, 75)
    assert np.array_equal(np.sort(ids, axis=1), np.arange(N).reshape(75, 8))


def test_it_answers_from_a_graph_and_wider_searches_find_more():
    searcher = build()
    assert recall(searcher, BASE, QUERIES, 10) < 0.93 < recall(searcher, BASE, QUERIES, 100)


def test_a_search_without_the_graph_is_an_error():
    searcher = build()
    searcher.connection.execute(f"DROP INDEX {searcher.table}_graph")
    with refused("pgvector", "Index Scan", error=RuntimeError):
        searcher.search(QUERIES, 10, 10)


def test_fewer_rows_than_asked_for_end_in_minus_one():
    ids = build(SHUFFLED[:5]).search(QUERIES, 8, 10)
    assert np.array_equal(np.sort(ids, axis=1), np.tile([-1, -1, -1, *np.sort(SHUFFLED[:5])], (len(QUERIES), 1)))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"M": 101, "ef_construction": 500}, "M = 101"),
        ({"M": 16, "ef_construction": 31}, "ef_construction = 31"),
        ({"ef_construction": 1001}, "ef_construction = 1001"),
        ({"threads": 2}, 'index = "after"'),
        ({"chunk": 0}, "chunk = 0"),
        ({"index": "before"}, "index"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(params, said):
    with refused(said) as error:
        build(**params)
    assert "\n" not in str(error.value)


def test_two_threads_make_an_index_of_the_filled_table():
    searcher = build(threads=2, index="after", M=16, ef_construction=200)
    assert np.array_equal(searcher.search(QUERIES, 10, N)[:, 0], knn.search(QUERIES, BASE, 1, "l2")[1][:, 0])


@pytest.fixture
def halfvec():
    """A server that has the type."""
    with pgvector._connection() as connection:
        if connection.execute("SELECT to_regtype('halfvec')").fetchone() == (None,):
            pytest.skip(f"needs pgvector 0.7 or newer: name a server in {pgvector.DSN}")


def test_a_server_without_halfvec_is_named_with_what_it_has():
    with pgvector._connection() as connection:
        if connection.execute("SELECT to_regtype('halfvec')").fetchone() != (None,):
            pytest.skip("this server has halfvec")
    with refused("halfvec", "0.7", "0.6.2", error=RuntimeError):
        build(dtype="halfvec")


@pytest.mark.parametrize("index", ["first", "after"])
def test_halfvec_keeps_the_order_and_rounds_rows_to_float16(halfvec, index):
    order = SHUFFLED[:100]
    ids, rows = zip(*table(build(order, index=index, dtype="halfvec"), "id, vector::vector::real[]"), strict=True)
    assert np.array_equal(ids, order)
    assert np.array_equal(np.array(rows, dtype=np.float32), BASE[order].astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_halfvec_finds_the_exact_neighbours_but_for_rounding(halfvec, metric):
    base, queries = vectors(metric, N)
    ids = build(metric=metric, dtype="halfvec", M=16, ef_construction=200).search(queries, 10, N)
    assert exact_recall(ids, base, queries, metric) > 0.98


def test_halfvec_takes_more_dimensions_than_vector_does(halfvec):
    import psycopg

    base = np.random.default_rng(0).standard_normal((60, 2500)).astype(np.float32)
    ids = build(np.arange(60), base=base, dtype="halfvec").search(base, 1, 60)
    assert np.array_equal(ids[:, 0], np.arange(60))
    with pytest.raises(psycopg.Error, match="2000 dimensions"):
        build(np.arange(60), base=base)


def test_a_table_goes_with_its_searcher_and_nobody_else_sees_it():
    searcher, name = build(), "SELECT count(*) FROM pg_class WHERE relname LIKE 'bench%'"
    with pgvector._connection() as other:
        assert other.execute(name).fetchone() == (0,)
        del searcher
        assert other.execute(name).fetchone() == (0,)


@own_server
def test_a_server_that_dies_in_a_build_is_an_error_and_the_next_build_has_another():
    import psycopg

    build(SHUFFLED[:5])
    (server,) = pgvector._servers
    searcher = build(SHUFFLED[:5])
    os.kill(searcher.connection.info.backend_pid, signal.SIGKILL)
    with pytest.raises(psycopg.OperationalError):
        searcher.search(QUERIES, 5, 10)
    assert (build(SHUFFLED[:5]).search(QUERIES, 5, 10) >= 0).all()
    assert pgvector._servers[0] is not server
    assert not os.path.exists(server._scratch.path)


KILLED = """
import os, threading, numpy as np
from bench.indexes import INDEXES, pgvector
pgvector.build(np.eye(4, dtype=np.float32), np.arange(4), "l2", INDEXES["pgvector"].params(), 1)
print(pgvector._servers[0]._scratch.path, pgvector._servers[0]._process.pid, flush=True)
base = np.random.default_rng(0).standard_normal((20_000, 64)).astype(np.float32)
pgvector.build(base, np.arange(len(base)), "l2", INDEXES["pgvector"].params(index={index!r}), 1)
print("built", flush=True)
"""


@own_server
@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="asks /proc for processes")
@pytest.mark.parametrize("index", ["first", "after"])
def test_nothing_is_left_of_a_build_that_is_killed(index):
    with open("/etc/passwd") as users:
        before = users.read()
    program = [sys.executable, "-c", KILLED.format(index=index)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        folder, pid = process.stdout.readline().split()
        time.sleep(2)
        started = children(pid)
        assert len(started) > 3
        process.kill()
        assert process.stdout.read() == ""
    assert gone(folder, pid, *started)
    with open("/proc/sysvipc/shm") as segments:
        assert pid not in segments.read().split()
    with open("/etc/passwd") as users:
        assert users.read() == before


INTERRUPTED = """
import os, signal, threading, numpy as np
from bench.indexes import INDEXES, pgvector
signal.signal(signal.SIGINT, signal.default_int_handler)
base = np.random.default_rng(0).standard_normal((20_000, 64)).astype(np.float32)
pgvector._connection().close()
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    pgvector.build(base, np.arange(len(base)), "l2", INDEXES["pgvector"].params(index={index!r}), 1)
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.parametrize("index", ["first", "after"])
def test_ctrl_c_is_heard_in_a_build(index):
    program = [sys.executable, "-c", INTERRUPTED.format(index=index)]
    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout == "heard\n"


@own_server
def test_the_server_listens_on_no_port():
    searcher = build(SHUFFLED[:5])
    assert searcher.connection.execute("SHOW listen_addresses").fetchone() == ("",)


@own_server
def test_a_server_that_is_named_is_used_and_left_as_it_was(monkeypatch):
    import psycopg

    build(SHUFFLED[:5])
    (server,) = pgvector._servers
    monkeypatch.setattr(pgvector, "_servers", [])
    monkeypatch.setenv(pgvector.DSN, server.dsn)
    extension = pgvector.postgres.own_version("vector").partition(",")[0]
    with psycopg.connect(server.dsn) as connection:
        (number,) = connection.execute("SHOW server_version").fetchone()
    assert version("pgvector", INDEXES["pgvector"]) == f"{extension}, PostgreSQL {number}"
    searcher = build()
    assert searcher.search(QUERIES, 10, 10).shape == (len(QUERIES), 10)
    assert pgvector._servers == []
    del searcher
    with psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'bench%'").fetchone() == (0,)


@own_server
def test_its_own_server_has_processes_for_as_many_threads_as_an_engine_may_have():
    searcher = build(SHUFFLED[:5])
    pgvector._check_workers(searcher.connection, MOST["threads"])


@own_server
def test_threads_are_not_lowered_to_what_a_named_server_has(monkeypatch):
    from psycopg.conninfo import make_conninfo

    build(SHUFFLED[:5])
    named = make_conninfo(pgvector._servers[0].dsn, options="-c max_parallel_workers=2")
    monkeypatch.setenv(pgvector.DSN, named)
    build(SHUFFLED[:5], threads=3, index="after")
    with refused("threads = 4", "max_parallel_workers = 2", "3 threads", error=RuntimeError):
        build(SHUFFLED[:5], threads=4, index="after")


@own_server
def test_settings_of_a_named_server_do_not_tell(monkeypatch):
    from psycopg.conninfo import make_conninfo

    build(SHUFFLED[:5])
    named = make_conninfo(pgvector._servers[0].dsn, options="-c hnsw.ef_search=7 -c plan_cache_mode=auto")
    monkeypatch.setenv(pgvector.DSN, named)
    searcher = build(SHUFFLED[:5])
    assert searcher.connection.execute("SHOW hnsw.ef_search").fetchone() == ("40",)


def test_the_plan_of_a_search_that_is_prepared_is_the_one_that_was_proven():
    searcher = build()
    searcher.search(QUERIES, 10, 10)
    plans = searcher.connection.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements").fetchall()
    assert sum(custom for _, custom in plans) > len(QUERIES) - 10  # the first few are not prepared
    assert sum(generic for generic, _ in plans) == 0


FORKED = """
import os, sys, numpy as np
from bench.indexes import INDEXES, pgvector
base = np.eye(4, dtype=np.float32)
searcher = pgvector.build(base, np.arange(4), "l2", INDEXES["pgvector"].params(), 1)
child = os.fork()
if not child:
    sys.exit()
os.waitpid(child, 0)
print(searcher.search(base, 1, 10).ravel().tolist())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_ends_leaves_the_connection():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 1, 2, 3]\n"


def test_an_unreachable_server_is_one_line_of_an_error_and_engines_are_still_listed(monkeypatch):
    monkeypatch.setenv(pgvector.DSN, "host=/nowhere dbname=x")
    with refused("BENCH_PGVECTOR_DSN") as error:
        version("pgvector", INDEXES["pgvector"])
    assert "\n" not in str(error.value)
    versions = {row["name"]: row["version"] for row in engines()}
    assert "hnswlib" in versions
    assert versions["pgvector"] == str(error.value)


def test_a_server_that_is_named_and_does_not_answer_is_not_left_out(monkeypatch):
    monkeypatch.setenv(pgvector.DSN, "host=/nowhere dbname=x")
    some = Experiment(
        datasets=["d"], orders=["random"], index=[{"engine": ["hnswlib", "pgvector"]}], installed_only=True
    )
    with refused("BENCH_PGVECTOR_DSN"):
        check(some, "e")


def test_a_server_that_is_named_is_part_of_what_results_were_made_with(monkeypatch):
    monkeypatch.delenv(pgvector.DSN, raising=False)
    own, own_environment = provenance("pgvector", False), environment(1, ["pgvector"])
    assert own.engine_binary
    assert own_environment["versions"]["pgvector"] == own.engine_version
    monkeypatch.setattr(pgvector, "_version_at", lambda dsn: f"0.8.1, PostgreSQL {dsn}")
    monkeypatch.setenv(pgvector.DSN, "16")
    named, named_environment = provenance("pgvector", False), environment(1, ["pgvector"])
    assert (named.engine_version, named.engine_binary) == ("0.8.1, PostgreSQL 16", "")
    assert "pgserver" not in named_environment["binaries"]
    monkeypatch.setenv(pgvector.DSN, "17")  # upgraded
    assert provenance("pgvector", False).engine_version == "0.8.1, PostgreSQL 17"
    [change] = differences(named_environment, environment(1, ["pgvector"]))
    assert change.text == "pgvector 0.8.1, PostgreSQL 16 -> 0.8.1, PostgreSQL 17"
    assert [change.concerns(engine) for engine in ("pgvector", "hnswlib")] == [True, False]
    assert "pgvector" not in environment(1, ["hnswlib"])["versions"]  # which no server is asked for


def test_without_a_server_the_error_names_the_extra_and_the_variable(monkeypatch):
    monkeypatch.delenv(pgvector.DSN, raising=False)
    monkeypatch.setattr(pgvector.postgres, "importable", lambda module: module != "pgserver")
    with refused("hnsw-order-bench[pgvector]", "BENCH_PGVECTOR_DSN"):
        version("pgvector", INDEXES["pgvector"])
    assert installed_version(INDEXES["pgvector"]) is None
