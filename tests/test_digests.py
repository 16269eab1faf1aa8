import importlib
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
    [
        ("helper(x) + LIMIT", "helper(x) - LIMIT", {"one"}),
        ("2 * x", "3 * x", {"one", "other"}),
        ("LIMIT = 3", "LIMIT = 4", {"one", "other"}),
        ("x + 1", "x + 2", {"other"}),
    ],
)
def test_a_function_is_itself_and_its_module_without_the_others(write, old, new, concerned):
    def both(path):
        functions = {name: function(path, name) for name in ("one", "other")}
        return {name: digests.function_digest(of, functions.values()) for name, of in functions.items()}

    before = both(write(CODE))
    after = both(write(CODE.replace(old, new)))
    assert {name for name in before if before[name] != after[name]} == concerned


def test_an_empty_body_but_a_docstring_is_code(write):
    assert digests.code_digest(write('def f():\n    """Nothing."""\n')) != digests.code_digest(write(""))


@pytest.mark.parametrize(
    "way_in",
    [
        "from .helper import aid\n\n\ndef one(x):\n    return aid(x)\n",
        "def one(x):\n    from pack.helper import aid\n\n    return aid(x)\n",
        "try:\n    from pack.helper import aid\nfinally:\n    pass\n\n\ndef one(x):\n    return aid(x)\n",
        "import pack.helper\n\n\ndef one(x):\n    return pack.helper.aid(x)\n",
        "from pack import helper\n\n\ndef one(x):\n    return helper.aid(x)\n",
    ],
)
def test_modules_below_the_folder_take_part_however_they_are_imported(tmp_path, way_in):
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    helper, module = folder / "helper.py", folder / "module.py"
    helper.write_text("def aid(x):\n    return 2 * x\n")
    module.write_text(way_in)
    before = digests.program(module, folder)
    assert helper in before.files
    helper.write_text(helper.read_text().replace("2 * x", "3 * x"))
    assert digests.program(module, folder).digest != before.digest
