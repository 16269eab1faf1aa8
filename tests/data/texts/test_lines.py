import pytest
from support.beir import judged

from bench.data.texts.lines import documents, texts
from bench.errors import BenchError


def test_title_and_text_are_joined_as_beir_joins_them(beir_folder):
    assert list(documents(beir_folder / "corpus.jsonl")) == [
        ("d1", "Valves electron valves and circuits"),
        ("d2", "valves in radio circuits"),
        ("d3", "waves and radio"),
        ("d4", ""),
    ]


def test_text_that_is_not_utf8_is_reported(beir_folder):
    (beir_folder / "corpus.jsonl").write_bytes(b'{"_id": "d1", "text": "\xff"}\n')
    with pytest.raises(BenchError, match=r"corpus\.jsonl: line 1 "):
        judged(beir_folder)


def read(path, content, *columns):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(int(row.place.rpartition(" ")[2]), row.text, row.label) for row in texts(path, *columns)]


def test_texts_may_be_the_rows_of_a_csv_file(tmp_path):
    path = tmp_path / "train.csv"
    content = 'text,category\n"my card, please",card\nwhere is it?,lost\n'
    assert read(path, content) == [(2, "my card, please", None), (3, "where is it?", None)]
    assert read(path, content, "category") == [(2, "card", None), (3, "lost", None)]
    assert read(path, content, "text", "category") == [(2, "my card, please", "card"), (3, "where is it?", "lost")]


def test_csv_may_have_marks_blank_lines_and_texts_of_many_lines(tmp_path):
    content = b'\xef\xbb\xbfid,text\r\n1,"two\r\nlines, and ""quotes"""\r\n\r\n2, 5" screen \r\n'
    assert read(tmp_path / "t.CSV", content) == [(2, 'two\r\nlines, and "quotes"', None), (5, ' 5" screen ', None)]
    long = "word " * 40_000  # more than the 131,072 characters that csv takes by default
    assert read(tmp_path / "t.csv", f"text\n{long}\n") == [(2, long, None)]


@pytest.mark.parametrize(
    ("content", "columns", "named"),
    [
        ("query,category\na,b\n", [], "'text'; it has: 'query', 'category'"),
        ("text,category\na,b\n", ["text", "label"], "'label'; it has: 'text', 'category'"),
        ("", [], ""),
        ("text,id,text\na,1,b\n", [], "text"),
        ("id,text,id\n1,a,2\n", ["text", "id"], "id"),
        ("text,category\na,b\n ,c\n", [], "line 3 .*text"),
        ("text,category\na,b\nc,\n", ["text", "category"], "line 3 .*category"),
        ("text,category\na, and b,c\n", [], "line 2 has 3 fields"),
        ("text,category\na,b\nc\n", [], "line 3 has 1 fields"),
        ('text\na\n"b\nc\n', [], "line 3 "),
        ('text\n"a "quoted" word"\n', [], "line 2 "),
        (b"text\n\xff\n", [], "UTF-8"),
    ],
)
def test_a_csv_file_that_would_be_misread_is_refused(tmp_path, content, columns, named):
    with pytest.raises(BenchError, match=rf"^{tmp_path}/train\.csv.* {named}"):
        read(tmp_path / "train.csv", content, *columns)


def test_keys_of_json_lines_are_named_as_columns_are(tmp_path):
    path, content = tmp_path / "t.jsonl", '\ufeff{"q": "a", "n": 1}\n{"n": "b", "q": "c"}\n'
    assert read(path, content, "q", "n") == [(1, "a", 1), (2, "c", "b")]
    for columns, named in (
        (["text"], "line 1 has no 'text'; it has: 'q', 'n'"),
        (["q", "m"], "line 1 has no 'm'; it has: 'q', 'n'"),
        (["n"], "line 1 .* n, "),
    ):
        with pytest.raises(BenchError, match=named):
            read(path, content, *columns)
    for label in ("null", "1.5", "true", '""'):
        with pytest.raises(BenchError, match="line 1"):
            read(path, f'{{"q": "a", "n": {label}}}\n', "q", "n")


def test_a_folder_of_folders_names_them(beir_folder):
    with pytest.raises(BenchError, match=r"BEIR folders.*: set"):
        list(documents(beir_folder.parent / "corpus.jsonl"))
