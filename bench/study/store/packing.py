"""What rows of a store hold: packed, and read back where it is what their ids say, so that an edit is noticed."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from bench import digests
from bench.study.outcome import Build, Failure, Outcome
from bench.study.trial import FIELDS, Trial, grouped

_MEASURED = {
    **dict.fromkeys(("order_seconds", "build_seconds", "search_seconds"), float),
    **dict.fromkeys(("order_bytes", "build_bytes", "search_bytes"), int | None),
    "ids_sha256": str,
}

Scores = dict[str, np.ndarray]  # by measure (q,) float32, as an Outcome has them


class DamagedError(Exception):
    """What is wrong with a row."""


def content_id(content: Any) -> str:
    """The id of plain values, or of a struct of them."""
    return digests.key_digest(msgspec.to_builtins(content))[:32]


def packed_hits(hits: np.ndarray) -> bytes:
    """Hits a query: uint16, little-endian."""
    return hits.astype("<u2").tobytes()


def packed_scores(scores: Scores) -> tuple[str, bytes]:
    """Id and content of retrieval scores: MessagePack, by measure float32, little-endian; '' where there are none."""
    if not scores:
        return "", b""
    content = msgspec.msgpack.encode({name: values.astype("<f4").tobytes() for name, values in scores.items()})
    return _scores_id(content), content


def scores(key: str, content: Any) -> Scores:
    """The scores of a row."""
    if not isinstance(content, bytes) or _scores_id(content) != key:
        raise DamagedError(f"scores {key} are not what was stored")
    packed = msgspec.msgpack.decode(content, type=dict[str, bytes])
    return {name: np.frombuffer(blob, dtype="<f4") for name, blob in packed.items()}


def packed_groups(groups: np.ndarray | None) -> bytes | None:
    """Numbers of the groups of queries: uint32, little-endian; None where there are none."""
    return None if groups is None else groups.astype("<u4").tobytes()


def groups(key: str, content: Any) -> np.ndarray | None:
    """The query groups of a row of a dataset, numbered from 0."""
    if content is None:
        return None
    whole = isinstance(content, bytes) and len(content) % 4 == 0
    codes = np.frombuffer(content if whole else b"", dtype="<u4").astype(np.int64)
    if len(codes) == 0 or codes.max() >= len(codes) or np.bincount(codes).min() == 0:
        raise DamagedError(f"the query groups of dataset {key} are not what was stored")
    codes.flags.writeable = False  # one array for all outcomes
    return codes


def environment(key: str, content: Any) -> dict[str, Any]:
    """The environment of a row."""
    try:
        stated = json.loads(content)
    except (ValueError, TypeError, RecursionError):
        stated = None
    if not isinstance(stated, dict) or content_id(stated) != key:
        raise DamagedError(f"environment {key} is not what was stored")
    return stated


def outcome(
    row: Mapping[str, Any],
    environments: Callable[[str], dict[str, Any]],
    scores_of: Callable[[str], Scores],
    groups_of: Callable[[str], np.ndarray | None],
) -> Outcome:
    """The Outcome of a row of an outcome with its build and dataset. environments, scores_of, groups_of: by id."""
    where = f"outcome {row['key']}"
    trial = grouped({name: row[name] for name in FIELDS})
    if trial.key != row["key"]:
        raise DamagedError(f"{where} states another trial than was stored, or its build or dataset is not there")
    for name, kind in _MEASURED.items():
        if not isinstance(row[name], kind):
            raise DamagedError(f"{where} has {row[name]!r} for {name}")
    retrieval, retrieval_exact = (
        scores_of(row[name]) if row[name] else {} for name in ("retrieval", "retrieval_exact")
    )
    if any(len(values) != trial.data.queries for of_one in (retrieval, retrieval_exact) for values in of_one.values()):
        raise DamagedError(f"{where} has scores of other queries")
    query_groups = groups_of(row["dataset_id"])
    if query_groups is not None and len(query_groups) != trial.data.queries:
        raise DamagedError(f"{where} has query groups of other queries than its {trial.data.queries}")
    return Outcome(
        trial=trial,
        build=Build(
            id=row["id"],
            order_seconds=row["order_seconds"],
            build_seconds=row["build_seconds"],
            order_bytes=row["order_bytes"],
            build_bytes=row["build_bytes"],
            environment=environments(row["environment"]),
        ),
        hits=_hits(row["hits"], trial, f"{where} has hits"),
        hits_tie=_hits(row["hits_tie"], trial, f"{where} has hits_tie"),
        ids_sha256=row["ids_sha256"],
        search_seconds=row["search_seconds"],
        search_bytes=row["search_bytes"],
        retrieval=retrieval,
        retrieval_exact=retrieval_exact,
        query_groups=query_groups,
    )


def failure(key: str, trial: Any, reason: Any) -> Failure:
    """The Failure of a row, its trial as JSON."""
    try:
        read = msgspec.json.decode(trial, type=Trial)
    except (msgspec.MsgspecError, TypeError, UnicodeError):
        read = None
    if read is None or read.key != key or not isinstance(reason, str):
        raise DamagedError(f"failure {key} states another trial than was stored")
    return Failure(trial=read, reason=reason)


def packed_profile(profile: Mapping[str, np.ndarray]) -> bytes:
    """What geometry says of a dataset: MessagePack, by name a type and its values."""
    return msgspec.msgpack.encode({name: [a.dtype.str, a.tobytes()] for name, a in profile.items()})


def profile(content: Any) -> dict[str, np.ndarray]:
    """The arrays of a packed profile."""
    try:
        packed = msgspec.msgpack.decode(content, type=dict[str, tuple[str, bytes]])
        return {name: np.frombuffer(values, dtype=kind) for name, (kind, values) in packed.items()}
    except (msgspec.MsgspecError, TypeError, ValueError):
        raise DamagedError("the profile of a dataset is not what was stored") from None


def _hits(blob: Any, trial: Trial, where: str) -> np.ndarray:
    """(q,) int64 hits a query."""
    if not isinstance(blob, bytes) or len(blob) != 2 * trial.data.queries:
        raise DamagedError(f"{where} of other queries than its {trial.data.queries}")
    hits = np.frombuffer(blob, dtype="<u2").astype(np.int64)
    if hits.max(initial=0) > trial.search.k:
        raise DamagedError(f"{where} beyond k = {trial.search.k}")
    return hits


def _scores_id(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
