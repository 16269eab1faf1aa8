import json

import pytest
from support import datasets
from support.beir import CORPUS, jsonl
from support.encoders import Model, write

from bench.data import catalog
from bench.data.definition import read_definition
from bench.data.texts.embed import embed
from bench.errors import BenchError

pytestmark = pytest.mark.filterwarnings("ignore:.* have no judgements")

OWN = {"q0": "Waves and Radio", "q2": "electron  valves and circuits"}  # with another space and other capitals


def load(beir_folder, texts, stated=""):
    """The dataset after queries have texts of documents that have their ids."""
    documents = [row | {"_id": {"d3": "q0", "d1": "q2"}.get(row["_id"], row["_id"])} for row in CORPUS]
    (beir_folder / "corpus.jsonl").write_text(jsonl(documents))
    (beir_folder / "queries.jsonl").write_text(
        jsonl({"_id": query, "text": texts.get(query, "valves")} for query in ("q0", "q1", "q2"))
    )
    (beir_folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq2\td2\t1\nq0\td2\t1\n")
    toml = beir_folder.parent / "set.toml"
    toml.write_text(toml.read_text() + stated)
    return datasets.load("set.toml", beside=beir_folder.parent)


def test_a_query_that_is_its_document_leaves_it_out(beir_folder):
    judgements = load(beir_folder, OWN).judgements
    assert judgements.leave_own_out
    assert judgements.own_rows.tolist() == [2, 0]


def test_ids_that_agree_by_chance_leave_nothing_out(beir_folder):
    assert not load(beir_folder, {"q0": "something else", "q2": "and more"}).judgements.leave_own_out


@pytest.mark.parametrize("stated", [True, False])
def test_what_the_toml_file_states_comes_first(beir_folder, stated):
    texts = {} if stated else OWN
    judgements = load(beir_folder, texts, f"leave_own_out = {str(stated).lower()}\n").judgements
    assert judgements.leave_own_out is stated


def test_the_rule_is_part_of_what_identifies_judgements(beir_folder):
    left_out = load(beir_folder, OWN).judgements
    by_hand = load(beir_folder, OWN, "leave_own_out = false\n").judgements
    assert left_out.digest.partition(".")[0] != by_hand.digest.partition(".")[0]
    assert "own" in left_out.digest
    assert "own" not in by_hand.digest


def test_embed_states_in_the_toml_file_that_queries_are_documents(folder, use):
    use(Model())
    path, _ = embed(folder, "m")
    assert read_definition(path).beir.leave_own_out is None
    write(folder / "queries.jsonl", [{"_id": f"d{i}", "text": text} for i, text in enumerate(first_texts(folder, 4))])
    rows = "".join(f"d{i}\td{i + 10}\t1\n" for i in range(4))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    path, _ = embed(folder, "m", name="n")
    assert read_definition(path).beir.leave_own_out is True
    dataset = datasets.load(path.name, beside=folder)
    assert dataset.judgements.own_rows.tolist() == [0, 1, 2, 3]
    assert embed(folder, "m", name="n")[0] == path


def first_texts(folder, count):
    return [json.loads(line)["text"] for line in (folder / "corpus.jsonl").read_text().splitlines()[:count]]


def test_arguana_and_quora_state_it_and_no_other_set_of_the_catalogue():
    stated = [name for name in catalog.names() if read_definition(catalog.folder() / f"{name}.toml").leave_own_out]
    assert stated == ["arguana", "quora"]


def test_the_field_is_of_texts_alone(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("title = 'x'\nmetric = 'l2'\nleave_own_out = true\n[files]\nbase = 'x.npy'\n")
    with pytest.raises(BenchError, match="leave_own_out"):
        read_definition(path)


@pytest.mark.mirror
def test_npl_numbers_queries_and_documents_from_1_and_leaves_nothing_out(mirror):
    judgements = datasets.load("npl").judgements
    assert (judgements.own_rows >= 0).all()
    assert not judgements.leave_own_out
