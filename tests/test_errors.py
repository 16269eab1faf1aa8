import os

import msgspec
import pytest
from support.datasets import load, read_labels
from support.messages import names, refused

from bench.convert import as_text, converted
from bench.data import formats
from bench.errors import no_file, unknown
from bench.study.spec.experiment import read_experiment


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    M: int = 16


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    index: list[Inner]
    other: Inner | None = None


def test_an_unknown_name_is_named_with_the_known_ones():
    assert names(unknown("order", "lid-desc", ["given", "random"]), "order", "'lid-desc'", "given, random")


def test_an_unknown_key_is_named_with_its_place_and_the_known_keys():
    with refused("my.toml", "index[1]", "'m'", "M"):
        converted({"index": [{}, {"m": 3}]}, Outer, "my.toml")
    with refused("my.toml", "other", "'x'", "M"):
        converted({"index": [], "other": {"x": 3}}, Outer, "my.toml")
    with refused("my.toml", "'indexes'", "index, other"):
        converted({"index": [], "indexes": []}, Outer, "my.toml")


def test_a_wrong_type_is_named_with_its_place():
    with refused("my.toml", "index[0].M", "text"):
        converted({"index": [{"M": "16"}]}, Outer, "my.toml")


def test_text_becomes_a_number_only_where_that_is_asked():
    assert converted("16", int, "--M", strict=False) == 16
    with refused("M", "text"):
        converted("16", int, "M")


def test_an_error_names_what_a_path_leads_to(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "pool")
    (tmp_path / "pool").symlink_to(tmp_path / "loop")
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    what = {
        "nothing": "exist",
        "loop": "circle",
        "link": "symbolic link to gone",
        "folder": "a folder",
        "pipe": "a pipe",
        "x" * 300: "File name too long",
    }
    for name, there in what.items():
        error = str(no_file(tmp_path / name, "name another"))
        assert names(error, tmp_path / name, there, "name another")
        assert [one for one in what.values() if one in error.removeprefix(str(tmp_path))] in ([there], ["exist", there])


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (formats.read, "my.npy"),
        (read_labels, "my.txt"),
        (lambda path: load(str(path)), "my.toml"),
        (lambda path: read_experiment(str(path)), "my.toml"),
    ],
)
def test_a_link_that_leads_in_a_circle_is_not_said_to_be_missing(tmp_path, read, name):
    (tmp_path / name).symlink_to(tmp_path / name)
    with refused(tmp_path / name, "circle"):
        read(tmp_path / name)


def test_names_of_other_bytes_become_other_text():
    assert as_text("plain é") == "plain é"
    assert as_text("caf\udce9") == "caf\\xe9" == as_text(as_text("caf\udce9"))
