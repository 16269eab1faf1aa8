import json

import numpy as np
import pytest

from bench.data import catalog
from bench.data.dataset import Judgements, checked, limit
from bench.data.texts.judgements import judge
from bench.data.texts.lines import documents, texts
from bench.errors import BenchError, BenchWarning

CORPUS = [
    {"_id": "d1", "title": "Valves", "text": "electron valves and circuits", "metadata": {"year": 1960}},
    {"_id": "d2", "title": "", "text": "valves in radio circuits"},
    {"_id": "d3", "text": "  waves and radio "},
    {"_id": "d4", "title": None, "text": ""},
]
QUERIES = [{"_id": f"q{i}", "text": text} for i, text in enumerate(["radio waves", "circuits", "valves"])]
QRELS = "query-id\tcorpus-id\tscore\nq2\td1\t2\nq0\td3\t1\nq2\td2\t0\n"
VECTORS = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path):
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


def load(folder, **parameters):
    return catalog.load("set.toml", parameters, beside=folder.parent)


def judged(folder, **options):
    return judge(folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / "test.tsv", **options)


def test_title_and_text_are_joined_as_beir_joins_them(folder):
    assert list(documents(folder / "corpus.jsonl")) == [
        ("d1", "Valves electron valves and circuits"),
        ("d2", "valves in radio circuits"),
        ("d3", "waves and radio"),
        ("d4", ""),
    ]


def test_rows_follow_the_files_and_only_judged_queries_are_searched(folder):
    with pytest.warns(BenchWarning, match=r"1 of 3 queries .*test\.tsv"):
        dataset = load(folder)
    assert (dataset.name, dataset.metric) == ("set", "cosine")
    assert np.array_equal(dataset.base, VECTORS[:4])
    assert np.array_equal(dataset.queries, VECTORS[[4, 6]])
    assert dataset.judgements.query_ids.tolist() == ["q0", "q2"]
    assert dataset.judgements.doc_ids.tolist() == ["d1", "d2", "d3", "d4"]
    assert dataset.judgements.qrels == {"q0": {"d3": 1}, "q2": {"d1": 2, "d2": 0}}


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_a_model_and_its_first_dimensions_are_chosen_by_name(folder):
    np.save(folder / "embeddings" / "other.corpus.npy", VECTORS[3:])
    np.save(folder / "embeddings" / "other.queries.npy", VECTORS[:3])
    datasets = catalog.load_all("set.toml", {"model": ["other", "m@2"]}, beside=folder.parent)
    assert [dataset.name for dataset in datasets] == ["set(model=other)", "set(model=m@2)"]
    assert np.array_equal(datasets[0].base, VECTORS[3:])
    assert np.array_equal(datasets[1].base, VECTORS[:4, :2])
    assert np.array_equal(datasets[1].queries, VECTORS[[4, 6], :2])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("n", r"unknown model 'n'; known: m, lsa@d"),
        ("m@6", r"m\.corpus\.npy has 5 dimensions: @6 takes too many"),
        ("m@0", "@0 takes too many or none"),
        ("m@x", "give the number of dimensions after @, as in m@128"),
        ("lsa", "say how many dimensions, as in lsa@384"),
        ("lsa@9", r"lsa@9: .*corpus\.jsonl has 4 texts and 7 words, so give a dimension from 1 to 4"),
        (3, "model: expected str"),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_a_model_that_cannot_be_had_is_reported(folder, model, message):
    with pytest.raises(BenchError, match=message):
        load(folder, model=model)


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_lsa_is_computed_once_and_a_document_without_words_is_left_out(folder, monkeypatch):
    with pytest.warns(BenchWarning, match="1 documents .*'d4'"):
        without = load(folder, model="lsa@2")
    assert without.judgements.doc_ids.tolist() == ["d1", "d2", "d3"]
    assert len(without.base) == 3
    (folder / "corpus.jsonl").write_text(jsonl(CORPUS[:3]))
    first = load(folder, model="lsa@2")
    assert first.base.shape == (3, 2)
    assert np.abs(np.linalg.norm(first.base, axis=1) - 1).max() < 1e-6
    monkeypatch.setattr("bench.data.texts.lsa.fit", lambda *_: pytest.fail("computed again"))
    assert load(folder, model="lsa@2").fingerprint == first.fingerprint


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_vectors_must_match_the_lines_of_their_texts(folder):
    np.save(folder / "embeddings" / "m.queries.npy", VECTORS[4:6])
    with pytest.raises(BenchError, match=r"m\.queries\.npy has shape \(2, 5\), .*queries\.jsonl has 3 lines"):
        load(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "corpus.jsonl",
            jsonl(CORPUS) + "[]\n",
            r"corpus\.jsonl: line 5: Expected object, got array",
        ),
        ("corpus.jsonl", jsonl(CORPUS) + "{", r"corpus\.jsonl: line 5 is not a JSON object"),
        ("corpus.jsonl", jsonl(CORPUS) + "\n", r"corpus\.jsonl: line 5 is empty: remove it"),
        ("corpus.jsonl", jsonl(CORPUS) + '{"_id": "d5"}', r"line 5: .* missing required field text"),
        ("corpus.jsonl", jsonl(CORPUS) + '{"text": "x"}', r"line 5: .* missing required field _id"),
        ("corpus.jsonl", jsonl(CORPUS) + '{"_id": 5, "text": "x"}', r"line 5: Expected str, got int - at \$\._id"),
        ("corpus.jsonl", jsonl([*CORPUS, CORPUS[1]]), r"line 5 has the id 'd2' of line 2"),
        ("corpus.jsonl", "", r"corpus\.jsonl is empty"),
        ("queries.jsonl", jsonl([*QUERIES, QUERIES[0]]), r"queries\.jsonl: line 4 has the id 'q0' of line 1"),
        ("queries.jsonl", jsonl([{"_id": "q", "text": " "}]), r"line 1: query 'q' has an empty text"),
        ("qrels/test.tsv", "q0\td1\t1\n", "the first line is not query-id corpus-id score"),
        ("qrels/test.tsv", QRELS + "q0 d1 1\n", r"test\.tsv: line 5 has 1 fields"),
        ("qrels/test.tsv", QRELS + "q0\td1\t0.5\n", r"test\.tsv: line 5: score '0\.5' is not a whole number"),
        ("qrels/test.tsv", QRELS + f"q0\td1\t{10**30}\n", r"line 5: score '10+' does not fit into 32 bits"),
        ("qrels/test.tsv", QRELS + f"q0\td1\t{-(2**31) - 1}\n", "does not fit into 32 bits"),
        ("qrels/test.tsv", QRELS + "q0\td3\t0\n", "line 5: query 'q0' judges document 'd3' again, with another score"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", r"judges none of the queries in .*queries\.jsonl"),
    ],
)
def test_a_bad_line_is_reported_with_its_number(folder, file, content, message):
    (folder / file).write_text(content)
    with pytest.raises(BenchError, match=message):
        judged(folder)


def test_text_that_is_not_utf8_is_reported(folder):
    (folder / "corpus.jsonl").write_bytes(b'{"_id": "d1", "text": "\xff"}\n')
    with pytest.raises(BenchError, match=r"corpus\.jsonl: line 1 is not a JSON object"):
        judged(folder)


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_reported(folder, file):
    (folder / file).unlink()
    with pytest.raises(BenchError, match=f"{file} does not exist: a BEIR folder has"):
        load(folder)


@pytest.mark.filterwarnings("ignore:1 of 3 queries", "ignore:.* judges 1 queries that")
def test_judgements_of_unknown_ids_are_counted_and_shown_or_refused(folder):
    unknown = "".join(f"q0\td{i}\t1\n" for i in range(5, 30)) + "q9\td1\t1\n"
    (folder / "qrels" / "test.tsv").write_text(QRELS + unknown)
    with pytest.warns(BenchWarning, match=r"25 documents that corpus\.jsonl .*: 'd5', 'd6', .*'d14', \.\.\."):
        judgements, _ = judged(folder)
    assert judgements.qrels["q0"] == {"d3": 1, **{f"d{i}": 1 for i in range(5, 30)}}
    assert "q9" not in judgements.qrels
    with pytest.raises(BenchError, match=r"test\.tsv judges 1 queries .*: 'q9'; judges 25 documents"):
        judged(folder, strict=True)


@pytest.mark.filterwarnings("ignore:1 of 3 queries", "ignore:.* judges 2 documents that")
def test_quotes_marks_of_order_and_blank_lines_of_judgements_mean_nothing(folder):
    content = "\ufeff" + QRELS + 'q0\t"d8\t1\nq0\td9"\t1\n\n'
    (folder / "qrels" / "test.tsv").write_text(content.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert judged(folder)[0].qrels["q0"] == {"d3": 1, '"d8': 1, 'd9"': 1}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("corpus", r"unknown model 'm'; known: lsa@d; its vectors would be .*/set/embeddings/m\.corpus\.npy and"),
        ("queries", r"set/embeddings/m\.queries\.npy does not exist: save the vectors of queries\.jsonl by this name"),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_missing_vectors_are_reported_with_the_name_of_their_file(folder, part, message):
    (folder / "embeddings" / f"m.{part}.npy").unlink()
    with pytest.raises(BenchError, match=message):
        load(folder)


def test_negative_grades_are_kept(folder):
    (folder / "qrels" / "test.tsv").write_text(QRELS + "q1\td1\t-1\n")
    assert judged(folder)[0].qrels["q1"] == {"d1": -1}


@pytest.mark.filterwarnings("ignore:1 of 3 queries")
def test_a_stated_checksum_is_held_to(folder):
    toml = folder.parent / "set.toml"
    toml.write_text(toml.read_text() + f'[beir.sha256]\n"corpus.jsonl" = "{"0" * 64}"\n')
    with pytest.raises(BenchError, match=r"corpus\.jsonl: SHA-256 is .*, dataset 'set' states 00"):
        load(folder)


def test_a_folder_that_is_nowhere_is_reported(folder):
    folder.rename(folder.with_name("gone"))
    with pytest.raises(BenchError, match=r"set does not exist, and beir\.sha256 states no checksum of corpus\.jsonl"):
        load(folder)


def test_files_must_be_named_by_model(folder):
    toml = folder.parent / "set.toml"
    toml.write_text(toml.read_text() + 'corpus = "embeddings/m.corpus.npy"\n')
    with pytest.warns(BenchWarning), pytest.raises(BenchError, match=r"name a model's files by \{model\}"):
        load(folder)


def judgements(**changed):
    given = {"query_ids": np.array(["a", "b"]), "doc_ids": np.array(list("vwxyz")), "qrels": {"a": {"v": 1}, "b": {}}}
    return Judgements(**given | changed)


def test_judgements_differ_by_content_not_by_order_of_qrels():
    one = judgements().digest
    assert judgements(qrels={"b": {}, "a": {"v": 1}}).digest == one
    others = [
        judgements(qrels={"a": {"v": 2}, "b": {}}),
        judgements(query_ids=np.array(["b", "a"])),
        judgements(doc_ids=np.array(list("zyxwv"))),
    ]
    assert len({one, *(other.digest for other in others)}) == 4


def test_judgements_do_not_change_the_fingerprint_and_survive_a_limit():
    with_them = checked("x", VECTORS[:5], VECTORS[5:], "l2", judgements=judgements())
    assert with_them.fingerprint == checked("x", VECTORS[:5], VECTORS[5:], "l2").fingerprint
    part = limit(with_them, 3)
    places = [np.flatnonzero((row == VECTORS).all(axis=1))[0] for row in part.base]
    assert part.judgements.doc_ids.tolist() == ["vwxyz"[place] for place in places]
    assert part.judgements.qrels == with_them.judgements.qrels
    assert part.judgements.query_ids.tolist() == ["a", "b"]


def test_judgements_of_another_number_of_rows_are_refused():
    with pytest.raises(BenchError, match="name 2 queries and 5 documents, the data has 3 and 4 rows"):
        checked("x", VECTORS[:4], VECTORS[4:], "l2", judgements=judgements())


def test_npl_is_as_its_readme_says(mirror):
    dataset = catalog.load("npl")
    assert dataset.base.shape == (11_426, 384)
    assert dataset.queries.shape == (93, 384)
    assert sum(map(len, dataset.judgements.qrels.values())) == 2083
    stored = np.load(mirror / "npl" / "embeddings" / "minilm-l6-mean.corpus.npy", mmap_mode="r")
    assert np.array_equal(dataset.base[-1], stored[-1].astype(np.float32))
    assert dataset.judgements.doc_ids[0] == "1"


def test_an_unknown_model_of_npl_is_reported_with_those_that_are_known(mirror):
    with pytest.raises(BenchError, match=r"unknown model 'minilm'; known: minilm-l2-mean, .*, lsa@d"):
        catalog.load("npl", {"model": "minilm"})


def test_judgements_that_are_no_text_are_reported(folder):
    (folder / "qrels" / "test.tsv").write_bytes(QRELS.encode() + b"q1\td\xff\t1\n")
    with pytest.raises(BenchError, match=r"test\.tsv is not UTF-8 text"):
        judged(folder)


def test_texts_may_be_the_rows_of_a_csv_file(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text('text,category\n"my card, please",card\nwhere is it?,lost\n')
    assert list(texts(path)) == ["my card, please", "where is it?"]
    path.write_text("query,category\na,b\n")
    with pytest.raises(BenchError, match=r"train\.csv has no column text; it has: query, category"):
        list(texts(path))
    path.write_text("text,category\na,b\n ,c\n")
    with pytest.raises(BenchError, match="line 3 has an empty text"):
        list(texts(path))
    path.write_bytes(b"text\n\xff\n")
    with pytest.raises(BenchError, match="is not a CSV file in UTF-8"):
        list(texts(path))


def test_a_folder_of_folders_names_them(folder):
    with pytest.raises(BenchError, match="it holds BEIR folders, name one of them: set"):
        list(documents(folder.parent / "corpus.jsonl"))
