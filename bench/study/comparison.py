"""Orders compared on one dataset: somebody's own files, or one of the catalogue."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.data import catalog, formats
from bench.data.dataset import limit
from bench.data.from_files import Replacement, from_files
from bench.errors import Log
from bench.study.experiment import Experiment, check
from bench.study.study import Study


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where vectors come from.

    base: a file of vectors, or a dataset by its name or TOML file.
    queries, labels, neighbors, metric: what takes the place of what that states, or of what it lacks.
    rows: at most so many rows of the base, drawn by seed.
    """

    base: str
    queries: Path | None = None
    labels: Path | None = None
    neighbors: Path | None = None
    metric: str | None = None
    rows: int | None = None


def comparison(
    source: Source,
    *,
    orders: Sequence[str | dict[str, Any]],
    index: Sequence[dict[str, Any]],
    k: int,
    ef_search: Sequence[int],
    build_seeds: int,
    log: Log,
) -> Study:
    """The Study of orders on one dataset, named after it. What is wrong whatever the data is said before it is read."""
    base = source.base
    stem = base if base in catalog.names() else formats.split(Path(base))[0].stem
    experiment = Experiment(
        title=f"Orders compared on {base}",
        datasets=[stem],
        orders=list(orders),
        index=list(index),
        k=k,
        ef_search=list(ef_search),
        build_seeds=build_seeds,
    )
    name = f"compare-{stem}"
    check(experiment, name)
    if catalog.is_file(base):
        files = (Path(base), source.queries, source.labels, source.metric)
        return Study(name, experiment, [from_files(*files, neighbors=source.neighbors, limit=source.rows, log=log)])
    replacement = Replacement(source.queries, source.labels, source.neighbors, source.metric)
    dataset = catalog.load(base, replacement=replacement)
    return Study(name, experiment, [limit(dataset, source.rows) if source.rows else dataset])
