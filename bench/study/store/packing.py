"""The contents of a store's rows, packed and read back."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from bench import digests
from bench.study.outcome import Build, Facts, Failure, Outcome
from bench.study.trial import FIELDS, Trial, grouped

Scores = dict[str, np.ndarray]  # by measure (q,) float32, as an Outcome has them


class DamagedError(Exception):
    """A row is damaged; the message names the fault."""


def content_id(content: Any) -> str:
    """The id of plain values, or of a struct of them."""
    return digests.key_digest(msgspec.to_builtins(content))[:32]


def packed_hits(hits: np.ndarray) -> bytes:
    """Hits a query: uint16, little-endian."""
    return hits.astype("<u2").tobytes()


def packed_scores(scores: Scores) -> tuple[str, bytes]:
    """Return id and content of retrieval scores: MessagePack, per measure float32, little-endian; '' without scores."""
    if not scores:
        return "", b""
    content = msgspec.msgpack.encode({name: values.astype("<f4").tobytes() for name, values in scores.items()})
    return _scores_id(content), content


def scores(key: str, content: bytes) -> Scores:
    """The scores of a row."""
    packed = msgspec.msgpack.decode(content, type=dict[str, bytes])
    return {name: np.frombuffer(blob, dtype="<f4") for name, blob in packed.items()}


def packed_groups(groups: np.ndarray | None) -> bytes | None:
    """Return the group numbers of the queries: uint32, little-endian; None without groups."""
    return None if groups is None else groups.astype("<u4").tobytes()


def groups(key: str, content: bytes | None) -> np.ndarray | None:
    """The query groups of a row of a dataset, numbered from 0."""
    if content is None:
        return None
    codes = np.frombuffer(content, dtype="<u4").astype(np.int64)
    codes.flags.writeable = False  # one array for all outcomes
    return codes


def environment(key: str, content: str) -> dict[str, Any]:
    """The environment of a row."""
    stated: dict[str, Any] = json.loads(content)
    return stated


def outcome(
    row: Mapping[str, Any],
    environments: Callable[[str], dict[str, Any]],
    scores_of: Callable[[str], Scores],
    groups_of: Callable[[str], np.ndarray | None],
    facts_of: Callable[[str], Facts],
) -> Outcome:
    """The Outcome of a row of an outcome with its build and dataset. environments, scores_of, groups_of: by id.

    facts_of: by the id of a build or the key of an outcome.
    """
    trial = grouped({name: row[name] for name in FIELDS})
    if trial.key != row["key"]:
        raise DamagedError(f"outcome {row['key']} states another trial, or its build or dataset is missing")
    retrieval, retrieval_exact = (
        scores_of(row[name]) if row[name] else {} for name in ("retrieval", "retrieval_exact")
    )
    query_groups = groups_of(row["dataset_id"])
    return Outcome(
        trial=trial,
        build=Build(
            id=row["id"],
            order_seconds=row["order_seconds"],
            build_seconds=row["build_seconds"],
            environment=environments(row["environment"]),
            facts=facts_of(row["id"]),
        ),
        hits=_hits(row["hits"], trial),
        hits_tie=_hits(row["hits_tie"], trial),
        ids_sha256=row["ids_sha256"],
        search_seconds=row["search_seconds"],
        retrieval=retrieval,
        retrieval_exact=retrieval_exact,
        query_groups=query_groups,
        facts=facts_of(row["key"]),
    )


def failure(key: str, trial: str, reason: str) -> Failure:
    """The Failure of a row, its trial as JSON."""
    return Failure(trial=msgspec.json.decode(trial, type=Trial), reason=reason)


def packed_profile(profile: Mapping[str, np.ndarray]) -> bytes:
    """Return the geometry figures of a dataset: MessagePack, per name a type and its values."""
    return msgspec.msgpack.encode({name: [a.dtype.str, a.tobytes()] for name, a in profile.items()})


def profile(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a packed profile."""
    packed = msgspec.msgpack.decode(content, type=dict[str, tuple[str, bytes]])
    return {name: np.frombuffer(values, dtype=kind) for name, (kind, values) in packed.items()}


def _hits(blob: bytes, trial: Trial) -> np.ndarray:
    """(q,) int64 hits a query. Raises DamagedError if they are not those of the trial's queries."""
    hits = np.frombuffer(blob, dtype="<u2").astype(np.int64)
    if len(hits) != trial.data.queries:
        raise DamagedError(f"an outcome of {trial.data.dataset} has hits of {len(hits)} queries")
    return hits


def _scores_id(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
