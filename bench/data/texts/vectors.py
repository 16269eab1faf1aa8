"""Vectors of texts, written block by block, and joined to one .npy file.

A block is a file that is named by the digest of everything its vectors depend on. So an interrupted run continues after
its last block, and no block of another model or of other texts is used.
"""

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench import cache, digests
from bench.data.formats.npy import npy
from bench.data.texts.lines import Text
from bench.data.texts.models import Encoder
from bench.errors import BenchError, BenchWarning, Log

BLOCK = 256  # texts
_EVERY = 10.0  # seconds between two lines of progress


@dataclass(frozen=True)
class Part:
    """A file of texts, and the file of their vectors.

    texts: returns all of them, from the first, at each call.
    count: of the texts.
    is_queries: models may encode queries in another way.
    may_be_empty: whether a text may get a vector of zeros.
    """

    file: Path
    texts: Callable[[], Iterator[Text]]
    count: int
    output: Path
    is_queries: bool = False
    may_be_empty: bool = False

    @property
    def blocks(self) -> Path:
        """The folder of blocks."""
        return self.output.with_name(f".{self.output.stem}.blocks")


def write(part: Part, encoder: Encoder, key: Mapping[str, Any], log: Log) -> None:
    """Write the vectors of a part; its blocks stay, for the caller to remove once it has recorded the vectors.

    key: plain values that name everything except the texts that the vectors depend on.
    Raises BenchError if a text has no direction under cosine, or its vector is not finite.
    """
    dimension = encoder.record.dimension
    present = sum(file.stat().st_size for file in part.blocks.glob("*.npy"))
    needed = 2 * 4 * dimension * part.count - present  # blocks, and the whole
    cache.check_space(part.output.parent, needed, f"embedding {part.file}", "copy the texts to another disk")
    part.blocks.mkdir(parents=True, exist_ok=True)
    files = list(_write_blocks(part, encoder, key, log))
    joined = part.blocks / "joined.npy"
    with whole(joined) as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (part.count, dimension)}
        np.lib.format.write_array_header_1_0(stream, header)
        for file in files:
            stream.write(np.load(file).tobytes())
    joined.replace(part.output)
    _warn_of_cuts(part, encoder)


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write it whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as stream:
            yield stream
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_blocks(part: Part, encoder: Encoder, key: Mapping[str, Any], log: Log) -> Iterator[Path]:
    """Write the blocks that do not exist; yield the path of every block."""
    done = present = 0
    start = last_log = time.monotonic()
    for texts in _batched(part.texts(), BLOCK):
        named_by = {**key, "is_queries": part.is_queries, "texts": [text.text for text in texts]}
        file = part.blocks / f"{digests.key_digest(named_by)}.npy"
        is_present = file.exists()
        if not is_present:
            if done and done == present:
                log(f"{part.file}: {done:,} of {part.count:,} texts are embedded already")
            with whole(file) as stream:
                stream.write(npy(_encode(texts, encoder, part)))  # np.save does not report a full disk
        done += len(texts)
        present += is_present * len(texts)
        now = time.monotonic()
        if now - last_log >= _EVERY or done == part.count:
            last_log = now
            log(f"{part.file}: {done:,} of {part.count:,} texts, {(done - present) / max(now - start, 1e-9):,.0f}/s")
        yield file


def _encode(texts: list[Text], encoder: Encoder, part: Part) -> np.ndarray:
    """Return (n, dimension) float32 for a block."""
    encode = encoder.queries if part.is_queries else encoder.passages
    vectors = np.ascontiguousarray(encode([text.text for text in texts]), dtype="<f4")
    if vectors.shape != (len(texts), encoder.record.dimension):
        raise BenchError(
            f"model {encoder.record.model!r} returned {vectors.shape} for {len(texts)} texts of "
            f"{encoder.record.dimension} dimensions"
        )
    bad = ~np.isfinite(vectors).all(axis=1)
    if encoder.metric == "cosine" and not part.may_be_empty:
        bad |= ~vectors.any(axis=1)
    if bad.any():
        place = texts[int(np.flatnonzero(bad)[0])].place
        raise BenchError(f"{place}: {encoder.record.model} returns zeros or NaN for the text: remove it")
    return vectors


def _warn_of_cuts(part: Part, encoder: Encoder) -> None:
    """Warn if the model cuts texts."""
    record = encoder.record
    if encoder.tokens is None or record.max_tokens is None:
        return
    prefix = record.query_prefix if part.is_queries else record.passage_prefix
    count = sum(
        length > record.max_tokens
        for texts in _batched(part.texts(), BLOCK)
        for length in encoder.tokens([prefix + text.text for text in texts])
    )
    if count:
        warnings.warn(
            f"{part.file}: {count:,} of {part.count:,} texts are longer than the {record.max_tokens} tokens that "
            f"{record.model} reads, and were cut there",
            BenchWarning,
            stacklevel=2,
        )


def _batched(texts: Iterable[Text], size: int) -> Iterator[list[Text]]:
    iterator = iter(texts)
    while block := list(islice(iterator, size)):
        yield block
