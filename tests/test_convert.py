from pathlib import Path
from typing import Literal

import msgspec
import pytest

import bench
from bench.convert import converted, read_toml
from bench.data.definition import read_definition
from bench.errors import BenchError
from bench.study.spec.experiment import read_experiment


class Stated(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    n: int = 0


class Inner(msgspec.Struct):
    kind: Literal["a", "b"] | int = "a"


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    n: int = 0
    kind: Literal["a", "b"] | int = "a"
    kinds: list[Literal["a", "b"]] = []
    inner: Inner | None = None
    bits: Literal[8, 16] = 8
    by_name: dict[str, Literal["a", "b"]] = {}


def test_nothing_is_told_as_such():
    with pytest.raises(BenchError, match=r"x: n: expected a whole number, got nothing$"):
        converted({"title": "x", "n": None}, Outer, "x")


def test_a_toml_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "my.toml"
    path.write_bytes(b"\xef\xbb\xbftitle = 'x'\r\nn = 3\r\n")
    assert read_toml(path, Stated) == Stated("x", 3)
    path.write_text("\ufefftitle = 'x'\nmetric = 'l2'\ngenerator = 'digits'\n", encoding="utf-8")
    assert read_definition(path).generator == "digits"
    path.write_text("\ufeffdatasets = ['digits']\norders = ['random']\nindex = [{ engine = 'hnswlib' }]\n")
    assert read_experiment(str(path))[1].datasets == ["digits"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"title = 'x'\nn = \n", r"is not valid TOML: Invalid value \(at line 2, column 5\)$"),
        (b"title = 'x'\n# caf\xe9\n", "line 2 is not UTF-8 text: save it as UTF-8$"),
        (b"\xff\xfet\x00i\x00", "line 1 is not UTF-8 text"),
        (b"title = 'x'\nm = 3\n", "unknown key 'm'; known: title, n$"),
    ],
)
def test_what_is_wrong_with_a_toml_file_is_reported_with_its_place(tmp_path, content, message):
    (tmp_path / "my.toml").write_bytes(content)
    with pytest.raises(BenchError, match=rf"^{tmp_path}/my\.toml:? {message}"):
        read_toml(tmp_path / "my.toml", Stated)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("title = 3", "title: expected text, got a whole number"),
        ("title = 'x'\nn = 1.5", "n: expected a whole number, got a number"),
        ("title = 'x'\nn = [1]", "n: expected a whole number, got a list"),
        ("title = 'x'\nkind = 'c'", "kind: invalid enum value 'c': give a or b or a whole number"),
        ("title = 'x'\nkinds = ['a', 'c']", r"kinds\[1\]: invalid enum value 'c': give a or b"),
        ("title = 'x'\nbits = 4", "bits: invalid enum value 4: give 8 or 16"),
        ("title = 'x'\nby_name = { a = 'c' }", r"by_name\[...\]: invalid enum value 'c'"),
        ("n = 3", "object missing required field title"),
        ("title = 'x'\ninner = { kind = 'c' }", "inner.kind: invalid enum value 'c': give a or b or a whole number"),
    ],
)
def test_a_value_of_another_kind_is_told_in_words_with_what_is_taken(tmp_path, stated, message):
    (tmp_path / "my.toml").write_text(stated)
    with pytest.raises(BenchError, match=rf"my\.toml: {message}$"):
        read_toml(tmp_path / "my.toml", Outer)


def test_a_toml_file_that_cannot_be_read_is_reported(tmp_path):
    (tmp_path / "my.toml").symlink_to("/proc/self/mem")  # a file that opens, and whose first byte does not read
    with pytest.raises(BenchError, match=r"^cannot read .*my\.toml: "):
        read_toml(tmp_path / "my.toml", Stated)


def test_toml_is_read_in_one_place():
    package = Path(bench.__file__).parent
    readers = [
        file for file in package.rglob("*.py") if "tomllib" in (text := file.read_text()) or "msgspec.toml" in text
    ]
    assert readers == [package / "convert.py"]
