"""Convert the arguments of the Python interface to the types of the harness; errors name the argument."""

import functools
import inspect
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from bench.data.formats import Place
from bench.data.formats.array import FileArray
from bench.data.formats.ids import row_numbers
from bench.data.formats.values import array_of, check_columns, labels_of, vectors_of
from bench.data.parts import Parts
from bench.errors import BenchError
from bench.orders import table

P = ParamSpec("P")
T = TypeVar("T")

_OPTION = re.compile(r"(?<![\w-])--([A-Za-z][\w-]*)")
CALL = "result = bench.compare("


def named(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function; its errors name the argument instead of the option of the command line."""
    arguments = set(inspect.signature(function).parameters)

    def argument(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        return name if name in arguments else option[0]

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BenchError as error:
            raise BenchError(_OPTION.sub(argument, str(error))) from error.__cause__

    return wrapped


def call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Return the source code of a call of `function` with these arguments; arrays in memory appear by name."""
    defaults = {name: of.default for name, of in inspect.signature(function).parameters.items()}
    given = {name: _shown(value, name) for name, value in arguments.items()}
    more = [
        f"{name}={text}" for name, text in given.items() if name != "vectors" and text != _shown(defaults[name], "")
    ]
    return f"{CALL}{', '.join([given['vectors'], *more])})"


def _shown(value: Any, name: str) -> str:
    """Return a value as code if that is short, otherwise a name for it."""
    if isinstance(value, Path):
        value = str(value)
    if value is None or isinstance(value, str | int | float):
        return repr(value)
    if isinstance(value, list | tuple) and name not in ("vectors", "queries", "labels", "query_groups"):
        return f"[{', '.join(_shown(one, f'{name}[{place}]') for place, one in enumerate(value))}]"
    if isinstance(value, dict) and all(isinstance(one, str | int | float) for one in value.values()):
        return repr(value)
    return name


def parts(
    vectors: Any,
    metric: str | None,
    labels: Any = None,
    *,
    queries: Any = None,
    query_groups: Any = None,
    limit: int | None = None,
    name: str = "vectors",
) -> Parts:
    """Return the parts of a dataset from the arguments of a program."""
    if not isinstance(name, str) or not name:
        raise BenchError(f"name is {name!r}: give text, by which results call the vectors")
    check_columns(queries, vectors)
    in_memory = not isinstance(vectors, str | Path)
    return Parts(
        base=vectors_of(vectors, "vectors") if in_memory else str(vectors),
        queries=_place(queries, "queries", vectors_of),
        labels=_place(labels, "labels", labels_of),
        metric=metric,
        query_groups=_place(query_groups, "query_groups", labels_of),
        limit=None if limit is None else whole(limit, "limit"),
        name=name if in_memory else "",
    )


def _place(values: Any, name: str, read: Callable[[Any, str], FileArray]) -> Place | None:
    if values is None or isinstance(values, Path):
        return values
    return Path(values) if isinstance(values, str) else read(values, name)


def order_table(entry: Any, where: str) -> dict[str, Any]:
    """Return an order in the form of an experiment's table."""
    if isinstance(entry, str | Path):
        return table(str(entry), where)
    if isinstance(entry, dict) and "rows" not in entry:
        return entry
    named = entry["rows"] if isinstance(entry, dict) else {where: entry}
    if not isinstance(named, dict):
        raise BenchError(f'{where}: give row numbers a name, as in {{"rows": {{"by-date": array}}}}')
    return {"rows": {name: row_numbers(array_of(rows, name), name).tolist() for name, rows in named.items()}}


def path(value: Any, name: str) -> Path:
    """Return the path of a file or folder. Raises BenchError, naming the argument, if `value` is no path."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise BenchError(f"{name} is {value!r}: give a path")
    return Path(text)


def items(values: Any, name: str) -> list[tuple[str, Any]]:
    """Return each item of a list with the name of its position.

    Raises BenchError if `values` is not a list or is empty.
    """
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise BenchError(f"{name} is {values!r}: give a list")
    listed = [(f"{name}[{place}]", value) for place, value in enumerate(values)]
    if not listed:
        raise BenchError(f"{name} is empty: name at least one")
    return listed


def whole(number: Any, name: str, least: int = 1) -> int:
    """Return a whole number, numpy's too. Raises BenchError, naming the argument, if it is none or below `least`."""
    try:
        if isinstance(number, bool):
            raise TypeError
        value = operator.index(number)
    except TypeError:
        raise BenchError(f"{name} is {number!r}: give a whole number") from None
    if value < least:
        raise BenchError(f"{name} = {value}: give {least} or more")
    return value


def share(points: Any, name: str) -> float:
    """Return points of recall as a share. Raises BenchError if they are not between 0 and 100."""
    try:
        if isinstance(points, bool):
            raise TypeError
        value = float(points)
    except (TypeError, ValueError):
        raise BenchError(f"{name} is {points!r}: give points of recall") from None
    if not 0 < value < 100:
        raise BenchError(f"{name} = {value:g}: give points of recall, above 0 and below 100")
    return value / 100
