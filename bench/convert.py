"""Plain data, as TOML and the command line give it, as typed values."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from bench.errors import BenchError, unknown

T = TypeVar("T")


def read_toml(path: Path, to: type[T]) -> T:
    """Return the content of a TOML file in UTF-8, as a `to`. Raises BenchError that names the file and line or key."""
    try:
        content = path.read_bytes()
        stated = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}; allow it, or name another file") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BenchError(f"{path}: line {line} is not UTF-8 text: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{path} is not valid TOML: {error}") from None
    return converted(stated, to, str(path))


def converted(value: object, to: type[T], where: str, *, strict: bool = True) -> T:
    """`value` (plain data, as TOML gives) as a `to`, or a BenchError that names `where` and the place in it.

    strict: whether text like "10" is refused if a number is meant.
    """
    import msgspec

    try:
        return msgspec.convert(value, to, strict=strict)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        place = place.strip("`").removeprefix("$").removeprefix(".")
        where = f"{where}: {place}" if place else where
        if field := re.fullmatch(r"Object contains unknown field `(.*)`", message):
            known = [f.name for f in msgspec.structs.fields(_type_at(to, place))]
            raise BenchError(f"{where}: {unknown('key', field[1], known)}") from None
        if message.startswith("Invalid enum value") and (choices := _choices(to, place)):
            message += f": give {' or '.join(choices)}"
        raise BenchError(f"{where}: {_plain(message)}") from None


_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def _plain(message: str) -> str:
    """msgspec's message in words that do not ask for Python."""
    if types := re.fullmatch(r"Expected `([^`]*)`, got `([^`]*)`", message):
        wanted = " or ".join(_WORDS.get(one, one) for one in types[1].split(" | ") if one != "null")
        message = f"expected {wanted}, got {_WORDS.get(types[2], types[2])}"
    return message[0].lower() + message[1:].replace("`", "")


def _choices(to: Any, place: str) -> list[str]:
    """Return the values that the field at `place` takes, in words; nothing if it is no plain field of a struct."""
    import msgspec

    if "[...]" in place:  # of a table of any keys
        return []
    parent, _, name = re.sub(r"\[\d+\]$", "", place).rpartition(".")  # a list's type is its field's
    fields = msgspec.structs.fields(_type_at(to, parent))
    of_field = next((field.type for field in fields if field.encode_name == name), None)
    parts = [of_field] if get_origin(of_field) is Literal else get_args(of_field)
    words = [str(word) for part in parts if get_origin(part) is Literal for word in get_args(part)]
    if place.endswith("]"):
        return words
    return words + [_WORDS[part.__name__] for part in parts if isinstance(part, type) and part.__name__ in _WORDS]


def as_text(name: str) -> str:
    """A file's name, or a part of it, as text that any file and table can hold: a byte that is not UTF-8 as `\\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _type_at(to: Any, place: str) -> Any:
    """The struct that the field path `place`, as in `index[0].records`, leads to from `to`."""
    names = re.findall(r"[A-Za-z_]\w*", place)
    while names or not hasattr(to, "__struct_fields__"):
        structs = [a for a in get_args(to) if hasattr(a, "__struct_fields__")]
        to = structs[0] if structs else to.__annotations__[names.pop(0)]
    return to


def duration(text: str, where: str) -> float:
    """Seconds of a time such as 90s, 10m or 2h, or a BenchError that names `where`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not seconds:
        raise BenchError(f"{where} {text}: give a time above 0, as 90s, 10m or 2h")
    return seconds
