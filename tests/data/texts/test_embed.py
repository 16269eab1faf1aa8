import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.datasets import load
from support.encoders import WORDS, Model, Normalize, counts, documents, files, write

from bench.data.definition import read_definition
from bench.data.texts.embed import embed
from bench.errors import BenchError, BenchWarning


def test_a_folder_becomes_a_dataset_that_records_its_model(folder, use):
    use(Model(modules=[Normalize()]))
    path, record = embed(folder, "org/counter", batch_size=8)
    assert path == folder / "radio-counter.toml"
    dataset = load("radio-counter.toml", beside=folder)
    assert dataset.metric == "cosine"
    assert np.array_equal(dataset.base, counts(documents(folder)))
    assert np.array_equal(dataset.queries, -counts(WORDS[:4]))
    assert dataset.judgements.qrels["q2"] == {"d2": 1}
    assert read_definition(path).embedding == record
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
    assert str(path) in logged[-1]
    assert len(model.calls) == 1
    path.write_text(path.read_text() + "\n[files]\nlabels = 'by hand'\n")  # more than it wrote itself
    assert embed(folder, "m") == (path, record)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("revision", r"radio-m\.toml .*revision, 'c0ffee' and not 'beef'.*--name"),
        ("prefix", r"radio-m\.toml .*passage_prefix, '' and not 'p: '"),
        ("texts", r"radio-m\.toml .*corpus\.jsonl"),
        ("split", r"radio-m\.toml .*\[beir\]"),
        ("vectors", r"m\.queries\.npy"),
        ("toml", r"radio-m\.toml .*--name"),
        ("no toml", r"m\.corpus\.npy .*--name"),
    ],
)
def test_vectors_of_something_else_are_left_alone(folder, use, change, named):
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
    with pytest.raises(BenchError, match=named):
        embed(folder, "m", **options)
    assert {file: (folder / file).read_bytes() for file in files(folder)} == before


def test_vectors_that_were_removed_are_computed_again(folder, use):
    use(Model())
    path, record = embed(folder, "m")
    whole = {file: (folder / file).read_bytes() for file in files(folder)}
    for part, calls in (("queries", 1), ("corpus", 1)):
        (folder / "embeddings" / f"m.{part}.npy").unlink()
        with pytest.raises(BenchError, match=rf"m\.{part}\.npy"):
            load(str(path))
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
    with pytest.warns(BenchWarning, match="1 queries .*'odd'"):
        dataset = load(str(path))
    assert dataset.judgements.query_ids[-1] == "odd"
    assert dataset.queries[-1] == pytest.approx(dataset.base.mean(axis=0), abs=1e-6)


def test_changed_vectors_are_not_loaded(folder, use):
    use(Model())
    embed(folder, "m")
    np.save(folder / "embeddings" / "m.queries.npy", np.ones((4, 8), np.float32))
    with pytest.raises(BenchError, match=r"'radio-m': .*m\.queries\.npy"):
        load("radio-m.toml", beside=folder)


def test_a_file_of_texts_becomes_a_base_with_queries_held_out(tmp_path, use):
    use(Model())
    texts = [f"{a} {b}" for a in WORDS for b in WORDS]
    write(tmp_path / "reviews.jsonl", [{"text": text, "stars": 5} for text in texts])
    path, record = embed(tmp_path / "reviews.jsonl", "m")
    assert path == tmp_path / "reviews-m.toml"
    assert np.array_equal(np.load(tmp_path / "embeddings" / "m.reviews.npy"), counts(texts))
    dataset = load(str(path))
    assert (dataset.n, len(dataset.queries), dataset.judgements) == (58, 6, None)
    assert sorted(record.sha256) == ["embeddings/m.reviews.npy", "reviews.jsonl"]


def test_documents_without_text_are_counted_and_embedded(folder, use):
    use(Model())
    with (folder / "corpus.jsonl").open("a") as stream:
        stream.write('{"_id": "empty", "text": " "}\n{"_id": "too", "text": ""}\n')
    with pytest.warns(BenchWarning, match=r"corpus\.jsonl: 2 .*'empty'"):
        embed(folder, "m")
    assert np.array_equal(np.load(folder / "embeddings" / "m.corpus.npy")[50:], counts(["", ""]))


def test_lsa_is_embedded_as_the_catalogue_computes_it(folder):
    path, record = embed(folder, "lsa@3")
    assert path.name == "radio-lsa-3.toml"
    assert (record.dimension, record.normalized, record.passage_prefix) == (3, True, "")
    written = load(str(path))
    computed = load(str(path), {"model": "lsa@3"})
    assert np.abs(written.base - computed.base).max() < 1e-6
    assert np.abs(written.queries - computed.queries).max() < 1e-6


@pytest.mark.parametrize(
    ("model", "options", "named"),
    [
        ("lsa", {}, "'lsa': .*lsa@384"),
        ("lsa@9", {}, r"lsa@9: .*50 texts and 8 words"),
        ("lsa@2", {"query_prefix": "q: "}, "'lsa@2' .*prefix"),
        ("lsa@2", {"name": "a/b"}, "--name 'a/b'"),
        ("lsa@2", {"name": "lsa"}, "--name 'lsa'"),
        ("lsa@2", {"split": "dev"}, r"dev\.tsv .*'dev'; known: test"),
    ],
)
def test_a_request_that_cannot_be_met_is_reported(folder, model, options, named):
    before = files(folder)
    with pytest.raises(BenchError, match=named):
        embed(folder, model, **options)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("content", "options", "named"),
    [
        ('{"text": "x"}\n{"text": " "}\n', {}, r"t\.jsonl: line 2 .*text"),
        ('{"body": "x"}\n', {}, r"t\.jsonl: line 1 .*'text'; it has: 'body'"),
        ('{"text": "x"}\n', {"split": "dev"}, r"t\.jsonl .*--split"),
        ('{"text": "x"}\n', {"query_prefix": "q: "}, r"t\.jsonl .*--query-prefix"),
        ('{"text": "x"}\n', {"label_column": "text"}, "--label-column text"),
        ('{"text": "x"}\n', {"queries": Path("no.csv")}, r"no\.csv does not exist"),
        (None, {}, r"t\.jsonl does not exist"),
    ],
)
def test_a_bad_file_of_texts_is_reported(tmp_path, content, options, named):
    if content is not None:
        (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(BenchError, match=named):
        embed(tmp_path / "t.jsonl", "lsa@2", **options)


def test_a_folder_that_cannot_be_written_is_reported(folder):
    (folder / "embeddings").write_text("in the way")
    with pytest.raises(BenchError, match=r"/radio: "):
        embed(folder, "lsa@2")


@pytest.mark.parametrize("text", ['q: "x"\n\t', "Café → 日本 🎈", "\x7f\x00\\"])
def test_any_prefix_survives_the_toml_file(folder, use, text):
    use(Model())
    path, record = embed(folder, "m", passage_prefix=text)
    assert read_definition(path).embedding == record
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


TRAIN = [(f"{a} {b}", a) for a in WORDS for b in WORDS]
TEST = [f"{word}, noise" for word in WORDS]


@pytest.fixture
def train(tmp_path):
    """A CSV file of 64 texts with labels, and one of 8 queries in another folder; each calls its texts `question`."""
    here = tmp_path / "set"
    (here / "test").mkdir(parents=True)
    rows = [f'{number},"{text}",{label}' for number, (text, label) in enumerate(TRAIN)]
    (here / "train.csv").write_text("\n".join(["id,question,intent", *rows]) + "\n")
    (here / "test" / "held.csv").write_text("\n".join(["question", *(f'"{text}"' for text in TEST)]) + "\n")
    return here / "train.csv"


def embedded(train, *, queries=None, label_column=None, **options):
    queries = queries and train.parent / queries
    return embed(train, "m", text_column="question", queries=queries, label_column=label_column, **options)


def test_texts_have_queries_of_their_own_and_labels(train, use):
    use(Model())
    path, record = embedded(train, queries="test/held.csv", label_column="intent", query_prefix="wave ")
    dataset = load(str(path))
    assert np.array_equal(dataset.base, counts([text for text, _ in TRAIN]))
    assert np.array_equal(dataset.queries, -counts(["wave " + text for text in TEST]))
    assert dataset.labels.tolist() == [label for _, label in TRAIN]
    assert (record.text_column, record.label_column, record.query_texts) == ("question", "intent", "test/held.csv")
    assert sorted(record.sha256) == [
        "embeddings/m.train.labels.npy",
        "embeddings/m.train.npy",
        "embeddings/m.train.queries.npy",
        "test/held.csv",
        "train.csv",
    ]
    assert read_definition(path).embedding == record
    assert files(train.parent) == sorted([*record.sha256, "train-m.toml"])
    assert embedded(train, queries="test/held.csv", label_column="intent", query_prefix="wave ") == (path, record)


def test_queries_may_lie_outside_the_folder_of_the_texts(train, use):
    use(Model())
    (train.parent / "test" / "held.csv").rename(train.parent.parent / "held.csv")
    path, record = embedded(train, queries="../held.csv")
    assert record.query_texts == "../held.csv"
    assert len(load(str(path)).queries) == 8
    (train.parent.parent / "held.csv").write_text("question\nanother\n")
    with pytest.raises(BenchError, match=r"held\.csv"):
        load(str(path))


def test_labels_of_numbers_are_numbers_and_labels_of_rows_held_out_go_with_them(train, use):
    use(Model())
    file = train.parent / "t.jsonl"
    write(file, [{"question": text, "stars": number % 5} for number, (text, _) in enumerate(TRAIN)])
    path, _ = embedded(file, label_column="stars")
    dataset = load(str(path))
    assert dataset.labels.dtype.kind == "i"
    assert dataset.labels.tolist() == [number % 5 for number in dataset.source_rows]


def test_queries_and_labels_are_added_to_a_file_without_embedding_its_texts_again(train, use):
    use(Model())
    path, _ = embedded(train)
    path.write_text(path.read_text().replace("title = ", "licence = 'mine'\ntitle = "))
    model = use(Model())
    _, with_labels = embedded(train, label_column="intent")
    assert len(model.calls) == 1  # which finds the dimension
    _, with_both = embedded(train, queries="test/held.csv", label_column="intent")
    assert len(model.calls) == 3
    assert with_labels.sha256.items() < with_both.sha256.items()
    spec, dataset = read_definition(path), load(str(path))
    assert (spec.licence, len(dataset.queries), dataset.labels[0]) == ("mine", 8, "valve")
    whole = embedded(shutil.copytree(train.parent, train.parent.parent / "new", ignore=only_texts) / "train.csv")
    assert whole[1].sha256["embeddings/m.train.npy"] == with_both.sha256["embeddings/m.train.npy"]


def test_what_is_not_asked_for_stays_as_it_was(train, use):
    use(Model())
    _, with_labels = embedded(train, label_column="intent")
    path, with_both = embedded(train, queries="test/held.csv")  # labels stay, though they are not named again
    assert with_labels.sha256.items() < with_both.sha256.items()
    dataset = load(str(path))
    assert (len(dataset.queries), dataset.labels[0]) == (8, "valve")
    before = {file: (train.parent / file).read_bytes() for file in files(train.parent)}
    assert embedded(train) == (path, with_both)
    assert {file: (train.parent / file).read_bytes() for file in files(train.parent)} == before


def only_texts(folder, names):
    return [name for name in names if name not in ("train.csv", "test", "held.csv")]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"text_column": "intent", "label_column": "id", "queries": "train.csv"},
            "text_column, 'question' and not 'intent'",
        ),
        ({"label_column": "id"}, "label_column, 'intent' and not 'id'"),
        ({"queries": "train.csv"}, r"query_texts, 'test/held\.csv' and not 'train\.csv'"),
        ({"texts": "question\nwave\n"}, r"test/held\.csv"),
        ({"files": "queries = 'mine.npy'"}, r"\[files\]"),
    ],
)
def test_another_request_leaves_vectors_alone(train, use, change, named):
    use(Model())
    path, _ = embedded(train, queries="test/held.csv", label_column="intent")
    if "texts" in change:
        (train.parent / "test" / "held.csv").write_text(change["texts"])
    if "files" in change:
        path.write_text(path.read_text().replace('queries = "embeddings/m.train.queries.npy"', change["files"]))
    options = {"queries": "test/held.csv", "label_column": "intent", "text_column": "question"} | change
    queries = options["queries"] and train.parent / options["queries"]
    before = {file: (train.parent / file).read_bytes() for file in files(train.parent)}
    with pytest.raises(BenchError, match=rf"train-m\.toml .*{named}"):
        embed(train, "m", queries=queries, text_column=options["text_column"], label_column=options["label_column"])
    assert {file: (train.parent / file).read_bytes() for file in files(train.parent)} == before


def test_labels_that_nothing_records_are_left_alone(train, use):
    use(Model())
    (train.parent / "embeddings").mkdir()
    np.save(train.parent / "embeddings" / "m.train.labels.npy", np.arange(64))
    with pytest.raises(BenchError, match=r"m\.train\.labels\.npy .*--name"):
        embedded(train, label_column="intent")
    assert np.load(train.parent / "embeddings" / "m.train.labels.npy")[-1] == 63


def test_an_interrupted_run_with_queries_goes_on(train, use, monkeypatch):
    monkeypatch.setattr("bench.data.texts.vectors.BLOCK", 10)
    use(Model(stop_after=3))
    with pytest.raises(KeyboardInterrupt):
        embedded(train, queries="test/held.csv", label_column="intent")
    model = use(Model())
    path, record = embedded(train, queries="test/held.csv", label_column="intent")
    assert len(model.calls) == 1 + 7 + 1 - 3
    assert files(train.parent) == sorted([*record.sha256, "train-m.toml"])
    assert np.array_equal(load(str(path)).base, counts([text for text, _ in TRAIN]))


def test_queries_that_are_added_to_an_interrupted_run_leave_what_it_has_written(train, use, monkeypatch):
    monkeypatch.setattr("bench.data.texts.vectors.BLOCK", 10)
    use(Model(stop_after=3))
    with pytest.raises(KeyboardInterrupt):
        embedded(train)
    model = use(Model())
    path, _ = embedded(train, queries="test/held.csv")
    assert len(model.calls) == 1 + 7 + 1 - 3
    assert np.array_equal(load(str(path)).base, counts([text for text, _ in TRAIN]))


def test_a_text_of_csv_without_direction_is_named_with_its_own_line(train):
    train.write_text('question,intent\n"wave\nwave",a\n\n"noise beam",b\n"!",c\n')
    with pytest.raises(BenchError, match=r"train\.csv: line 6: lsa@2"):
        embed(train, "lsa@2", text_column="question")


@pytest.mark.parametrize("option", ["queries", "text_column", "label_column"])
def test_options_of_files_are_refused_for_a_folder(folder, option):
    value = folder / "queries.jsonl" if option == "queries" else "text"
    with pytest.raises(BenchError, match=f"radio .*--{option.replace('_', '-')}"):
        embed(folder, "lsa@2", **{option: value})


def test_a_csv_file_of_a_header_alone_is_refused(train):
    train.write_text("question,intent\n")
    with pytest.raises(BenchError, match=r"train\.csv"):
        embed(train, "lsa@2", text_column="question")


def test_the_command_embeds_csv_and_compare_takes_queries_and_labels_from_it(cli, train):
    words = ["embed", train, "--queries", train.parent / "test" / "held.csv", "--text-column", "question"]
    path = cli(*words, "--label-column", "intent", "--model", "lsa@3", check=0).stdout.strip()
    done = cli(
        *("compare", path, "--orders", "random,category", "--seeds", "1", "--engines", "hnswlib", "--json"), check=0
    )
    assert {(row["n"], row["queries"]) for row in json.loads(done.stdout)} == {(64, 8)}
    assert "'text'; it has: 'id', 'question', 'intent'" in cli("embed", train, "--model", "lsa@3", check=2).stderr


def test_a_folder_of_packed_texts_is_embedded_and_read(folder):
    for file in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        content = (folder / file).read_bytes()
        (folder / f"{file}.gz").write_bytes(gzip.compress(content))
        (folder / file).unlink()
    toml, record = embed(folder, "lsa@3")
    assert "corpus.jsonl.gz" in record.sha256
    dataset = load(str(toml))
    assert (dataset.base.shape, len(dataset.queries), dataset.judgements.qrels["q1"]) == ((50, 3), 4, {"d1": 1})
