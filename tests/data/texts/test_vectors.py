import json
import multiprocessing
import os
import shutil
import signal

import numpy as np
import pytest
from support.disk import files_of_at_most
from support.encoders import WORDS, Model, counts, documents, files, write

from bench.data import catalog
from bench.data.texts import vectors
from bench.data.texts.embed import embed
from bench.errors import BenchError, BenchWarning


def test_vectors_are_float32_and_mapped(folder, use):
    use(Model())
    embed(folder, "m")
    vectors = np.load(folder / "embeddings" / "m.corpus.npy", mmap_mode="r")
    assert vectors.dtype == np.float32
    assert vectors.shape == (50, 8)


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
    options = {"passage_prefix": "wave "} if change == "prefix" else {"batch_size": 2} if change == "batch" else {}
    embed(folder, "m", log=logged.append, **options)
    assert logged[1].endswith("of another model, texts or libraries; starting again")
    assert len(model.calls) == 1 + (1 if change == "texts" else 6)  # other queries leave the corpus as it is
    prefix = options.get("passage_prefix", "")
    expected = counts([prefix + text for text in documents(folder)])
    assert np.array_equal(np.load(folder / "embeddings" / "m.corpus.npy"), expected)


def test_two_runs_do_not_write_one_file(folder, use):
    model = use(Model())
    encode = model.encode_document
    refused = []

    def twice(texts, **options):
        if len(texts) == 50:
            model.encode_document = encode
            with pytest.raises(BenchError, match=r"\.m\.corpus\.npy\.part is being written") as error:
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
    with pytest.warns(BenchWarning, match=r"corpus\.jsonl: 2 of 53 texts .* 8 tokens"):
        embed(folder, "m")


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


def test_a_full_disk_leaves_whole_blocks_to_go_on_from(folder, use, monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK", 10)
    use(Model())
    whole = folder.parent / "whole" / "radio"
    shutil.copytree(folder, whole)
    embed(whole, "m")
    message = "cannot write below .*radio: File too large; make room, and the same command goes on from there"
    with files_of_at_most(128 + 4 * 8 * 25), pytest.raises(BenchError, match=message):  # two blocks and a half
        embed(folder, "m")
    [part] = (folder / "embeddings").glob(".*.npy.part")
    assert part.stat().st_size == 128 + 4 * 8 * 20
    model = use(Model())
    embed(folder, "m")
    assert len(model.calls) == 1 + 6 - 2
    assert files(folder) == files(whole)


def test_a_full_disk_on_which_no_block_fits_is_left_as_it_was(folder, use, monkeypatch):
    use(Model())
    before = files(folder)
    for most in (100, 700):  # less than the manifest takes, and less than a block
        with files_of_at_most(most), pytest.raises(BenchError, match="cannot write below"):
            embed(folder, "m")
        assert files(folder) == before
        assert not (folder / "embeddings").exists()


def test_vectors_without_room_are_refused_before_they_are_computed(folder, use, monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK", 10)
    use(Model(stop_after=3))
    with pytest.raises(KeyboardInterrupt):
        embed(folder, "m")
    model, before = use(Model()), files(folder)
    needed = 4 * 8 * 20 + (128 + 4 * 8 * 4)  # two blocks are missing, and the queries
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, needed - 1))
    with pytest.raises(BenchError, match=rf"radio/corpus\.jsonl needs {needed} bytes, .* copy the texts"):
        embed(folder, "m")
    assert (len(model.calls), files(folder)) == (1, before)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, needed))
    embed(folder, "m")
