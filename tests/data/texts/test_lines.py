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
    with pytest.raises(BenchError, match=r"corpus\.jsonl: line 1 is not a JSON object"):
        judged(beir_folder)


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


def test_a_folder_of_folders_names_them(beir_folder):
    with pytest.raises(BenchError, match="it holds BEIR folders, name one of them: set"):
        list(documents(beir_folder.parent / "corpus.jsonl"))
