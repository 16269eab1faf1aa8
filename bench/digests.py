"""SHA-256 of arrays, files, plain values and code: what things are identified by."""

import ast
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_BLOCK_BYTES = 1 << 26  # looked at at a time, of an array that may be larger than memory


def array_digest(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and C-ordered content, as hexadecimal."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    for block in blocks(array):
        digest.update(content(block))
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, as hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key_digest(key: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping of plain values, whatever the order of its keys, as hexadecimal."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def code_digest(*places: Path) -> str:
    """SHA-256 of what the Python files at these places do, a folder for all in it, as hexadecimal.

    Comments, docstrings and layout have no part in it, nor has the version of Python that parses.
    """
    files = [file for place in places for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    return key_digest({"code": [_plain(_parsed(file.read_bytes())) for file in files]})


def function_digest(function: Callable[..., Any], others: Iterable[Callable[..., Any]]) -> str:
    """SHA-256 of what a function's module does without these other functions, as hexadecimal.

    Of one order among several in a module: a change to another order leaves the digest as it is. Of a function that is
    not at the top of its file, the whole file is taken.
    """
    file = Path(inspect.getsourcefile(function) or "")
    left_out = {other.__qualname__ for other in others} - {function.__qualname__}
    body = [node for node in _parsed(file.read_bytes()).body if getattr(node, "name", None) not in left_out]
    return key_digest({"code": _plain(body), "name": function.__qualname__})


class Program(NamedTuple):
    """The content of a Python file.

    digest: SHA-256 of what it does, with what it imports of the folder below which it was looked for, as hexadecimal.
    files: these, itself included.
    imports: top-level names of the modules that they import, wherever.
    """

    digest: str
    files: frozenset[Path]
    imports: frozenset[str]


def program(file: Path, within: Path, foreign: frozenset[str] = frozenset()) -> Program:
    """Return the Program of a file: the file and all files below `within` that it imports, directly or through others.

    foreign: top-level names that are not looked for below `within`, though it has files of these names.
    Raises SyntaxError if a file is not valid Python.
    """
    root = within.resolve()
    wanted, files = [file.resolve()], dict[str, Path]()
    while wanted:
        one = wanted.pop()
        if (place := one.relative_to(root).as_posix()) not in files:
            files[place] = one
            wanted += _imported_files(one, root, foreign)
    code = {place: _plain(_parsed(files[place].read_bytes())) for place in sorted(files)}
    imports = frozenset(name for one in files.values() for name in imported_names(one))
    return Program(key_digest({"code": code}), frozenset(files.values()), imports)


def imported_names(file: Path) -> Iterator[str]:
    """Top-level names of what a file of Python imports, except what is relative to it."""
    for part in ast.walk(_parsed(file.read_bytes())):
        if isinstance(part, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in part.names)
        elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
            yield part.module.partition(".")[0]


def _imported_files(file: Path, root: Path, foreign: frozenset[str]) -> Iterator[Path]:
    """Yield the files below `root` that a file imports, wherever in it; of a module of a package, the module alone."""
    for part in ast.walk(_parsed(file.read_bytes())):
        if isinstance(part, ast.Import):
            wanted = [[(alias.name, 0)] for alias in part.names]
        elif isinstance(part, ast.ImportFrom):
            stem = f"{part.module}." if part.module else ""
            package = (part.module or "", part.level)
            wanted = [[(stem + alias.name, part.level), package] for alias in part.names]
        else:
            continue
        for candidates in wanted:
            files = [_module_file(module, level, file, root) for module, level in candidates]
            found = next(filter(None, files), None)
            module, level = candidates[0]
            if found and (level or module.partition(".")[0] not in foreign):
                yield found


@cache
def _parsed(source: bytes) -> ast.Module:
    """The syntax tree of a file, without docstrings and without the annotations of functions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            text = first.value if isinstance(first, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return tree


def _module_file(module: str, level: int, file: Path, root: Path) -> Path | None:
    """The file below `root` of a module that `file` imports, `level` dots before its name; None of any other."""
    folder = file.parent
    if level:
        folder = file.parents[level - 1]
    else:
        while (folder / "__init__.py").is_file():  # up to the folder that holds the package
            folder = folder.parent
    path = folder.joinpath(*module.split(".")) if module else folder
    candidates = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((one for one in candidates if one.is_file() and one.is_relative_to(root)), None)


def _plain(node: Any) -> Any:
    """A syntax tree as lists and texts; fields that are empty are left out, since versions of Python add some."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return [type(node).__name__, *([name, _plain(value)] for name, value in fields)]
    return [_plain(part) for part in node] if isinstance(node, list) else repr(node)


def blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """The array in blocks of its rows, whole if it has none."""
    if array.ndim == 0 or array.size == 0:
        yield array
        return
    step = max(1, _BLOCK_BYTES * len(array) // array.nbytes)
    for start in range(0, len(array), step):
        yield array[start : start + step]


def content(array: np.ndarray) -> memoryview | bytes:
    """The array's content in C order."""
    return np.ascontiguousarray(array).view(np.uint8).data.cast("B") if array.size else b""
