"""The parts of pages: the template, the script of all charts, rows and specifications as JSON, and the file."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench import cache as files
from bench import outputs
from bench.present.charts import named

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
GENERATOR = "hnsw-order-bench"
PAGE = outputs.Kind(
    "report of this harness", lambda path: f'content="{GENERATOR}"'.encode() in outputs.head(path, 2000)
)
_COMMAND = re.compile(r"`((?:bench[ .]|--)[^`]*)`")


def specification(
    draw: Callable[[Any, Sequence[str]], Any], rows: "pd.DataFrame", labels: Sequence[str], about: str
) -> dict[str, Any]:
    """A chart as wide as its place, as a Vega-Lite specification whose data is called `rows`, and not in it."""
    import altair as alt

    with alt.data_transformers.enable("default", max_rows=None):
        drawn = draw(rows, labels).properties(width="container", description=about)
        return _without_rows(drawn.to_dict(validate=False))


def _without_rows(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification whose data is called `rows`, and not in it."""
    spec.pop("datasets", None)

    def named(part: Any) -> Any:
        if isinstance(part, dict):
            return {
                key: {"name": "rows"} if key == "data" and isinstance(value, dict) else named(value)
                for key, value in part.items()
            }
        return [named(one) for one in part] if isinstance(part, list) else part

    return dict(named(spec))


def columns(frame: "pd.DataFrame") -> dict[str, Any]:
    """A frame by columns: {values, codes} of one whose values repeat, else a list; null for NaN."""
    columns: dict[str, Any] = {}
    for name in frame:
        values = [_plain(value) for value in frame[name].tolist()]
        distinct = list(dict.fromkeys(values))
        if len(distinct) * 2 <= len(values):
            place = {value: code for code, value in enumerate(distinct)}
            columns[str(name)] = {"values": distinct, "codes": [place[value] for value in values]}
        else:
            columns[str(name)] = values
    return columns


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def json_text(content: Any) -> str:
    """JSON that no element of HTML ends early in."""
    text = json.dumps(json.loads(msgspec.json.encode(content)), separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which takes longer to put together than a page, and is kept."""
    import numpy as np

    def make() -> dict[str, np.ndarray]:
        import vl_convert

        # Its stub names an argument that may be left out
        script = vl_convert.javascript_bundle().replace("</script", "<\\/script")  # type: ignore[call-arg]
        return {"script": np.frombuffer(script.encode(), dtype=np.uint8)}

    version = metadata.version("vl-convert-python")
    return files.entry("page/script", {"vl-convert-python": version}, make).arrays["script"].tobytes().decode()


@cache
def template(name: str, folder: Path = HERE) -> Any:
    """Return a template of a folder; it may include those here."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    environment.filters["named"] = named
    environment.filters["listed"] = _listed
    return environment.get_template(name)


def _listed(value: Any) -> str:
    """Return one kind of entry of an environment as a line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items() if one) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not known" if value is None else str(value)


def _code(sentence: str) -> Any:
    """A sentence as HTML, commands and options in backticks as code; backticks of a name stay as they are."""
    from markupsafe import Markup

    parts = _COMMAND.split(sentence)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def written(html: str, path: Path) -> Path:
    """Write a page to a file, whole or not at all, and give its path.

    Raises BenchError if it cannot be written, or if another file than a page of this harness would be replaced.
    """
    outputs.writer(path, PAGE)(html.encode())
    return path
