import msgspec
import pytest

from bench.convert import as_text, converted
from bench.errors import BenchError, unknown


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    M: int = 16


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    index: list[Inner]
    other: Inner | None = None


def test_an_unknown_name_is_named_with_the_known_ones():
    assert str(unknown("order", "lid-desc", ["given", "random"])) == "unknown order 'lid-desc'; known: given, random"


def test_an_unknown_key_is_named_with_its_place_and_the_known_keys():
    with pytest.raises(BenchError, match=r"^my\.toml: index\[1\]: unknown key 'm'; known: M$"):
        converted({"index": [{}, {"m": 3}]}, Outer, "my.toml")
    with pytest.raises(BenchError, match=r"^my\.toml: other: unknown key 'x'; known: M$"):
        converted({"index": [], "other": {"x": 3}}, Outer, "my.toml")
    with pytest.raises(BenchError, match=r"^my\.toml: unknown key 'indexes'; known: index, other$"):
        converted({"index": [], "indexes": []}, Outer, "my.toml")


def test_a_wrong_type_is_named_with_its_place():
    with pytest.raises(BenchError, match=r"^my\.toml: index\[0\]\.M: expected int, got str$"):
        converted({"index": [{"M": "16"}]}, Outer, "my.toml")


def test_text_becomes_a_number_only_where_that_is_asked():
    assert converted("16", int, "--M", strict=False) == 16
    with pytest.raises(BenchError, match="expected int, got str"):
        converted("16", int, "M")


def test_a_name_of_any_bytes_becomes_text_that_tells_them_apart():
    assert as_text("plain é") == "plain é"
    assert as_text("caf\udce9") == "caf\\xe9" == as_text(as_text("caf\udce9"))
