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
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from bench import cache, digests
from bench.data.texts.models import Encode, Encoder
from bench.errors import BenchError, BenchWarning, Log

BLOCK = 256  # texts between two writes to disk
_EVERY = 10.0  # seconds between two lines of progress


@dataclass(frozen=True)
class Part:
    """A file of texts, and where their vectors go.

    file: of the texts.
    texts: gives all of them, from the first, at every call.
    count: how many there are.
    output: the file of the vectors.
    is_queries: whether the texts are queries, which models may encode in another way.
    may_be_empty: whether a text may get a vector of zeros, which whoever reads them replaces.
    line: of the file, where a text begins, by its number from 0.
    """

    file: Path
    texts: Callable[[], Iterator[str]]
    count: int
    output: Path
    is_queries: bool = False
    may_be_empty: bool = False
    line: Callable[[int], int] = lambda number: number + 1


def write(
    parts: list[Part],
    encoder: Encoder,
    manifest: Path,
    settings: dict[str, Any],
    of_texts: Mapping[str, str],
    log: Log,
    finished: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Write the vectors of every part that is not whole yet; the SHA-256 of each, by its file's name.

    manifest: beside the vectors, to be removed by the caller once it has recorded them. settings: plain values that
    name everything the vectors of all parts depend on. of_texts: SHA-256 of the texts of each, by the name of its
    vectors' file; what an unfinished run of others has written is written again. finished: as what is returned, of
    parts known to be whole.
    """
    settings = {**settings, "block": BLOCK}
    state = _read_manifest(manifest)
    before = state.get("texts", {}) if state.get("settings") == settings else {}
    others = [part for part in parts if before.get(part.output.name) != of_texts[part.output.name]]
    _clear([part for part in others if part.output.name not in finished], state, log)
    by_name = {**state.get("finished", {}), **finished}
    for part in others:
        if part.output.name not in finished:
            by_name.pop(part.output.name, None)
    state = {"settings": settings, "texts": dict(of_texts), "finished": by_name}
    missing = [part for part in parts if not _is_whole(part.output, by_name)]
    needed = sum(_missing_bytes(part, encoder.dimension) for part in missing)
    what = f"writing the vectors of {parts[0].file}"
    cache.check_space(manifest.parent, needed, what, "copy the texts to another disk")
    try:
        manifest.parent.mkdir(exist_ok=True)
        write_whole(manifest, json.dumps(state).encode())
        for part in missing:
            _write_part(part, encoder, log)
            by_name[part.output.name] = digests.file_digest(part.output)
            write_whole(manifest, json.dumps(state).encode())
    except OSError:
        _remove_traces(parts, manifest)
        raise
    return by_name


def _is_whole(file: Path, by_name: Mapping[str, str]) -> bool:
    """Whether a file of vectors is the one that is recorded as whole."""
    return file.is_file() and digests.file_digest(file) == by_name.get(file.name)


def _missing_bytes(part: Part, dimension: int) -> int:
    """What is still to be written of a part."""
    unfinished = _unfinished_path(part.output)
    size = unfinished.stat().st_size if unfinished.exists() else 0
    whole = len(_header(part, dimension)) + 4 * dimension * part.count
    return whole - _whole_blocks(size, part, dimension)[1]


def _remove_traces(parts: list[Part], manifest: Path) -> None:
    """Remove the manifest, and the folder if it is empty, where no vectors were written."""
    if not any(file.exists() for part in parts for file in (part.output, _unfinished_path(part.output))):
        with suppress(OSError):
            manifest.unlink(missing_ok=True)
            manifest.parent.rmdir()


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all."""
    part = _unfinished_path(path)
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _clear(parts: list[Part], state: dict[str, Any], log: Log) -> None:
    """Remove what an unfinished run left, by its manifest's state; a BenchError for vectors that it did not write."""
    for part in parts:
        file = part.output
        if file.exists() and file.name not in state.get("finished", {}):
            raise BenchError(f"{file} exists, and nothing records what wrote it: remove it, or give --name another")
    if state and any(_unfinished_path(part.output).exists() or part.output.exists() for part in parts):
        log(f"{parts[0].output.parent}: an unfinished run was of another model, texts or libraries; starting again")
    for part in parts:
        _unfinished_path(part.output).unlink(missing_ok=True)
        part.output.unlink(missing_ok=True)


def _write_part(part: Part, encoder: Encoder, log: Log) -> None:
    """Write the vectors of a part, going on after the last whole block of an unfinished file."""
    unfinished = _unfinished_path(part.output)
    try:
        with unfinished.open("ab") as stream:
            _lock(stream, unfinished)
            _write_blocks(stream, part, encoder, log)
            unfinished.replace(part.output)
    except OSError:  # as on a full disk: what is whole is left to go on from
        _cut(unfinished, part, encoder.dimension)
        raise
    _warn_of_cuts(part, encoder)


def _write_blocks(stream: BinaryIO, part: Part, encoder: Encoder, log: Log) -> None:
    first = done = _resume(stream, part, encoder.dimension)
    if first:
        log(f"{part.file}: going on after {first:,} of {part.count:,} texts")
    start = last_log = time.monotonic()
    for texts in _blocks(islice(part.texts(), first, None)):
        stream.write(_encode(texts, encoder, part, done).tobytes())
        stream.flush()
        os.fsync(stream.fileno())
        done += len(texts)
        now = time.monotonic()
        if now - last_log >= _EVERY or done == part.count:
            last_log = now
            rate = (done - first) / max(now - start, 1e-9)
            log(f"{part.file}: {done:,} of {part.count:,} texts, {rate:,.0f} a second")


def _resume(stream: BinaryIO, part: Part, dimension: int) -> int:
    """Cut an unfinished file off after its last whole block; the number of texts whose vectors it has."""
    done, size = _whole_blocks(stream.tell(), part, dimension)
    stream.truncate(size)
    if not done:
        stream.write(_header(part, dimension))
    return done


def _cut(unfinished: Path, part: Part, dimension: int) -> None:
    """Cut an unfinished file off after its last whole block; remove it if it has none."""
    with suppress(OSError):
        done, size = _whole_blocks(unfinished.stat().st_size, part, dimension)
        if done:
            os.truncate(unfinished, size)
        else:
            unfinished.unlink()


def _whole_blocks(size: int, part: Part, dimension: int) -> tuple[int, int]:
    """Of an unfinished file of so many bytes: the texts in whole blocks, and the bytes that these take; or none."""
    header, row = len(_header(part, dimension)), 4 * dimension
    done = max(0, size - header) // (row * BLOCK) * BLOCK
    return done, header + done * row if done else 0


def _header(part: Part, dimension: int) -> bytes:
    """What the .npy file of a part begins with."""
    header = io.BytesIO()
    description = {"descr": "<f4", "fortran_order": False, "shape": (part.count, dimension)}
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


def _lock(stream: BinaryIO, file: Path) -> None:
    """Keep other runs from the file for as long as it is open."""
    from filelock import lock_descriptor

    if not lock_descriptor(stream.fileno(), blocking=False):
        raise BenchError(f"{file} is being written by another run: wait for that one, or give --name another")
    if not file.exists():  # that run has just finished
        raise BenchError(f"{file} was finished by another run: run this one again")


def _warn_of_cuts(part: Part, encoder: Encoder) -> None:
    """A warning if the model cuts texts off."""
    if encoder.tokens is None or encoder.max_tokens is None:
        return
    prefix = encoder.query_prefix if part.is_queries else encoder.passage_prefix
    count = sum(
        length > encoder.max_tokens
        for texts in _blocks(part.texts())
        for length in encoder.tokens([prefix + text for text in texts])
    )
    if count:
        warnings.warn(
            f"{part.file}: {count:,} of {part.count:,} texts are longer than the {encoder.max_tokens} tokens that "
            f"{encoder.model} reads, and were cut there",
            BenchWarning,
            stacklevel=2,
        )


def _encode(texts: list[str], encoder: Encoder, part: Part, done: int) -> np.ndarray:
    """(n, dimension) float32 of a block after `done` texts of a part, or a BenchError for a text without one."""
    encode: Encode = encoder.queries if part.is_queries else encoder.passages
    vectors = np.ascontiguousarray(encode(texts), dtype="<f4")
    if vectors.shape != (len(texts), encoder.dimension):
        raise BenchError(
            f"model {encoder.model!r} gave {vectors.shape} for {len(texts)} texts of {encoder.dimension} dimensions"
        )
    bad = ~np.isfinite(vectors).all(axis=1)
    if encoder.metric == "cosine" and not part.may_be_empty:
        bad |= ~vectors.any(axis=1)
    if bad.any():
        line = part.line(done + int(np.flatnonzero(bad)[0]))
        raise BenchError(
            f"{part.file}: line {line}: {encoder.model} gives the text no direction (zeros or NaN): remove it"
        )
    return vectors


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while block := list(islice(iterator, BLOCK)):
        yield block


def _unfinished_path(file: Path) -> Path:
    return file.with_name(f".{file.name}.part")


def _read_manifest(manifest: Path) -> dict[str, Any]:
    """The state that an unfinished run has recorded; empty if there is none."""
    try:
        state = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
