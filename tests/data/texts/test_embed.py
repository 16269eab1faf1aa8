import json
import shutil

import numpy as np
import pytest
from support.encoders import WORDS, Model, Normalize, counts, documents, files, write

from bench.data import catalog
from bench.data.texts.embed import embed
from bench.errors import BenchError, BenchWarning


def test_a_folder_becomes_a_dataset_that_records_its_model(folder, use):
    use(Model(modules=[Normalize()]))
    path, record = embed(folder, "org/counter", batch_size=8)
    assert path == folder / "radio-counter.toml"
    dataset = catalog.load("radio-counter.toml", beside=folder)
    assert dataset.metric == "cosine"
    assert np.array_equal(dataset.base, counts(documents(folder)))
    assert np.array_equal(dataset.queries, -counts(WORDS[:4]))
    assert dataset.judgements.qrels["q2"] == {"d2": 1}
    assert catalog.read_spec(path).embedding == record
    assert (record.model, record.revision, record.dimension) == ("org/counter", "c0ffee", 8)
    assert (record.normalized, record.max_tokens, record.batch_size) == (True, 256, 8)
    assert record.libraries["torch"] == "torch-1"
    assert sorted(record.sha256) == [
        "corpus.jsonl",
        "embeddings/counter.corpus.npy",
        "embeddings/counter.queries.npy",
        "queries.jsonl",
    ]
    assert files(folder) == sorted([*record.sha256, "qrels/test.tsv", "radio-counter.toml"])


def test_vectors_that_exist_are_kept(folder, use):
    use(Model())
    path, record = embed(folder, "m")
    model = use(Model())
    logged = []
    assert embed(folder, "elsewhere/m", log=logged.append, batch_size=4) == (path, record)
    assert logged[1:] == [f"{path} exists already, from the same texts and model"]
    assert len(model.calls) == 1
    path.write_text(path.read_text() + "\n[files]\nlabels = 'by hand'\n")  # more than it wrote itself
    assert embed(folder, "m") == (path, record)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("revision", r"radio-m\.toml .* another revision, 'c0ffee' and not 'beef'"),
        ("prefix", "another passage_prefix, '' and not 'p: '"),
        ("texts", "of other texts in corpus.jsonl"),
        ("split", r"another \[beir\]"),
        ("vectors", r"m\.queries\.npy is not what"),
        ("toml", r"radio-m\.toml .* does not record"),
        ("no toml", r"m\.corpus\.npy exists.* --name"),
    ],
)
def test_vectors_of_something_else_are_left_alone(folder, use, change, message):
    use(Model())
    path, _ = embed(folder, "m")
    vectors = folder / "embeddings" / "m.queries.npy"
    if change == "texts":
        write(folder / "corpus.jsonl", [{"_id": f"d{i}", "text": "wave"} for i in range(4)])
    if change == "vectors":
        np.save(vectors, np.ones((4, 8), np.float32))
    if change == "toml":
        path.write_text("title = 'x'\n")
    if change == "no toml":
        path.unlink()
    if change == "split":
        shutil.copy(folder / "qrels" / "test.tsv", folder / "qrels" / "dev.tsv")
    before = {file: (folder / file).read_bytes() for file in files(folder)}
    use(Model(), revision="beef" if change == "revision" else "c0ffee")
    options = {"passage_prefix": "p: "} if change == "prefix" else {"split": "dev"} if change == "split" else {}
    with pytest.raises(BenchError, match=message):
        embed(folder, "m", **options)
    assert {file: (folder / file).read_bytes() for file in files(folder)} == before


def test_vectors_that_were_removed_are_computed_again(folder, use):
    use(Model())
    path, record = embed(folder, "m")
    whole = {file: (folder / file).read_bytes() for file in files(folder)}
    for part, calls in (("queries", 1), ("corpus", 1)):
        (folder / "embeddings" / f"m.{part}.npy").unlink()
        with pytest.raises(BenchError, match=rf"m\.{part}\.npy does not exist"):
            catalog.load(str(path))
        model = use(Model())
        assert embed(folder, "m") == (path, record)
        assert len(model.calls) == 1 + calls  # one finds the dimension
        assert {file: (folder / file).read_bytes() for file in files(folder)} == whole


def test_queries_without_direction_are_searched_with_the_mean(folder):
    with (folder / "queries.jsonl").open("a") as stream:
        stream.write('{"_id": "odd", "text": "tomato"}\n')
    with (folder / "qrels" / "test.tsv").open("a") as stream:
        stream.write("odd\td1\t1\n")
    path, _ = embed(folder, "lsa@3")
    with pytest.warns(BenchWarning, match="1 queries .*'odd'.* mean"):
        dataset = catalog.load(str(path))
    assert dataset.judgements.query_ids[-1] == "odd"
    assert dataset.queries[-1] == pytest.approx(dataset.base.mean(axis=0), abs=1e-6)


def test_changed_vectors_are_not_loaded(folder, use):
    use(Model())
    embed(folder, "m")
    np.save(folder / "embeddings" / "m.queries.npy", np.ones((4, 8), np.float32))
    with pytest.raises(BenchError, match=r"'radio-m': .*m\.queries\.npy is not what"):
        catalog.load("radio-m.toml", beside=folder)


def test_a_file_of_texts_becomes_a_base_with_queries_held_out(tmp_path, use):
    use(Model())
    texts = [f"{a} {b}" for a in WORDS for b in WORDS]
    write(tmp_path / "reviews.jsonl", [{"text": text, "stars": 5} for text in texts])
    path, record = embed(tmp_path / "reviews.jsonl", "m")
    assert path == tmp_path / "reviews-m.toml"
    assert np.array_equal(np.load(tmp_path / "embeddings" / "m.reviews.npy"), counts(texts))
    with pytest.warns(BenchWarning, match=r"reviews-m\.toml: 6 rows held out"):
        dataset = catalog.load(str(path))
    assert (dataset.n, len(dataset.queries), dataset.judgements) == (58, 6, None)
    assert sorted(record.sha256) == ["embeddings/m.reviews.npy", "reviews.jsonl"]


def test_documents_without_text_are_counted_and_embedded(folder, use):
    use(Model())
    with (folder / "corpus.jsonl").open("a") as stream:
        stream.write('{"_id": "empty", "text": " "}\n{"_id": "too", "text": ""}\n')
    with pytest.warns(BenchWarning, match=r"corpus\.jsonl: 2 documents have no text, such as 'empty'"):
        embed(folder, "m")
    assert np.array_equal(np.load(folder / "embeddings" / "m.corpus.npy")[50:], counts(["", ""]))


def test_lsa_is_embedded_as_the_catalogue_computes_it(folder):
    path, record = embed(folder, "lsa@3")
    assert path.name == "radio-lsa-3.toml"
    assert (record.dimension, record.normalized, record.passage_prefix) == (3, True, "")
    written = catalog.load(str(path))
    computed = catalog.load(str(path), {"model": "lsa@3"})
    assert np.abs(written.base - computed.base).max() < 1e-6
    assert np.abs(written.queries - computed.queries).max() < 1e-6


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("lsa", {}, "'lsa': .*lsa@384"),
        ("lsa@9", {}, r"lsa@9: .*50 texts and 8 words"),
        ("lsa@2", {"query_prefix": "q: "}, "takes no prefix"),
        ("lsa@2", {"name": "a/b"}, "--name 'a/b': give a file's name"),
        ("lsa@2", {"name": "lsa"}, "--name 'lsa': give a file's name, not lsa"),
        ("lsa@2", {"split": "dev"}, r"dev\.tsv does not exist: unknown split 'dev'; known: test"),
    ],
)
def test_a_request_that_cannot_be_met_is_reported(folder, model, options, message):
    before = files(folder)
    with pytest.raises(BenchError, match=message):
        embed(folder, model, **options)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('{"text": "x"}\n{"text": " "}\n', {}, r"t\.jsonl: line 2 has an empty text"),
        ('{"body": "x"}\n', {}, r"t\.jsonl: line 1: Object missing required field text"),
        ('{"text": "x"}\n', {"split": "dev"}, r"t\.jsonl is not a BEIR folder, .*--split"),
        (None, {}, r"t\.jsonl does not exist"),
    ],
)
def test_a_bad_file_of_texts_is_reported(tmp_path, content, options, message):
    if content is not None:
        (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(BenchError, match=message):
        embed(tmp_path / "t.jsonl", "lsa@2", **options)


def test_a_folder_that_cannot_be_written_is_reported(folder):
    (folder / "embeddings").write_text("in the way")
    with pytest.raises(BenchError, match=r"cannot write below .*radio: "):
        embed(folder, "lsa@2")


@pytest.mark.parametrize("text", ['q: "x"\n\t', "Café → 日本 🎈", "\x7f\x00\\"])
def test_any_prefix_survives_the_toml_file(folder, use, text):
    use(Model())
    path, record = embed(folder, "m", passage_prefix=text)
    assert catalog.read_spec(path).embedding == record
    assert record.passage_prefix == text


def test_the_command_prints_the_dataset_and_a_run_takes_it(cli, folder, tmp_path):
    done = cli("embed", folder, "--model", "lsa@4", "--json", check=0)
    output = json.loads(done.stdout)
    assert output["dataset"] == str(folder / "radio-lsa-4.toml")
    assert output["embedding"]["dimension"] == 4
    (tmp_path / "e.toml").write_text(
        'datasets = ["radio/radio-lsa-4.toml"]\norders = ["random"]\nbuild_seeds = 1\n'
        '[[index]]\nengine = "hnswlib"\nM = 4\nef_construction = 20\n'
    )
    assert "radio-lsa-4" in cli("run", "e.toml", check=0).stdout
