import importlib.util

import pytest

from bench import digests

CODE = '''"""A module."""

LIMIT = 3  # a comment


def helper(x: int) -> int:
    """Twice x."""
    return 2 * x


def one(x):
    return helper(x) + LIMIT


def other(x):
    return x + 1
'''


@pytest.fixture
def write(tmp_path):
    def written(text, name="module"):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return path

    return written


def function(path, name):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("A module.", "Another text.", True),
        ("# a comment", "", True),
        ("Twice x.", "x, twice.", True),
        ("x: int) -> int", "x: float) -> float", True),
        ("2 * x", "x * 2", False),
        ("LIMIT = 3", "LIMIT = 4", False),
        ("x + 1", "x + 2", False),
        ("return x + 1", "return (x\n        + 1)", True),
    ],
)
def test_code_is_what_it_does(write, old, new, same):
    assert old in CODE
    before = digests.code_digest(write(CODE))
    assert (digests.code_digest(write(CODE.replace(old, new))) == before) is same


@pytest.mark.parametrize(
    ("old", "new", "concerned"),
    [("2 * x", "3 * x", {"one"}), ("LIMIT = 3", "LIMIT = 4", {"one"}), ("x + 1", "x + 2", {"other"})],
)
def test_a_definition_is_itself_and_what_it_uses(write, tmp_path, old, new, concerned):
    def both(path):
        return {name: digests.definition_digest(function(path, name), tmp_path) for name in ("one", "other")}

    before = both(write(CODE))
    after = both(write(CODE.replace(old, new)))
    assert {name for name in before if before[name] != after[name]} == concerned


def test_a_function_inside_another_is_all_of_its_file(write, tmp_path):
    path = write(f"{CODE}\n\ndef outer():\n    def inner(x):\n        return x\n\n    return inner\n")
    assert digests.definition_digest(function(path, "outer")(), tmp_path) == digests.code_digest(path)


def test_an_empty_body_but_a_docstring_is_code(write):
    assert digests.code_digest(write('def f():\n    """Nothing."""\n')) != digests.code_digest(write(""))
