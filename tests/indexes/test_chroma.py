"""What Chroma does with order, that ef_search is what its adapter asks for, and what is left in memory."""

import uuid

import numpy as np
import pytest
from support.islands import exact, islands, recall
from support.messages import refused

from bench.indexes.chroma import ENGINE, ChromaParams, build
from bench.indexes.engine import params_of

pytestmark = pytest.mark.engine("chroma")

N = 300  # a row takes 3 ms
WHOLE, QUERIES = islands()
BASE = WHOLE[:N]
ORDER = np.random.default_rng(0).permutation(N)
SPARSE = {"M": 4, "ef_construction": 10, "jitter": 1}


def answers(order=ORDER, ef=10, metric="l2", seed=1, base=BASE, **params):
    return build(base, order, metric, ChromaParams(**SPARSE | params), seed).search(QUERIES, 10, ef)


@pytest.fixture
def plain():
    """A collection that is made with an ef_search, a row an add, by Chroma's own calls."""
    import chromadb

    client = chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))

    def made(ef, order=ORDER, client=client, **buffer):
        hnsw = {"space": "l2", "max_neighbors": 4, "ef_construction": 10, "ef_search": ef} | buffer
        collection = client.create_collection(uuid.uuid4().hex, configuration={"hnsw": hnsw}, embedding_function=None)
        for row in order:
            collection.add(ids=[str(row)], embeddings=BASE[row])
        return collection

    yield made
    for collection in client.list_collections():
        client.delete_collection(collection.name)
    client.close()


def asked(collection, queries=QUERIES):
    found = collection.query(query_embeddings=queries, n_results=10, include=[])["ids"]
    return np.array([[int(name) for name in ids] for ids in found])


@pytest.mark.parametrize("ef", [1, 15, 40])
def test_ef_search_is_that_of_a_plain_collection_made_with_it(plain, ef):
    assert np.array_equal(asked(plain(ef)), answers(ef=ef))


@pytest.mark.filterwarnings("ignore:legacy embedding function config")
def test_modifying_a_live_collection_changes_nothing_which_is_why_results_are_asked_for(plain):
    collection = plain(10)
    before = asked(collection)
    collection.modify(configuration={"hnsw": {"ef_search": 100}})
    assert np.array_equal(before, asked(collection))
    assert not np.array_equal(before, answers(ef=100))


def test_no_buffer_answers_in_place_of_the_graph():
    buffer = {"batch_size": 100, "sync_threshold": 1000}  # more than there are rows
    narrow = answers(**buffer)
    assert np.array_equal(narrow, answers())
    truth = exact(BASE, QUERIES)
    assert recall(narrow, truth) < recall(answers(ef=40, **buffer), truth) < 1


def test_a_larger_add_loses_the_order_of_its_rows():
    one_by_one, by_ten, again = answers(), answers(chunk=10), answers(chunk=10)
    assert not np.array_equal(one_by_one, by_ten)
    assert not np.array_equal(by_ten, again)


def test_the_seed_moves_rows_as_far_as_jitter_says():
    assert np.array_equal(answers(seed=1), answers(seed=2))
    assert not np.array_equal(answers(seed=1, jitter=8), answers(seed=2, jitter=8))


@pytest.mark.parametrize("metric", ENGINE.metrics)
def test_ids_are_base_rows_by_the_metric(metric):
    found = answers(metric=metric, ef=N, M=16, ef_construction=100)
    assert recall(found, exact(BASE, QUERIES, 10, metric)) > 0.99


def test_rows_that_are_not_there_are_minus_one():
    searcher = build(BASE[:30], np.arange(30), "l2", ChromaParams(), 1)
    ids = searcher.search(QUERIES[:3], 50, 10)
    assert np.array_equal(np.sort(ids[:, :30]), np.tile(np.arange(30), (3, 1)))
    assert (ids[:, 30:] == -1).all()


def test_a_larger_add_than_chroma_takes_is_refused_in_one_line():
    with refused("chunk", 100_000, error=ValueError):
        answers(order=np.zeros(100_000, dtype=np.int64), chunk="all")
    assert answers(order=np.arange(30), chunk=100_000).max() < 30


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({"threads": 2}, "threads = 2"), ({"batch_size": 1}, "batch_size = 1"), ({"jitter": 0}, "jitter = 0")],
)
def test_bad_parameters_are_refused_in_one_line(given, wanted):
    with refused("chroma", wanted) as refusal:
        params_of(ENGINE, given, "chroma")
    assert "\n" not in str(refusal.value)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    import chromadb

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    client = chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))
    searcher = build(BASE[:30], np.arange(30), "l2", ChromaParams(), 1)
    assert searcher.collection.name in {collection.name for collection in client.list_collections()}
    del searcher
    assert not client.list_collections()
    with pytest.raises(Exception, match="mbedding"):
        build(np.full((3, 0), 1, dtype=np.float32), np.arange(3), "l2", ChromaParams(), 1)
    assert not client.list_collections()
    client.close()
    assert not [*tmp_path.iterdir()]
