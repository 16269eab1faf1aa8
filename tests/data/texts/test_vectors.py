import json
import multiprocessing
import os
import shutil
import signal

import numpy as np
import pytest
from support.datasets import load
from support.disk import files_of_at_most
from support.encoders import WORDS, Model, counts, documents, files, write

from bench.data.texts import vectors
from bench.data.texts.embed import embed
from bench.errors import BenchError, BenchWarning


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Five blocks of documents, one of queries."""
    monkeypatch.setattr(vectors, "BLOCK", 10)


def interrupted(folder, use, after):
    """Embed until a model has encoded so many blocks."""
    use(Model(stop_after=after))
    with pytest.raises(KeyboardInterrupt):
        embed(folder, "m")
    assert not list(folder.glob("*.toml"))
    assert not list((folder / "embeddings").glob("*.npy"))


def encoded(model):
    """How many blocks a model has encoded: its first call finds the dimension."""
    return len(model.calls) - 1


def test_vectors_are_float32_and_can_be_mapped(folder, use):
    use(Model())
    embed(folder, "m")
    mapped = np.load(folder / "embeddings" / "m.corpus.npy", mmap_mode="r")
    assert (mapped.dtype, mapped.shape) == (np.float32, (50, 8))


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_an_interrupted_run_continues_and_gives_the_same(folder, use, after):
    use(Model())
    whole = folder.parent / "whole" / "radio"
    shutil.copytree(folder, whole)
    expected = embed(whole, "m")[1]
    if after < 5:
        interrupted(folder, use, after)
    else:
        use(Model(stop_after=after))
        with pytest.raises(KeyboardInterrupt):
            embed(folder, "m")
    model = use(Model())
    logged = []
    assert embed(folder, "m", log=logged.append)[1] == expected
    assert encoded(model) == 6 - after
    assert any(f": {10 * after} of 50 texts are" in line for line in logged) == (0 < after < 5)
    assert files(folder) == files(whole)


@pytest.mark.parametrize("change", ["revision", "prefix", "queries", "batch"])
def test_blocks_of_another_run_are_not_used(folder, use, change):
    use(Model(stop_after=5))  # the corpus is finished, the queries are not
    with pytest.raises(KeyboardInterrupt):
        embed(folder, "m")
    model = use(Model(), revision="beef" if change == "revision" else "c0ffee")
    if change == "queries":
        write(folder / "queries.jsonl", [{"_id": f"q{i}", "text": WORDS[i + 2]} for i in range(4)])
    options = {"passage_prefix": "wave "} if change == "prefix" else {"batch_size": 2} if change == "batch" else {}
    _, record = embed(folder, "m", **options)
    assert encoded(model) == (1 if change == "queries" else 6)
    expected = counts([options.get("passage_prefix", "") + text for text in documents(folder)])
    assert np.array_equal(np.load(folder / "embeddings" / "m.corpus.npy"), expected)
    assert files(folder) == sorted([*record.sha256, "qrels/test.tsv", "radio-m.toml"])


def test_a_killed_run_continues(folder, use):
    model = use(Model())
    encode = model.encode_document

    def kill(texts, **options):
        if len(model.calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return encode(texts, **options)

    model.encode_document = kill
    process = multiprocessing.get_context("fork").Process(target=embed, args=(folder, "m"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    model = use(Model())
    path, record = embed(folder, "m")
    assert encoded(model) == 6 - 2
    assert load(str(path)).n == 50
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
    with pytest.warns(BenchWarning, match=r"corpus\.jsonl: 2 of 53 texts .* 8 tokens"):
        embed(folder, "m")


def test_a_text_without_direction_is_reported_with_its_line_or_left_out(folder, tmp_path, use):
    model = use(Model())
    encode = model.encode_document

    def some_zero(texts, **options):
        rows = encode(texts, **options)
        if len(model.calls) == 4:
            rows[2] = 0
        return rows

    model.encode_document = some_zero
    write(tmp_path / "t.jsonl", [{"text": f"{a} {b}"} for a in WORDS for b in WORDS])
    with pytest.raises(BenchError, match=r"t\.jsonl: line 23"):
        embed(tmp_path / "t.jsonl", "m")
    model.calls.clear()
    path, _ = embed(folder, "m")
    with pytest.warns(BenchWarning, match=r"m\.corpus\.npy: 1 of 50 rows are all zeros"):
        dataset = load(str(path))
    assert len(dataset.base) == len(dataset.judgements.doc_ids) == 49


@pytest.mark.parametrize(("most", "left"), [(400, 6), (1000, 1)])  # bytes: less than a block, and less than the whole
def test_a_run_on_a_full_disk_continues(folder, use, most, left):
    use(Model())
    whole = folder.parent / "whole" / "radio"
    shutil.copytree(folder, whole)
    embed(whole, "m")
    with files_of_at_most(most), pytest.raises(BenchError, match=f"{folder}.*make room"):
        embed(folder, "m")
    model = use(Model())
    embed(folder, "m")
    assert encoded(model) == left
    assert files(folder) == files(whole)


def test_vectors_without_room_are_refused_before_they_are_computed(folder, use, monkeypatch):
    interrupted(folder, use, 3)
    model, before = use(Model()), files(folder)
    needed = 2 * 4 * 8 * 50 - 3 * (128 + 4 * 8 * 10)  # without the three blocks that exist
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, needed - 1))
    with pytest.raises(BenchError, match=r"radio/corpus\.jsonl needs 1\.9 kB"):
        embed(folder, "m")
    assert (encoded(model), files(folder)) == (0, before)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, needed))
    embed(folder, "m")
