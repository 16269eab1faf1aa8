from pathlib import Path
from typing import Literal

import msgspec
import pytest
from support.messages import refused

import bench
from bench.convert import converted, read_toml
from bench.data.definition import read_definition
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


def test_a_missing_value_is_named_with_its_place():
    with refused("x: n", "nothing"):
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
    ("content", "named"),
    [
        (b"title = 'x'\nn = \n", ("TOML", "line 2", "column 5")),
        (b"title = 'x'\n# caf\xe9\n", ("line 2", "UTF-8")),
        (b"\xff\xfet\x00i\x00", ("line 1", "UTF-8")),
        (b"title = 'x'\nm = 3\n", ("'m'", "title, n")),
    ],
)
def test_a_mistake_in_a_toml_file_is_named_with_its_place(tmp_path, content, named):
    (tmp_path / "my.toml").write_bytes(content)
    with refused(tmp_path / "my.toml", *named):
        read_toml(tmp_path / "my.toml", Stated)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ("title = 3", ("title", "text", "a whole number")),
        ("title = 'x'\nn = 1.5", ("n", "a whole number", "a number")),
        ("title = 'x'\nn = [1]", ("n", "a whole number", "a list")),
        ("title = 'x'\nkind = 'c'", ("kind", "'c'", "a or b or a whole number")),
        ("title = 'x'\nkinds = ['a', 'c']", ("kinds[1]", "'c'", "a or b")),
        ("title = 'x'\nbits = 4", ("bits", 4, "8 or 16")),
        ("title = 'x'\nby_name = { a = 'c' }", ("by_name[...]", "'c'")),
        ("n = 3", ("title",)),
        ("title = 'x'\ninner = { kind = 'c' }", ("inner.kind", "'c'", "a or b or a whole number")),
    ],
)
def test_a_value_of_another_kind_is_refused_with_the_kind_that_is_taken(tmp_path, stated, named):
    (tmp_path / "my.toml").write_text(stated)
    with refused("my.toml", *named):
        read_toml(tmp_path / "my.toml", Outer)


def test_a_toml_file_that_cannot_be_read_is_reported(tmp_path):
    (tmp_path / "my.toml").symlink_to("/proc/self/mem")  # a file that opens, and whose first byte does not read
    with refused(tmp_path / "my.toml"):
        read_toml(tmp_path / "my.toml", Stated)


def test_toml_is_read_in_one_place():
    package = Path(bench.__file__).parent
    readers = [
        file for file in package.rglob("*.py") if "tomllib" in (text := file.read_text()) or "msgspec.toml" in text
    ]
    assert readers == [package / "convert.py"]
