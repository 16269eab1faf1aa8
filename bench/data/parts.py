"""The parts of a dataset, and the file or array that each comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from bench.data.dataset import Judgements, warn_left_out
from bench.data.formats import Place
from bench.data.formats.array import FileArray


@dataclass(frozen=True)
class Parts:
    """The parts of a dataset, as somebody gives them or as a file states them.

    base: vectors in a file or in memory, or a dataset by its name or TOML file.
    queries: None to hold rows of the base out.
    labels: one per row of the base.
    neighbors: the nearest base rows of each query, to be verified.
    query_groups: one label per query: queries of one label are not independent of each other.
    judgements: what is relevant to the queries.
    metric: `l2`, `cosine` or `ip`.
    limit: the most rows of the base to take, drawn by seed.
    name: its name in results.
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
        """Return the parts at these places."""
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
        """Return the stated parts, with these in the place of their own.

        Stated parts that belong to other queries or to another metric are left out, with a BenchWarning for each.
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
    """Return the name of a place in an error."""
    return place.where if isinstance(place, FileArray) else str(place)


def is_named(place: Place) -> bool:
    """Return whether somebody names an array; otherwise it comes along in the file of another."""
    return not isinstance(place, FileArray) or place.in_memory
