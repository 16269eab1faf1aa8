"""Whether a file is the one that is published: by its stated checksum, else by the one recorded when it first came."""

import hashlib
import json
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data import formats
from bench.data.fetch.published import Published, downloads
from bench.data.formats import bigann, texmex
from bench.errors import BenchError

# What a file of these kinds begins with: where no checksum is known, it tells a file from a server's error page.
_BEGINNINGS = {".hdf5": b"\x89HDF\r\n\x1a\n", ".zip": b"PK", ".npy": b"\x93NUMPY", ".gz": b"\x1f\x8b"}
# Without text, which may be texts to be embedded, and without formats that need an extra
_OPENED = (".npy", ".npz", ".hdf5", ".h5", *bigann.TYPES, *texmex.TYPES)
_LEAST = 0.95  # of the bytes that are stated, which publishers round
_NAMES = {"sha256": "SHA-256", "md5": "MD5"}


class WrongFileError(BenchError):
    """A file that is not the published one, which another place may have."""


def verify(path: Path, published: Published, where: str, url: str = "") -> str:
    """The SHA-256 of a file that is the published one; WrongFileError if it is not.

    What decides is its stated checksum, or, where none is stated, the one recorded when it was first fetched. A file
    whose size and time are as recorded is not read again.
    url: the address of a file that was just downloaded, and will be moved to its place among the downloads.
    """
    algorithm, stated_digest = published.stated_digest
    record = own_record(published, where)
    status = path.stat()
    place = published.download if url else path
    stamp = {"path": str(place.absolute()), "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    if record and record["file"] == stamp and has_stated_digest(record, published):
        return str(record["checksums"]["sha256"])
    subject = f"the download from {url}" if url else str(path)
    in_downloads = path.is_relative_to(downloads())
    remedy = "it is deleted" if url else "run `bench fetch` again" if in_downloads else "put the right file there"
    if not stated_digest:
        _check_content(path, published, record is None, subject, remedy)
    checksums = {name: _digest(path, name) for name in {"sha256", algorithm or "sha256"}}
    if stated_digest and checksums[algorithm] != stated_digest:
        raise WrongFileError(
            f"{subject}: {_NAMES[algorithm]} is {checksums[algorithm][:12]}..., "
            f"{where} states {stated_digest[:12]}...: {remedy}"
        )
    first_digest = record["checksums"]["sha256"] if record else checksums["sha256"]
    if not stated_digest and checksums["sha256"] != first_digest:
        raise WrongFileError(
            f"{subject}: SHA-256 is {checksums['sha256'][:12]}..., when first fetched it was {first_digest[:12]}...: "
            f"{remedy}; if its publisher has changed it, remove {record_path(published)}"
        )
    write_record(published, {"checksums": checksums, "file": stamp, "url": published.url})
    return checksums["sha256"]


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _check_content(path: Path, published: Published, is_first: bool, subject: str, remedy: str) -> None:
    """Raise for a file without a stated checksum that is plainly not whole, or another.

    is_first: no checksum of it is recorded either.
    """
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise WrongFileError(f"{subject} is an HTML page, not {published.name}: {remedy}")
    suffix = PurePosixPath(published.name).suffix
    if not start.startswith(_BEGINNINGS.get(suffix, b"")):
        raise WrongFileError(f"{subject} is not a {suffix} file: {remedy}")
    if not is_first:
        return
    size = path.stat().st_size
    if size < _LEAST * (published.bytes or 0):
        from rich.filesize import decimal

        stated_size = decimal(published.bytes or 0)
        raise WrongFileError(f"{subject} holds {decimal(size)}, not {stated_size} as stated: {remedy}")
    if suffix in _OPENED and not _opens(path, suffix):
        raise WrongFileError(f"{subject} is truncated, or not a {suffix} file that can be read: {remedy}")


def _opens(path: Path, suffix: str) -> bool:
    """Whether a file can be read as one of that suffix, which is not yet that of a download."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"x{suffix}"
        link.symlink_to(path.absolute())
        try:
            formats.READERS[suffix](link)
        except BenchError:
            return False
    return True


def record_path(published: Published) -> Path:
    """The file that records what a published file was when it was verified."""
    return downloads() / f"{published.name}.json"


def own_record(published: Published, where: str) -> dict[str, Any] | None:
    """As `read_record`; a BenchError if it is of another file of the same name."""
    record = read_record(published)
    if record and record["url"] != published.url and not published.checksum:
        raise BenchError(
            f"{where}: {published.name} is the name of a file that came from {record['url'] or 'a mirror'}; give this "
            f"one another with `file = ...`, or, if it has only moved, remove {record_path(published)}"
        )
    return record


def read_record(published: Published) -> dict[str, Any] | None:
    """The record of a file's last verification: its checksums, path, size, time and URL; None if there is none."""
    try:
        record: dict[str, Any] = json.loads(record_path(published).read_text())
        complete = record["checksums"]["sha256"] and record["file"] and "url" in record
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if complete else None


def has_stated_digest(record: dict[str, Any], published: Published) -> bool:
    """Whether a record is of a file with the checksum that is stated, if one is."""
    algorithm, stated_digest = published.stated_digest
    return not stated_digest or bool(record["checksums"].get(algorithm) == stated_digest)


def write_record(published: Published, record: dict[str, Any]) -> None:
    """Write the record of a file whole or not at all."""
    path, part = record_path(published), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".record-", delete=False) as stream:
            part = Path(stream.name)
            json.dump(record, stream, indent=1)
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}; set BENCH_CACHE elsewhere") from None
    finally:
        if part:
            part.unlink(missing_ok=True)
