"""Lists of what the command line and an experiment can name."""

from collections.abc import Callable, Sequence
from typing import Any

from bench import orders as insertion_orders
from bench.data import catalog, fetch
from bench.data.definition import Definition, read_definition
from bench.errors import BenchError
from bench.indexes import INDEXES, find, own
from bench.indexes import presets as surveyed
from bench.indexes.engine import how_to_install, installed_version
from bench.present.text import Layout
from bench.study.spec import experiment


def datasets() -> list[dict[str, Any]]:
    """The catalogue. `file order` is that of the rows as published: see `Definition`."""
    definitions = {name: read_definition(catalog.find(name)) for name in catalog.names()}
    return [
        {
            "name": name,
            "metric": definition.metric,
            "n": definition.n or definition.parameters.get("n"),
            "d": definition.d or definition.parameters.get("d"),
            "queries": definition.queries or definition.parameters.get("queries"),
            "file order": definition.file_order,
            "comes from": _origin(definition),
            "download": definition.download_size,
            "here": "-"
            if not definition.published
            else "yes"
            if all(map(fetch.is_local, definition.published))
            else "no",
            "licence": definition.licence,
            "citation": definition.citation,
            "source": definition.source,
            "title": definition.title,
        }
        for name, definition in definitions.items()
    ]


def _origin(definition: Definition) -> str:
    if definition.generator:
        return "generator"
    if definition.records or definition.beir:
        return "BENCH_MIRROR"
    return "files" if definition.files else "download (texts)" if definition.texts else "download"


def orders() -> list[dict[str, Any]]:
    """Orders, with their parameters' defaults and why they matter."""
    return [
        {
            "name": name,
            "parameters": " ".join(
                key if value is None else f"{key}={value}"
                for key, value in insertion_orders.parameters(name, {}).items()
            ),
            "about": (order.make.__doc__ or "").partition("\n")[0],
        }
        for name, order in insertion_orders.ORDERS.items()
    ]


def engines() -> list[dict[str, Any]]:
    """Engines, with the version installed, or what installs it; those of packages too."""
    rows = []
    for name in dict.fromkeys([*INDEXES, *own.entry_points()]):
        try:
            engine = INDEXES[name if name in INDEXES else find(name)]
        except BenchError as error:
            rows.append({"name": name, "version": str(error), "about": "by an entry point"})
            continue
        try:
            version = installed_version(engine) or f"not installed: {how_to_install(engine)}"
        except BenchError as error:
            version = str(error)
        rows.append({"name": name, "version": version, "about": engine.about})
    return rows


def own_engines() -> str:
    """Return how to add a user's engine to the listed ones."""
    return (
        "One of your own: `--engines hnswlib,./my_engine.py`, a Python file with build(base, order, metric, params,"
        f" seed), or a package with an entry point in the group {own.GROUP}; bench/README.md has a template."
    )


def experiments() -> list[dict[str, Any]]:
    """Experiments that ship with the package."""
    return [{"name": name, "title": experiment.read_experiment(name)[1].title} for name in experiment.experiments()]


def presets() -> list[dict[str, Any]]:
    """Systems' defaults, `-` for what their sources do not state."""
    return [
        {
            "name": name,
            "system": preset.system,
            **{field: _plain(getattr(preset, field)) for field in surveyed.SURVEYED},
            "metric": _plain(preset.metric),
            "version": preset.version,
            "marked": "*" * bool(preset.doubtful),
            "doubtful": preset.doubtful,
            "note": preset.note,
            "read in": preset.source,
        }
        for name, preset in surveyed.presets().items()
    ]


def notes() -> str:
    """Return notes on single systems, one line each, and the medians of the values that all systems state."""
    presets = surveyed.presets().values()
    lines = [f"* {p.system} is doubtful: {p.doubtful}" for p in presets if p.doubtful]
    lines += [f"{p.system}: {p.note}" for p in presets if p.note]
    return (
        "\n".join(lines)
        + f"\n\nmedians of {len(presets)} systems, of numbers that do not depend on k: "
        + ", ".join(f"{name} {value:g}" for name, value in surveyed.medians().items())
        + "\nM is links of a node on the upper levels, twice as many on level 0;"
        " `bench compare --preset` takes a name, or all"
    )


def _plain(value: Any) -> Any:
    """A number as it is, a rule or name as text, `-` for nothing."""
    return "-" if value is None else value if isinstance(value, int) else str(value)


# Columns that do not fit a terminal next to the others
_WIDE = {"datasets": {"comes from", "download", "title"}, "presets": {"system", "version", "read in"}}
_FOR_PROGRAMS = {"queries", "licence", "citation", "source", "doubtful", "note"}

KINDS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "datasets": datasets,
    "orders": orders,
    "engines": engines,
    "experiments": experiments,
    "presets": presets,
}
# Text below a list, for people only
BELOW: dict[str, Callable[[], str]] = {"presets": notes, "engines": own_engines}


def text(kind: str, rows: Sequence[dict[str, Any]], layout: Layout) -> str:
    """Return the rows of a list as a table with the text below it: the columns that fit, or all for people."""
    left_out = _FOR_PROGRAMS | (set() if layout.wide else _WIDE.get(kind, set()))
    names = [key for key in rows[0] if key not in left_out]
    table = layout.table(names, [[_cell(row[name]) for name in names] for row in rows], len(names))
    more = ["--wide shows more columns."] if not layout.wide and kind in _WIDE else []
    below = [*([BELOW[kind]()] if kind in BELOW else []), *more]
    return "\n\n".join([table, *map(layout.note, below)])


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
