"""Vectors of texts, written block by block under another name until they are whole.

A manifest names everything the vectors depend on, so that an interrupted run goes on after its last whole block.
Batches never cross blocks: a run that was interrupted gives the same vectors as one that was not.
"""

import io
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from bench.data.texts.models import Encode, Encoder
from bench.digests import file_digest
from bench.errors import BenchError, BenchWarning

BLOCK = 256  # texts between two writes to disk
_EVERY = 10.0  # seconds between two lines of progress

Told = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """One file of texts, read anew by every call of `texts`, its number of texts, and where its vectors go.

    may_be_empty: whether a text may get a vector of zeros, for who reads them to mend.
    """

    file: Path
    texts: Callable[[], Iterator[str]]
    count: int
    output: Path
    is_queries: bool = False
    may_be_empty: bool = False


def write(
    parts: list[Part],
    made: Encoder,
    manifest: Path,
    made_with: dict[str, Any],
    told: Told,
    there: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Write the vectors of every part that is not whole yet; the SHA-256 of each, by its file's name.

    manifest: beside the vectors, to be removed by the caller once it has recorded them. made_with: plain values that
    name everything the vectors depend on; what an unfinished run made with others is begun anew. there: as what is
    given back, of parts known to be whole.
    """
    manifest.parent.mkdir(exist_ok=True)
    made_with = {**made_with, "block": BLOCK}
    begun = _read_manifest(manifest)
    if begun.get("made_with") != made_with:
        _clear([part for part in parts if part.output.name not in there], begun, told)
        begun = {"made_with": made_with, "finished": dict(there)}
        write_whole(manifest, json.dumps(begun))
    finished: dict[str, str] = begun["finished"]
    for part in parts:
        file = part.output
        if file.name not in finished or not file.is_file() or file_digest(file) != finished[file.name]:
            _write_part(part, made, told)
            finished[file.name] = file_digest(file)
            write_whole(manifest, json.dumps(begun))
    return finished


def write_whole(path: Path, content: str) -> None:
    """Write a text file whole or not at all."""
    part = _unfinished(path)
    part.write_text(content, encoding="utf-8")
    part.replace(path)


def _clear(parts: list[Part], begun: dict[str, Any], told: Told) -> None:
    """Remove what the unfinished run of the manifest `begun` left; a BenchError for vectors that it did not make."""
    for part in parts:
        file = part.output
        if file.exists() and file.name not in begun.get("finished", {}):
            raise BenchError(f"{file} is there, and nothing tells what made it: remove it, or give --name another")
    if begun:
        told(f"{parts[0].output.parent}: an unfinished run was of another model, texts or libraries; begun anew")
    for part in parts:
        _unfinished(part.output).unlink(missing_ok=True)
        part.output.unlink(missing_ok=True)


def _write_part(part: Part, made: Encoder, told: Told) -> None:
    """Write the vectors of a part, going on after the last whole block of an unfinished file."""
    unfinished = _unfinished(part.output)
    encode = made.queries if part.is_queries else made.passages
    head = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (part.count, made.dimension)}
    np.lib.format.write_array_header_1_0(head, header)
    row = 4 * made.dimension
    start = time.monotonic()
    said = start
    with unfinished.open("ab") as stream:
        _lock(stream, unfinished)
        size = stream.tell()
        begun = done = max(0, size - len(head.getvalue())) // (row * BLOCK) * BLOCK
        if done:
            told(f"{part.file}: going on after {done:,} of {part.count:,} texts")
            stream.truncate(len(head.getvalue()) + done * row)
        else:
            stream.truncate(0)
            stream.write(head.getvalue())
        for texts in _blocks(islice(part.texts(), done, None)):
            stream.write(_encoded(encode, texts, made, part, done).tobytes())
            stream.flush()
            os.fsync(stream.fileno())
            done += len(texts)
            now = time.monotonic()
            if now - said >= _EVERY or done == part.count:
                said = now
                rate = (done - begun) / max(now - start, 1e-9)
                told(f"{part.file}: {done:,} of {part.count:,} texts, {rate:,.0f} a second")
        unfinished.replace(part.output)
    _tell_cut(part, made)


def _lock(stream: BinaryIO, file: Path) -> None:
    """Keep other runs from the file for as long as it is open."""
    from filelock import lock_descriptor

    if not lock_descriptor(stream.fileno(), blocking=False):
        raise BenchError(f"{file} is being written by another run: wait for that one, or give --name another")
    if not file.exists():  # that run has just finished
        raise BenchError(f"{file} was finished by another run: run this one again")


def _tell_cut(part: Part, made: Encoder) -> None:
    """A warning where the model cuts texts off."""
    if made.tokens is None or made.max_tokens is None:
        return
    prefix = made.query_prefix if part.is_queries else made.passage_prefix
    cut = sum(
        length > made.max_tokens
        for texts in _blocks(part.texts())
        for length in made.tokens([prefix + t for t in texts])
    )
    if cut:
        warnings.warn(
            f"{part.file}: {cut:,} of {part.count:,} texts are longer than the {made.max_tokens} tokens that "
            f"{made.model} reads, and were cut there",
            BenchWarning,
            stacklevel=2,
        )


def _encoded(encode: Encode, texts: list[str], made: Encoder, part: Part, done: int) -> np.ndarray:
    """(n, dimension) float32 of a block after `done` texts of a part, or a BenchError for a text without one."""
    vectors = np.ascontiguousarray(encode(texts), dtype="<f4")
    if vectors.shape != (len(texts), made.dimension):
        raise BenchError(
            f"model {made.model!r} gave {vectors.shape} for {len(texts)} texts of {made.dimension} dimensions"
        )
    bad = ~np.isfinite(vectors).all(axis=1)
    if made.metric == "cosine" and not part.may_be_empty:
        bad |= ~vectors.any(axis=1)
    if bad.any():
        line = done + int(np.flatnonzero(bad)[0]) + 1
        raise BenchError(
            f"{part.file}: line {line}: {made.model} gives the text no direction (zeros or NaN): remove it"
        )
    return vectors


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while block := list(islice(iterator, BLOCK)):
        yield block


def _unfinished(file: Path) -> Path:
    return file.with_name(f".{file.name}.part")


def _read_manifest(manifest: Path) -> dict[str, Any]:
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
