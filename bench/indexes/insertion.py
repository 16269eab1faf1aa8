"""How rows enter an engine: in calls of `chunk` rows, moved a little by the build seed if it draws nothing itself."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from bench.indexes.engine import Params

Chunk = int | Literal["all"]  # rows per call


class JitteredParams(Params, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of an engine that draws nothing from a seed, or always the same.

    jitter: the build seed moves each row by fewer than so many places, so that builds differ as by levels; 1 leaves the
        order as it is.
    """

    jitter: int = 8


def check_jitter(params: JitteredParams) -> None:
    """Raises ValueError if `jitter` is less than 1."""
    if params.jitter < 1:
        raise ValueError(f"jitter = {params.jitter}: give at least 1, which leaves the order as it is")


def jittered(order: np.ndarray, jitter: int, seed: int) -> np.ndarray:
    """The order (n,) with each row moved by fewer than `jitter` places: sorted by place plus a draw from [0, jitter).

    The rows that follow do not change how a seed moves the first rows, except the last `jitter` of these.
    """
    draws = np.random.default_rng([seed, *b"jitter"]).random(len(order))
    return order[np.argsort(np.arange(len(order)) + jitter * draws, kind="stable")]


def calls(order: np.ndarray, chunk: Chunk) -> Iterator[np.ndarray]:
    """The rows of every call, (chunk,) or fewer in the last."""
    rows = len(order) if chunk == "all" else chunk
    for start in range(0, len(order), rows):
        yield order[start : start + rows]
