"""Return whether a file is the published one: by its stated checksum, otherwise by that of the first download."""

import hashlib
from pathlib import Path, PurePosixPath

import msgspec

from bench.data import formats
from bench.data.fetch.published import Published, downloads
from bench.data.formats import bigann, texmex
from bench.errors import BenchError

# Formats that show whether a file is whole; the others are text, or need an extra
_OPENED = (".npy", ".npz", ".hdf5", ".h5", *bigann.TYPES, *texmex.TYPES)


class WrongFileError(BenchError):
    """A file that is not the published one; another place may have it."""


class Record(msgspec.Struct):
    """A published file when it was last verified.

    checksums: SHA-256 and the stated one, by algorithm.
    file: its path, bytes and time of change.
    url: the published address.
    unpacked: the members of an archive.
    """

    checksums: dict[str, str]
    file: dict[str, str | int]
    url: str
    unpacked: list[str] = []

    def is_of(self, published: Published) -> bool:
        """Return whether the file has the stated checksum, if there is one."""
        algorithm, _, digest = published.checksum.lower().partition(":")
        return not digest or self.checksums.get(algorithm) == digest


def verify(path: Path, published: Published, where: str, url: str = "") -> str:
    """Return the SHA-256 of a file; raises WrongFileError if it is not the published one.

    A file that has the recorded size and time is not read again. If no checksum is known, the file must open.
    url: where it was just downloaded from; it is deleted if it is wrong.
    """
    record, status = own_record(published, where), path.stat()
    file: dict[str, str | int] = {"path": str(path.absolute()), "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    if record and record.file == file and record.is_of(published):
        return record.checksums["sha256"]
    first = f"sha256:{record.checksums['sha256']}" if record else ""
    algorithm, _, known = (published.checksum.lower() or first).partition(":")
    found = {name: _digest(path, name) for name in {"sha256", algorithm or "sha256"}}
    if known and found[algorithm] != known:
        damage = f"has the {algorithm} checksum {found[algorithm][:12]}..., not {known[:12]}..."
        if not published.checksum:
            damage += f" of the first download; if its publisher has changed it, remove {record_path(published)}"
    else:
        damage = "" if known else _damage(path, published.name)
    if not damage:
        write_record(published, Record(found, file, published.url))
        return found["sha256"]
    if url:
        path.unlink()
        raise WrongFileError(f"{where}: {url} {damage}: it is deleted")
    way_out = "run `bench fetch` again" if path.is_relative_to(downloads()) else "put the right file there"
    raise WrongFileError(f"{where}: {path} {damage}: {way_out}")


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _damage(path: Path, name: str) -> str:
    """Return what shows that a file is not whole, or not the file of that name; otherwise empty."""
    with path.open("rb") as stream:
        start = stream.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return f"is an HTML page, not {name}"
    suffix = PurePosixPath(name).suffix
    try:
        if suffix in _OPENED:
            formats.READERS[suffix](path)
    except BenchError:
        return f"is truncated, or no {suffix} file"
    return ""


def record_path(published: Published) -> Path:
    """Return the path of a file's Record."""
    return downloads() / f"{published.name}.json"


def own_record(published: Published, where: str) -> Record | None:
    """As `read_record`; raises BenchError if it is of another file of the same name."""
    record = read_record(published)
    if record and record.url != published.url and not published.checksum:
        raise BenchError(
            f"{where}: {published.name} is the name of a file that came from {record.url or 'a mirror'}; give this "
            f"one another with `file = ...`, or, if it has only moved, remove {record_path(published)}"
        )
    return record


def read_record(published: Published) -> Record | None:
    """Return the Record of a file; None if it has none that can be read."""
    try:
        return msgspec.json.decode(record_path(published).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def write_record(published: Published, record: Record) -> None:
    """Write the Record of a file, whole or not at all."""
    path = record_path(published)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(record))
        part.replace(path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}; set BENCH_CACHE elsewhere") from None
