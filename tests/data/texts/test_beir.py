import numpy as np
import pytest
from support import datasets
from support.beir import CORPUS, VECTORS, jsonl

from bench.data.loading import load_all
from bench.errors import BenchError, BenchWarning


def load(beir_folder, **parameters):
    return datasets.load("set.toml", parameters, beside=beir_folder.parent)


def test_rows_follow_the_files_and_only_judged_queries_are_searched(beir_folder):
    with pytest.warns(BenchWarning, match=r"1 of 3 queries .*test\.tsv"):
        dataset = load(beir_folder)
    assert (dataset.name, dataset.metric) == ("set", "cosine")
    assert np.array_equal(dataset.base, VECTORS[:4])
    assert np.array_equal(dataset.queries, VECTORS[[4, 6]])
    assert dataset.judgements.query_ids.tolist() == ["q0", "q2"]
    assert dataset.judgements.doc_ids.tolist() == ["d1", "d2", "d3", "d4"]
    assert dataset.judgements.qrels == {"q0": {"d3": 1}, "q2": {"d1": 2, "d2": 0}}


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_a_model_and_its_first_dimensions_are_chosen_by_name(beir_folder):
    np.save(beir_folder / "embeddings" / "other.corpus.npy", VECTORS[3:])
    np.save(beir_folder / "embeddings" / "other.queries.npy", VECTORS[:3])
    both = load_all("set.toml", {"model": ["other", "m@2"]}, beside=beir_folder.parent)
    assert [dataset.name for dataset in both] == ["set(model=other)", "set(model=m@2)"]
    assert np.array_equal(both[0].base, VECTORS[3:])
    assert np.array_equal(both[1].base, VECTORS[:4, :2])
    assert np.array_equal(both[1].queries, VECTORS[[4, 6], :2])


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("n", r"'n'; known: m, lsa@d"),
        ("m@6", r"m\.corpus\.npy has 5 dimensions: @6"),
        ("m@0", "@0"),
        ("m@x", "'m@x'.* m@128"),
        ("lsa", "'lsa'.* lsa@384"),
        ("lsa@9", r"lsa@9: .*corpus\.jsonl has 4 texts and 7 words"),
        (3, "model: expected text"),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_a_model_that_cannot_be_used_is_reported(beir_folder, model, named):
    with pytest.raises(BenchError, match=named):
        load(beir_folder, model=model)


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_lsa_is_computed_once_and_a_document_without_words_is_left_out(beir_folder, monkeypatch):
    with pytest.warns(BenchWarning, match="corpus.jsonl: 1 of 4"):
        without = load(beir_folder, model="lsa@2")
    assert without.judgements.doc_ids.tolist() == ["d1", "d2", "d3"]
    assert len(without.base) == 3
    (beir_folder / "corpus.jsonl").write_text(jsonl(CORPUS[:3]))
    first = load(beir_folder, model="lsa@2")
    assert first.base.shape == (3, 2)
    assert np.abs(np.linalg.norm(first.base, axis=1) - 1).max() < 1e-6
    monkeypatch.setattr("bench.data.texts.lsa.fit", lambda *_: pytest.fail("computed again"))
    assert load(beir_folder, model="lsa@2").fingerprint == first.fingerprint


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_vectors_must_match_the_lines_of_their_texts(beir_folder):
    np.save(beir_folder / "embeddings" / "m.queries.npy", VECTORS[4:6])
    with pytest.raises(BenchError, match=r"m\.queries\.npy has shape \(2, 5\), .*queries\.jsonl has 3 lines"):
        load(beir_folder)


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_reported(beir_folder, file):
    (beir_folder / file).unlink()
    with pytest.raises(BenchError, match=f"{file} does not exist: a BEIR folder has"):
        load(beir_folder)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("corpus", r"unknown model 'm'; known: lsa@d; .*/set/embeddings/m\.corpus\.npy"),
        ("queries", r"set/embeddings/m\.queries\.npy does not exist"),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_missing_vectors_are_reported_with_the_name_of_their_file(beir_folder, part, message):
    (beir_folder / "embeddings" / f"m.{part}.npy").unlink()
    with pytest.raises(BenchError, match=message):
        load(beir_folder)


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_another_file_than_the_stated_checksum_is_refused(beir_folder):
    toml = beir_folder.parent / "set.toml"
    toml.write_text(toml.read_text() + f'[beir.sha256]\n"corpus.jsonl" = "{"0" * 64}"\n')
    with pytest.raises(BenchError, match=r"corpus\.jsonl: SHA-256 is .*, dataset 'set' states 00"):
        load(beir_folder)


def test_a_missing_folder_is_reported(beir_folder):
    beir_folder.rename(beir_folder.with_name("gone"))
    with pytest.raises(BenchError, match=r"set does not exist, .*beir\.sha256 .* corpus\.jsonl"):
        load(beir_folder)


@pytest.mark.mirror
def test_npl_is_as_its_readme_says(mirror):
    dataset = datasets.load("npl")
    assert dataset.base.shape == (11_426, 384)
    assert dataset.queries.shape == (93, 384)
    assert sum(map(len, dataset.judgements.qrels.values())) == 2083
    stored = np.load(mirror / "npl" / "embeddings" / "minilm-l6-mean.corpus.npy", mmap_mode="r")
    assert np.array_equal(dataset.base[-1], stored[-1].astype(np.float32))
    assert dataset.judgements.doc_ids[0] == "1"


@pytest.mark.mirror
def test_an_unknown_model_of_npl_is_reported_with_those_that_are_known(mirror):
    with pytest.raises(BenchError, match=r"unknown model 'minilm'; known: minilm-l2-mean, .*, lsa@d"):
        datasets.load("npl", {"model": "minilm"})


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_queries_from_elsewhere_have_no_judgements(beir_folder):
    np.save(beir_folder / "q.npy", VECTORS[:3] + 1)
    with pytest.warns(BenchWarning, match="set: its judgements are those of other queries; left out"):
        dataset = datasets.load("set.toml", beside=beir_folder.parent, queries=beir_folder / "q.npy")
    assert (len(dataset.queries), dataset.judgements) == (3, None)
    metric_alone = datasets.load("set.toml", beside=beir_folder.parent, metric="l2")
    assert metric_alone.judgements.qrels["q2"] == {"d1": 2, "d2": 0}


@pytest.mark.filterwarnings("ignore:1 of 3 queries", "ignore:.*corpus.npy")
def test_labels_are_those_of_all_documents_though_some_have_no_direction(beir_folder):
    (beir_folder / "l.txt").write_text("a\nb\nc\nd\n")
    vectors = VECTORS[:4].copy()
    vectors[1] = 0
    np.save(beir_folder / "embeddings" / "m.corpus.npy", vectors)
    dataset = datasets.load("set.toml", beside=beir_folder.parent, labels=beir_folder / "l.txt")
    assert dataset.labels.tolist() == ["a", "c", "d"]
    assert (dataset.source_rows.tolist(), dataset.source_count) == ([0, 2, 3], 4)
    of_all = datasets.load("set.toml", beside=beir_folder.parent, labels=beir_folder / "l.txt", metric="l2")
    assert of_all.labels.tolist() == ["a", "b", "c", "d"]
