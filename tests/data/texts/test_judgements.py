import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.beir import CORPUS, QRELS, QUERIES, VECTORS, jsonl, judged
from support.datasets import checked
from support.messages import refused

from bench.data.dataset import Judgements, limit
from bench.errors import BenchError, BenchWarning


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("corpus.jsonl", jsonl(CORPUS) + "[]\n", "line 5"),
        ("corpus.jsonl", jsonl(CORPUS) + "{", "line 5"),
        ("corpus.jsonl", jsonl(CORPUS) + "\n", "line 5"),
        ("corpus.jsonl", jsonl(CORPUS) + '{"_id": "d5"}', "line 5: .* text"),
        ("corpus.jsonl", jsonl(CORPUS) + '{"text": "x"}', "line 5: .*_id"),
        ("corpus.jsonl", jsonl(CORPUS) + '{"_id": 1.5, "text": "x"}', "line 5: .*_id"),
        ("corpus.jsonl", jsonl([*CORPUS, {"_id": 5, "text": ""}, {"_id": "5", "text": ""}]), "line 6 .*'5'"),
        ("corpus.jsonl", jsonl([*CORPUS, CORPUS[1]]), "line 5 .*'d2'"),
        ("corpus.jsonl", "", ""),
        ("queries.jsonl", jsonl([*QUERIES, QUERIES[0]]), "line 4 .*'q0'"),
        ("queries.jsonl", jsonl([{"_id": "q", "text": " "}]), "line 1: query 'q'"),
        ("qrels/test.tsv", "query\tdocument\tgrade\n", "line 1"),
        ("qrels/test.tsv", "q0 0 d1 1\nq0 d1 1\n", "line 2"),
        ("qrels/test.tsv", QRELS + "q0 d1 1\n", "line 5"),
        ("qrels/test.tsv", QRELS + "q0\td1\t0.5\n", r"line 5: score '0\.5'"),
        ("qrels/test.tsv", QRELS + f"q0\td1\t{10**30}\n", f"line 5: score '{10**30}'"),
        ("qrels/test.tsv", QRELS + f"q0\td1\t{-(2**31) - 1}\n", f"line 5: score '{-(2**31) - 1}'"),
        ("qrels/test.tsv", QRELS + "q0\td3\t0\n", "line 5: query 'q0' .*'d3'"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", r"queries\.jsonl"),
    ],
)
def test_a_bad_line_is_reported_with_its_number(beir_folder, file, content, named):
    (beir_folder / file).write_text(content)
    with pytest.raises(BenchError, match=f"{file}.*{named}"):
        judged(beir_folder)


@pytest.mark.filterwarnings("ignore:1 of 3 queries", "ignore:.* judges 1 unknown queries")
def test_unknown_ids_in_judgements_are_counted_or_refused(beir_folder):
    unknown = "".join(f"q0\td{i}\t1\n" for i in range(5, 30)) + "q9\td1\t1\n"
    (beir_folder / "qrels" / "test.tsv").write_text(QRELS + unknown)
    with pytest.warns(BenchWarning, match=r"test\.tsv .*25 .*documents: d10, "):
        judgements, _ = judged(beir_folder)
    assert judgements.qrels["q0"] == {"d3": 1, **{f"d{i}": 1 for i in range(5, 30)}}
    assert "q9" not in judgements.qrels
    with refused("test.tsv", 1, "q9", 25):
        judged(beir_folder, strict=True)


@pytest.mark.filterwarnings("ignore:1 of 3 queries", "ignore:.* judges 2 unknown documents")
def test_quotes_byte_order_marks_and_blank_lines_of_judgements_mean_nothing(beir_folder):
    content = "\ufeff" + QRELS + 'q0\t"d8\t1\nq0\td9"\t1\n\n'
    (beir_folder / "qrels" / "test.tsv").write_text(content.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert judged(beir_folder)[0].qrels["q0"] == {"d3": 1, '"d8': 1, 'd9"': 1}


def test_negative_grades_are_kept(beir_folder):
    (beir_folder / "qrels" / "test.tsv").write_text(QRELS + "q1\td1\t-1\n")
    assert judged(beir_folder)[0].qrels["q1"] == {"d1": -1}


def judgements(**changed):
    arguments = {
        "query_ids": np.array(["a", "b"]),
        "doc_ids": np.array(list("vwxyz")),
        "qrels": {"a": {"v": 1}, "b": {}},
    }
    return Judgements(**arguments | changed)


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
    with pytest.raises(BenchError, match=r"2 queries and 5 documents.* 3 and 4 rows"):
        checked("x", VECTORS[:4], VECTORS[4:], "l2", judgements=judgements())


def test_judgements_that_are_no_text_are_reported(beir_folder):
    (beir_folder / "qrels" / "test.tsv").write_bytes(QRELS.encode() + b"q1\td\xff\t1\n")
    with pytest.raises(BenchError, match=r"test\.tsv"):
        judged(beir_folder)


def pack(path):
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


NUMBERED = [{"_id": place, "title": "", "text": f"text {place}"} for place in range(4)]
ASKED = [{"_id": place, "text": f"query {place}"} for place in range(3)]
GRADES = {"0": {"2": 1}, "1": {"3": 2}, "2": {"0": 0}}
ROWS = [(query, document, grade) for query, row in GRADES.items() for document, grade in row.items()]
SPELLINGS = {
    "as BEIR": ("test.tsv", "query-id\tcorpus-id\tscore\n", "{}\t{}\t{}\n"),
    "scores with a point": ("test.tsv", "query-id\tcorpus-id\tscore\n", "{}\t{}\t{}.0\n"),
    "no header": ("test.tsv", "", "{}\t{}\t{}\n"),
    "TREC": ("test.tsv", "", "{} 0 {} {}\n"),
    "TREC with tabs": ("test.tsv", "", "{}\tQ0\t{}\t{}\n"),
    "TREC by its own suffix": ("test.qrels", "", "{}  0  {}  {}\n"),
}


@pytest.fixture
def numbered(beir_folder):
    """A BEIR folder whose ids are whole numbers."""
    (beir_folder / "corpus.jsonl").write_text(jsonl(NUMBERED))
    (beir_folder / "queries.jsonl").write_text(jsonl(ASKED))
    (beir_folder / "qrels" / "test.tsv").unlink()
    return beir_folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_judgements_are_read_in_every_spelling(numbered, spelling, packed):
    name, header, line = SPELLINGS[spelling]
    file = numbered / "qrels" / name
    file.write_text(header + "".join(line.format(*row) for row in ROWS))
    if packed:
        for path in (file, numbered / "corpus.jsonl", numbered / "queries.jsonl"):
            pack(path)
    judgements, is_judged = judged(numbered)
    assert judgements.qrels == GRADES
    assert (judgements.doc_ids.tolist(), judgements.query_ids.tolist()) == (list("0123"), list("012"))
    assert is_judged.all()


@pytest.mark.parametrize("layout", ["files", "folders", "shards"])
@pytest.mark.parametrize("number", [int, str])
def test_parquet_of_hugging_face_is_read(numbered, layout, number):
    tables = {
        "corpus": [row | {"_id": number(row["_id"])} for row in NUMBERED],
        "queries": [row | {"_id": number(row["_id"])} for row in ASKED],
        "qrels/test": [
            {"query-id": number(query), "corpus-id": number(document), "score": float(grade)}
            for query, document, grade in ROWS
        ],
    }
    for name, rows in tables.items():
        (numbered / f"{name}.jsonl").unlink(missing_ok=True)
        stem = {"files": name, "folders": f"{name}/{name[-4:]}-00000-of-00001", "shards": f"{name}-00000-of-00001"}
        path = numbered / f"{stem[layout]}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
    judgements, _ = judged(numbered)
    assert judgements.qrels == GRADES
    assert judgements.doc_ids.tolist() == list("0123")


@pytest.mark.parametrize(
    ("name", "rows", "named"),
    [
        ("corpus", [{"_id": "a", "text": None}], "row 1"),
        ("corpus", [{"_id": "a", "text": "x"}] * 2, "row 2"),
        ("corpus", [{"text": "x"}], "_id"),
        ("corpus", [], "no rows"),
        ("qrels/test", [{"query": 1}], "query-id"),
    ],
)
def test_bad_parquet_of_texts_is_reported_with_its_row(numbered, name, rows, named):
    (numbered / "qrels" / "test.tsv").write_text("q\td\t1\n")
    for file in (f"{name}.jsonl", f"{name}.tsv"):
        (numbered / file).unlink(missing_ok=True)
    pq.write_table(
        pa.Table.from_pylist(rows, None if rows else pa.schema([("_id", "string")])), numbered / f"{name}.parquet"
    )
    with pytest.raises(BenchError, match=rf"{name}\.parquet.*{named}"):
        judged(numbered)


def test_a_packed_file_that_breaks_off_is_reported(numbered):
    (numbered / "qrels" / "test.tsv").write_text("0\t1\t1\n" * 500)
    for file in ("qrels/test.tsv", "corpus.jsonl"):
        pack(numbered / file)
        whole = (numbered / f"{file}.gz").read_bytes()
        (numbered / f"{file}.gz").write_bytes(whole[:-12])
        with pytest.raises(BenchError, match=rf"{file}\.gz"):
            judged(numbered)
        (numbered / f"{file}.gz").write_bytes(whole)
