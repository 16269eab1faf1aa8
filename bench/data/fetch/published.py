"""What is stated of a published file, and whether a file is that one: by its checksum, stated or first recorded."""

import hashlib
import json
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from bench import cache
from bench.data import formats
from bench.errors import BenchError

# What a file of these kinds begins with: where no checksum is known, it tells a file from a server's excuse.
_BEGINNINGS = {".hdf5": b"\x89HDF\r\n\x1a\n", ".zip": b"PK", ".npy": b"\x93NUMPY", ".gz": b"\x1f\x8b"}
_LEAST = 0.95  # of the bytes that are stated, which publishers round


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that somebody publishes.

    url: where; empty where only a mirror has it. file: its path below a mirror and among the downloads, by default
    the last part of url. checksum: `sha256:` or `md5:` and the digest, as the publisher states it. bytes: its size,
    as exact as the publisher states it. members: shell patterns of what is needed of an archive, which is unpacked.
    """

    url: str = ""
    file: str = ""
    checksum: str = ""
    bytes: int | None = None
    members: list[str] = []

    @property
    def name(self) -> str:
        return self.file or unquote(urlsplit(self.url).path).rpartition("/")[2]

    @property
    def stated(self) -> tuple[str, str]:
        """The checksum's algorithm and digits, empty where none is stated."""
        algorithm, _, digits = self.checksum.partition(":")
        return algorithm, digits.lower()


class WrongFileError(BenchError):
    """A file is not the one that it should be; another place may have that."""


def folder() -> Path:
    """Where downloads lie, and the records of what is verified."""
    return cache.root() / "downloads"


def verified(path: Path, published: Published, told: str, url: str = "", place: Path | None = None) -> str:
    """The SHA-256 of a file that is what it should be: by its stated checksum, else by the one first recorded.

    url: where it just came from, and place: where it will be moved to, if it is a download.
    """
    algorithm, stated = published.stated
    record = own_record(published, told)
    status = path.stat()
    seen = {"path": str((place or path).absolute()), "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    if record and record["seen"] == seen and (not stated or record["checksums"].get(algorithm) == stated):
        return str(record["checksums"]["sha256"])
    whose = f"what {url} gave" if url else str(path)
    here = "run `bench fetch` again" if path.is_relative_to(folder()) else "put the right one there"
    undone = "it was not kept" if url else here
    if not stated:
        _check_content(path, published, record is None, whose, undone)
    sums = {name: _digest(path, name) for name in {"sha256", algorithm or "sha256"}}
    if stated and sums[algorithm] != stated:
        name = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
        states = f"{told} states {stated[:12]}..."
        raise WrongFileError(f"{whose}: {name} is {sums[algorithm][:12]}..., {states}: {undone}")
    if not stated and record and record["checksums"]["sha256"] != sums["sha256"]:
        before = record["checksums"]["sha256"]
        raise WrongFileError(
            f"{whose}: SHA-256 is {sums['sha256'][:12]}..., when first fetched it was {before[:12]}...: {undone}; "
            f"if its publisher has changed it, remove {record_path(published)}"
        )
    write_record(published, {"checksums": sums, "seen": seen, "of": published.url})
    return sums["sha256"]


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _check_content(path: Path, published: Published, first: bool, whose: str, undone: str) -> None:
    """Raise where a file without a stated checksum is plainly not whole, or another. first: none is recorded either."""
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise WrongFileError(f"{whose} is an HTML page, not {published.name}: {undone}")
    suffix = PurePosixPath(published.name).suffix
    if not start.startswith(_BEGINNINGS.get(suffix, b"")):
        raise WrongFileError(f"{whose} is not a {suffix} file: {undone}")
    if not first:
        return
    size = path.stat().st_size
    if size < _LEAST * (published.bytes or 0):
        from rich.filesize import decimal

        stated = decimal(published.bytes or 0)
        raise WrongFileError(f"{whose} holds {decimal(size)}, not {stated} as stated: {undone}")
    if suffix in formats.READERS and suffix != ".parquet" and not _opens(path, suffix):  # whose library is an extra
        raise WrongFileError(f"{whose} breaks off, or is no {suffix} file that can be read: {undone}")


def _opens(path: Path, suffix: str) -> bool:
    """Whether a file can be read as one of that suffix, which is not yet that of a download."""
    with tempfile.TemporaryDirectory() as place:
        named = Path(place) / f"x{suffix}"
        named.symlink_to(path.absolute())
        try:
            formats.READERS[suffix](named)
        except BenchError:
            return False
    return True


def record_path(published: Published) -> Path:
    """Where it is written what the file was when it was verified."""
    return folder() / f"{published.name}.json"


def own_record(published: Published, told: str) -> dict[str, Any] | None:
    """As `read_record`; a BenchError where it is of another file of the same name."""
    record = read_record(published)
    if record and record["of"] != published.url and not published.checksum:
        raise BenchError(
            f"{told}: {published.name} is the name of what {record['of'] or 'a mirror'} gave before; give this one "
            f"another with `file = ...`, or, if it has only moved, remove {record_path(published)}"
        )
    return record


def read_record(published: Published) -> dict[str, Any] | None:
    """What was written when the file was last verified: its checksums, place, size and time, and whose it is."""
    try:
        record: dict[str, Any] = json.loads(record_path(published).read_text())
        whole = record["checksums"]["sha256"] and record["seen"] and "of" in record
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if whole else None


def write_record(published: Published, record: dict[str, Any]) -> None:
    path = record_path(published)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".record-", delete=False) as stream:
            json.dump(record, stream, indent=1)
        Path(stream.name).chmod(0o644)
        Path(stream.name).replace(path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}; set BENCH_CACHE elsewhere") from None
