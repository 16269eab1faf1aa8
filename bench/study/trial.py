"""The fields that identify an outcome, in groups: store columns, table settings and order labels derive from them.

Field names are unique over all groups, and are the names of columns in the store, in exports and in baselines.
"""

from typing import Any

import msgspec

from bench import digests

ALL_ROWS = 0  # a `chunk`: every row in one call


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The data to index and search.

    dataset: its name.
    fingerprint: digest of its arrays.
    judgements: digest of its relevance judgements, empty if it has none.
    """

    dataset: str
    fingerprint: str
    judgements: str = ""
    metric: str
    n: int
    d: int
    queries: int


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The engine and the parameters that shape its graph.

    chunk: rows a call; ALL_ROWS for all in one.
    engine_params: the engine's own parameters, as JSON with sorted keys.
    """

    engine: str
    M: int
    ef_construction: int
    chunk: int = 1
    threads: int = 1
    engine_params: str = "{}"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The order of insertion.

    order_params: all its parameters, as JSON with sorted keys.
    order_code: digest of the code that makes it.
    """

    order: str
    order_params: str = "{}"
    order_code: str = ""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of every query."""

    k: int
    ef_search: int


class Seeds(msgspec.Struct, frozen=True, kw_only=True):
    """Replication: order_seed draws the order, build_seed what the engine draws."""

    order_seed: int
    build_seed: int


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The software that built and scored, the same for every order.

    engine_version: of the engine's package.
    engine_binary: digest of its compiled files, empty if its installation recorded none.
    libraries: the libraries that compute neighbours and scores, with versions.
    code: digest of the code of this program that took part: neighbours, this engine's adapter, scoring.
    """

    engine_version: str
    engine_binary: str = ""
    libraries: str = ""
    code: str = ""


class TrialSetting(msgspec.Struct, frozen=True, kw_only=True):
    """The setting that trials share if they differ in order and seeds only, so that they can be compared."""

    data: Data
    index: Index
    search: Search
    provenance: Provenance


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an outcome depends on. Its `key` is the key in the store."""

    data: Data
    index: Index
    order: Order
    search: Search
    seeds: Seeds
    provenance: Provenance

    @property
    def key(self) -> str:
        """SHA-256 over all groups, hexadecimal, without CODE and without fields at their defaults.

        So a field that is added later, with a default, leaves the keys of stored outcomes as they are.
        """
        return digests.key_digest({name: _identifying(getattr(self, name)) for name in GROUPS})

    @property
    def build(self) -> str:
        """SHA-256 over what the index depends on, all but the search: one build serves every trial with the same."""
        return digests.key_digest({name: _identifying(getattr(self, name)) for name in GROUPS if name != "search"})

    @property
    def code(self) -> tuple[str, str]:
        """The digests of code that took part: of the order, and of all else. An outcome of other code is stale."""
        return self.order.order_code, self.provenance.code

    @property
    def setting(self) -> TrialSetting:
        """The trial without its order and seeds."""
        return TrialSetting(data=self.data, index=self.index, search=self.search, provenance=self.provenance)


GROUPS: dict[str, type[msgspec.Struct]] = {field.name: field.type for field in msgspec.structs.fields(Trial)}
FIELDS: dict[str, type] = {
    field.name: field.type for group in GROUPS.values() for field in msgspec.structs.fields(group)
}
# What identifies, and is nothing that people read
DIGESTS = ("fingerprint", "judgements", "order_code", "engine_binary", "libraries", "code")
CODE = ("order_code", "code")  # digests of our code, which are no part of a key
_GROUP_OF = {field.name: name for name, group in GROUPS.items() for field in msgspec.structs.fields(group)}


def _identifying(group: msgspec.Struct) -> dict[str, Any]:
    """The fields of a group that are part of a key."""
    fields = {field.name: field.default for field in msgspec.structs.fields(group) if field.name not in CODE}
    return {name: value for name, default in fields.items() if (value := getattr(group, name)) != default}


def flat_fields(groups: Trial | TrialSetting) -> dict[str, Any]:
    """The fields of all groups by name."""
    return {
        name: value
        for group in msgspec.structs.astuple(groups)
        for name, value in msgspec.structs.asdict(group).items()
    }


def grouped(fields: dict[str, Any]) -> Trial:
    """The Trial of fields by name: `flat_fields` undone."""
    groups: dict[str, Any] = {
        name: group(**{field: fields[field] for field in group.__struct_fields__}) for name, group in GROUPS.items()
    }
    return Trial(**groups)


def changed(trial: Trial, **fields: Any) -> Trial:
    """The trial with other values of these fields."""
    by_group: dict[str, dict[str, Any]] = {}
    for name, value in fields.items():
        by_group.setdefault(_GROUP_OF[name], {})[name] = value
    groups = {name: msgspec.structs.replace(getattr(trial, name), **values) for name, values in by_group.items()}
    return msgspec.structs.replace(trial, **groups)
