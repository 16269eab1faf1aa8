"""A BEIR folder with vectors, one without, and a model."""

import numpy as np
import pytest
from support.beir import CORPUS, QRELS, QUERIES, VECTORS, jsonl
from support.encoders import WORDS, write

from bench.data.texts import models


@pytest.fixture
def beir_folder(tmp_path):
    """A BEIR folder of four documents and three queries, of which q1 is not judged, and vectors of a model `m`."""
    here = tmp_path / "set"
    (here / "qrels").mkdir(parents=True)
    (here / "embeddings").mkdir()
    (here / "corpus.jsonl").write_text(jsonl(CORPUS))
    (here / "queries.jsonl").write_text(jsonl(QUERIES))
    (here / "qrels" / "test.tsv").write_text(QRELS)
    np.save(here / "embeddings" / "m.corpus.npy", VECTORS[:4])
    np.save(here / "embeddings" / "m.queries.npy", VECTORS[4:])
    (tmp_path / "set.toml").write_text("title = 'x'\nmetric = 'cosine'\n[beir]\nfolder = 'set'\nmodel = 'm'\n")
    return here


@pytest.fixture
def use(monkeypatch):
    """Makes a model the one that is loaded, whatever the name."""
    monkeypatch.setattr(models.metadata, "version", lambda name: f"{name}-1")

    def use(model, revision="c0ffee"):
        monkeypatch.setattr(models, "_load", lambda name: (model, revision))
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
