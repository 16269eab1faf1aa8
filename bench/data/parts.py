"""The parts of a dataset, and where each comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from bench.data.dataset import Judgements, warn_left_out
from bench.data.formats import Place
from bench.data.formats.array import FileArray


@dataclass(frozen=True)
class Parts:
    """The parts of a dataset: those that somebody names, those that a file states, or the first over the second.

    base: vectors in a file or in memory, or a dataset by its name or TOML file.
    queries: None to hold rows of the base out.
    labels: one per row of the base.
    neighbors: the nearest base rows of each query, to be verified.
    query_groups: one label per query: queries of one label are not independent of each other.
    judgements: what is relevant to the queries.
    metric: `l2`, `cosine` or `ip`.
    limit: the most rows of the base, drawn by seed.
    name: what results call it.
    """

    base: str | Place
    queries: Place | None = None
    labels: Place | None = None
    neighbors: Place | None = None
    query_groups: Place | None = None
    judgements: Judgements | None = None
    metric: str | None = None
    limit: int | None = None
    name: str = ""

    @classmethod
    def of(cls, places: Mapping[str, Place], metric: str, name: str) -> "Parts":
        """The parts that have places by these names."""
        return cls(
            places["base"],
            places.get("queries"),
            places.get("labels"),
            places.get("neighbors"),
            places.get("query_groups"),
            metric=metric,
            name=name,
        )

    def over(self, stated: "Parts") -> "Parts":
        """What is stated, with these parts in place of its own.

        A BenchWarning names what belongs to stated queries or to a stated metric, and is left out with these.
        """
        given = {field.name: value for field in fields(self) if (value := getattr(self, field.name))}
        for part in ("neighbors", "query_groups", "judgements"):
            belongs_to = "other queries" if self.queries else ""
            if part == "neighbors" and not self.queries and self.metric not in (None, stated.metric):
                belongs_to = f"the metric {stated.metric}"
            if belongs_to and part not in given and (value := getattr(stated, part)) is not None:
                warn_left_out(stated.name if part == "judgements" else where(value), part, belongs_to)
                given[part] = None
        return replace(stated, **given | {"base": stated.base})


def where(place: Place) -> str:
    """The place that an error names."""
    return place.where if isinstance(place, FileArray) else str(place)


def is_named(place: Place) -> bool:
    """Whether somebody names an array, rather than a file that has others too brings it along."""
    return not isinstance(place, FileArray) or place.in_memory
