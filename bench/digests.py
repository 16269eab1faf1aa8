"""SHA-256 of arrays, files, plain values and code: what things are identified by."""

import ast
import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_BLOCK_BYTES = 1 << 26  # looked at at a time, of an array that may be larger than memory
_WHOLE = ""  # the name that stands for a whole file
_MODULE = "."  # the same, where what is used of it can be told by the attributes it is asked for
_NAMELESS = "*"  # the name that stands for statements of a file that define none


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


def definition_digest(definition: Callable[..., Any], within: Path) -> str:
    """SHA-256 of what a function, method or class does, with all it uses of the files below `within`, as hexadecimal.

    Used is what its code names, and what that names in turn: functions, classes and constants of its own file, methods
    of its own class, what it imports from other files below `within`, wherever the import stands, and statements of
    these files that define no name. Comments, docstrings and the annotations of functions have no part in it. Of a
    function that is not at the top of its file, all of the file is taken.
    """
    reached = _reached(definition, within)
    if reached is None:
        return code_digest(Path(inspect.getsourcefile(definition) or ""))
    return key_digest({"code": [[*place, [_plain(node) for node in reached[place]]] for place in sorted(reached)]})


class Program(NamedTuple):
    """What a Python file is made of.

    digest: SHA-256 of what it does, with what it imports of the folder below which it was looked for, as hexadecimal.
    files: these, itself included.
    imports: top-level names of the modules that they import, wherever.
    """

    digest: str
    files: frozenset[Path]
    imports: frozenset[str]


def program(file: Path, within: Path, foreign: frozenset[str] = frozenset()) -> Program:
    """The Program of a file, of all its definitions; a SyntaxError where it is no Python.

    foreign: top-level names that are not looked for below `within`, though it has files of these names.
    """
    root = within.resolve()
    reached = _reached_from(file.resolve(), _WHOLE, root, foreign)
    code = [[*place, [_plain(node) for node in reached[place]]] for place in sorted(reached)]
    files = frozenset(root / name for name, _ in reached)
    return Program(key_digest({"code": code}), files, frozenset(name for one in files for name in imported_names(one)))


def imported_names(file: Path) -> Iterator[str]:
    """Top-level names of what a file of Python imports, except what is relative to it."""
    for part in ast.walk(_parsed(file.read_bytes())):
        if isinstance(part, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in part.names)
        elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
            yield part.module.partition(".")[0]


def attributes_used(definition: Callable[..., Any], within: Path, of: str) -> set[str]:
    """Names of the attributes that a function, with all it uses, takes of what it calls `of`."""
    nodes = [node for listed in (_reached(definition, within) or {}).values() for node in listed]
    return {attribute for node in nodes for name, attribute in _attributes(node) if name == of}


_Places = dict[tuple[str, str], list[ast.stmt]]


def _reached(definition: Callable[..., Any], within: Path) -> _Places | None:
    """The parts of files below `within` that a definition uses, by file and name; None where it is not at a top."""
    file = Path(inspect.getsourcefile(definition) or "").resolve()
    root = within.resolve() if file.is_relative_to(within.resolve()) else file
    if definition.__qualname__ not in _definitions(file, file.read_bytes(), root)[0]:
        return None
    return _reached_from(file, definition.__qualname__, root)


def _reached_from(file: Path, name: str, root: Path, foreign: frozenset[str] = frozenset()) -> _Places:
    """The parts of files below `root` that what a file calls `name` uses, itself included, by file and name."""
    wanted = [(file, name)]
    reached: _Places = {}
    while wanted:
        file, name = wanted.pop()
        place = (file.relative_to(root).as_posix(), name)
        nodes, imported = _definitions(file, file.read_bytes(), root, foreign)
        if place in reached:
            continue
        if name in imported:
            wanted.append(imported[name])
        elif name in (_WHOLE, _MODULE):
            reached[place] = _parsed(file.read_bytes()).body
            wanted += imported.values() if name == _WHOLE else []
        elif used := nodes.get(name):
            reached[place] = used
            wanted += [(file, _NAMELESS), *_uses(file, name, used, imported)]
    return reached


def _uses(
    file: Path, name: str, nodes: list[ast.stmt], imported: dict[str, tuple[Path, str]]
) -> Iterator[tuple[Path, str]]:
    """What the definition of `name` uses: (file, name)."""
    modules = {alias: origin for alias, (origin, kind) in imported.items() if kind == _MODULE}
    for node in nodes:
        attributes = list(_attributes(node))
        for owner, attribute in attributes:
            if owner in modules:
                yield modules[owner], attribute
            elif owner == "self":
                yield file, f"{name.partition('.')[0]}.{attribute}"
        names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        for used in set(names):
            # A module that is only asked for attributes does not take part whole.
            if used not in modules or names.count(used) > sum(owner == used for owner, _ in attributes):
                yield file, used


def _attributes(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Every `name.attribute` in a syntax tree."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            yield part.value.id, part.attr


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


@cache
def _definitions(
    file: Path, source: bytes, root: Path, foreign: frozenset[str] = frozenset()
) -> tuple[dict[str, list[ast.stmt]], dict[str, tuple[Path, str]]]:
    """What a file defines at its top level, by name, and what it imports from other files below `root`, anywhere."""
    tree = _parsed(source)
    nodes: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            nodes.setdefault(node.name, []).append(node)
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    nodes.setdefault(f"{node.name}.{member.name}", []).append(member)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            stored = {
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
            for name in stored or {_NAMELESS}:
                nodes.setdefault(name, []).append(node)
    imported: dict[str, tuple[Path, str]] = {}
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            for alias in part.names:
                origin = _module_file(alias.name, 0, file, root)
                if origin and alias.name.partition(".")[0] not in foreign:
                    imported[(alias.asname or alias.name).partition(".")[0]] = (origin, _WHOLE)
        elif isinstance(part, ast.ImportFrom) and (origin := _module_file(part.module or "", part.level, file, root)):
            if not part.level and (part.module or "").partition(".")[0] in foreign:
                continue
            for alias in part.names:
                module = origin.parent / f"{alias.name}.py"
                if origin.name == "__init__.py" and module.is_file():
                    imported[alias.asname or alias.name] = (module, _MODULE)
                elif origin != file:
                    imported[alias.asname or alias.name] = (origin, alias.name)
    return nodes, imported


def _module_file(module: str, level: int, file: Path, root: Path) -> Path | None:
    """The file below `root` of a module that `file` imports, `level` dots before its name; None of any other."""
    folder = file.parent
    if level:
        folder = file.parents[level - 1]
    else:
        while (folder / "__init__.py").is_file():  # up to where the package lies
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
    """The array in blocks of its rows, whole where it has none."""
    if array.ndim == 0 or array.size == 0:
        yield array
        return
    step = max(1, _BLOCK_BYTES * len(array) // array.nbytes)
    for start in range(0, len(array), step):
        yield array[start : start + step]


def content(array: np.ndarray) -> memoryview | bytes:
    """The array's content in C order."""
    return np.ascontiguousarray(array).view(np.uint8).data.cast("B") if array.size else b""
