"""What identifies an outcome."""

from typing import Any

import msgspec

from bench import digests


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an outcome depends on. Its hash is the key in the store."""

    dataset: str
    fingerprint: str
    judgements: str = ""  # digest of the relevance judgements, where the dataset has them
    metric: str
    n: int
    d: int
    queries: int
    libraries: str  # what truth, neighbours and orders come from, with versions, and a digest of our own code
    engine: str
    engine_version: str
    engine_binary: str = ""  # digest of its compiled files
    M: int
    ef_construction: int
    chunk: int
    threads: int
    order: str
    order_params: str  # JSON, keys sorted
    order_seed: int
    build_seed: int
    ef_search: int
    k: int

    @property
    def key(self) -> str:
        """SHA-256 over all fields, hexadecimal."""
        fields = msgspec.structs.asdict(self)
        for name in ("judgements", "engine_binary"):  # so that trials without any keep the key that they always had
            if not fields[name]:
                del fields[name]
        return digests.key_digest(fields)

    @property
    def build(self) -> tuple[Any, ...]:
        """What the index depends on: all but ef_search and k. One build serves every trial that has the same."""
        return msgspec.structs.astuple(self)[:-2]
