import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from support.encoders import Model, write
from support.needs import MODEL

from bench.data.dataset import METRICS
from bench.data.definition import read_definition
from bench.data.texts import models
from bench.data.texts.embed import embed
from bench.errors import BenchError


def test_a_model_that_states_no_length_and_another_similarity_is_believed(folder, use):
    model = use(Model())
    model.max_seq_length, model.similarity_fn_name = int(1e30), "dot"
    path, record = embed(folder, "m")
    assert (record.normalized, record.max_tokens) == (False, None)
    assert read_definition(path).metric == "ip"
    assert set(models.METRIC_BY_SIMILARITY.values()) == set(METRICS)
    model.similarity_fn_name = "manhattan"
    with pytest.raises(BenchError, match="manhattan"):
        embed(folder, "m2")


@pytest.mark.parametrize(
    ("prompts", "options", "expected"),
    [
        ({"query": None, "document": None}, {}, ("", "")),
        ({}, {}, ("", "")),
        ({"query": "q: ", "passage": "p: ", "document": None}, {}, ("q: ", "p: ")),
        ({"query": "q: ", "document": "d: ", "passage": "p: "}, {}, ("q: ", "d: ")),
        ({"query": "q: ", "document": "d: "}, {"query_prefix": "find: ", "passage_prefix": ""}, ("find: ", "")),
    ],
)
def test_prefixes_are_the_models_prompts_unless_given(folder, use, prompts, options, expected):
    model = use(Model(prompts))
    _, record = embed(folder, "m", **options)
    assert (record.query_prefix, record.passage_prefix) == expected
    assert [call[0] for call in model.calls if len(call[2]) == 4] == [expected[0]]
    assert [call[0] for call in model.calls if len(call[2]) == 50] == [expected[1]]


def test_without_sentence_transformers_the_way_out_is_reported(cli, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # as in an environment without the extra
    done = cli("embed", folder, "--model", "all-MiniLM-L6-v2", check=2)
    assert "pip install 'hnsw-order-bench[embed]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def minilm():
    """The folder of all-MiniLM-L6-v2."""
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


@pytest.mark.model
@pytest.mark.mirror
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


@pytest.mark.model
def test_a_real_model_tells_what_it_cuts(cli, minilm, tmp_path):
    write(tmp_path / "t.jsonl", [{"text": "wave " * 253}, {"text": "wave " * 254}, {"text": "wave " * 255}])
    done = cli("embed", "t.jsonl", "--model", minilm, check=0)
    # Two of the 256 tokens are the model's own.
    assert "t.jsonl: 1 of 3 texts are longer than the 256 tokens" in done.stderr


@pytest.mark.model
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
