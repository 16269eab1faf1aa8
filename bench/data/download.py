"""Published files: in place in a mirror, or downloaded once, checked, and kept under `downloads` in the cache.

Nothing stands under a file's own name before it is whole and checked.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import msgspec

from bench import cache
from bench.data import archives, transfer
from bench.errors import BenchError

RETRIES = 3
TIMEOUT = 60.0  # seconds without a byte after which a server is given up
# What a file of these kinds begins with: where no checksum is known, it tells a file from a server's excuse.
_BEGINNINGS = {".hdf5": b"\x89HDF\r\n\x1a\n", ".zip": b"PK", ".npy": b"\x93NUMPY", ".gz": b"\x1f\x8b"}
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


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


class Got(NamedTuple):
    """A published file that is here: its path (a folder, if unpacked), and the SHA-256 of what was published."""

    path: Path
    sha256: str
    came: str  # "cache", "mirror", or the URL just downloaded


def check(published: Published, told: str) -> None:
    """BenchError naming `told` where a Published could not be fetched or would lie outside the cache."""
    path = PurePosixPath(published.name)
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise BenchError(f"{told}: file {published.name!r} is not a path below a folder")
    if published.url and urlsplit(published.url).scheme not in ("http", "https"):
        raise BenchError(f"{told}: url {published.url!r} does not begin with https:// or http://")
    if published.members and not _archive_suffix(published):
        raise BenchError(f"{told}: {published.name!r} has members, but is none of {', '.join(_ARCHIVES)}")
    algorithm, _, digest = published.checksum.partition(":")
    if published.checksum and (len(digest) != {"sha256": 64, "md5": 32}.get(algorithm)):
        raise BenchError(
            f"{told}: checksum {published.checksum!r} of {published.name} is not sha256: and 64 digits, or md5: and 32"
        )


def found(published: Published, told: str) -> Got | None:
    """The file where it is already here, verified: in the mirror if that is a folder, else in the cache.

    A file once verified is read again only when its size or time has changed. told: who needs it, for errors.
    """
    if published.members:
        unpacked, record = _unpacked(published), _record(published, told)
        if not unpacked.is_dir() or not record:
            return None
        algorithm, _, stated = published.checksum.partition(":")
        if stated and record["checksums"].get(algorithm) != stated:
            raise BenchError(f"{unpacked} is not of the file that {told} states: remove it, and fetch it again")
        return Got(archives.only_folder(unpacked), record["checksums"]["sha256"], "cache")
    return _whole(published, told)


def needed(published: Published, told: str, name: str, size: str = "") -> Path:
    """The path of a file that is here; else a BenchError with the way to get it: `bench fetch name`, of such a size."""
    if got := found(published, told):
        return got.path
    how = f"run `bench fetch {name}`" + (f" ({size})" if size else "")
    if not published.url:
        how = f"set BENCH_MIRROR to a folder that has it, or to a URL and {how}"
    raise BenchError(f"{told} needs {published.name}, which is not here: {how}")


def here(published: Published) -> bool:
    """Whether `found` would find something, told without reading it."""
    if published.members:
        return _unpacked(published).is_dir()
    return any(path.is_file() for path in _places(published))


def fetch(
    published: Published,
    told: str,
    progress: transfer.Progress = lambda *_: None,
    *,
    retries: int = RETRIES,
    timeout: float = TIMEOUT,
) -> Got:
    """The file, downloaded where it is not here yet, and unpacked where it is an archive.

    progress: called with the file's name, the bytes that came, and how many there will be (None where the server
    does not say). timeout: seconds without an answer or a byte.
    """
    if got := found(published, told):
        return got
    got = _whole(published, told) or _download(published, told, progress, retries, timeout)
    if not published.members:
        return got
    unpacked = _unpacked(published)
    shutil.rmtree(unpacked, ignore_errors=True)  # of an archive that is not this one
    archives.unpack(got.path, unpacked, published.members, transfer.check_space)
    if got.came not in ("cache", "mirror"):
        got.path.unlink()  # its content is here, and its checksum is recorded
    return got._replace(path=archives.only_folder(unpacked))


def _folder() -> Path:
    return cache.root() / "downloads"


def _unpacked(published: Published) -> Path:
    path = _folder() / published.name
    return path.with_name(path.name.removesuffix(_archive_suffix(published)))


def _archive_suffix(published: Published) -> str:
    return next((suffix for suffix in _ARCHIVES if published.name.endswith(suffix)), "")


def _mirror() -> str:
    mirror = os.environ.get("BENCH_MIRROR", "")
    if "://" in mirror and not _is_url(mirror):
        raise BenchError(f"BENCH_MIRROR {mirror!r} is neither a folder nor a URL of http or https")
    return mirror


def _is_url(mirror: str) -> bool:
    return urlsplit(mirror).scheme in ("http", "https")


def _places(published: Published) -> list[Path]:
    mirror = _mirror()
    in_mirror = [Path(mirror) / published.name] if mirror and not _is_url(mirror) else []
    return [*in_mirror, _folder() / published.name]


def _whole(published: Published, told: str) -> Got | None:
    """As `found`, for the file as published: an archive is not unpacked."""
    for path in _places(published):
        if path.is_file():
            came = "cache" if path.is_relative_to(_folder()) else "mirror"
            return Got(path, _verified(path, published, told), came)
    return None


def _download(published: Published, told: str, progress: transfer.Progress, retries: int, timeout: float) -> Got:
    import requests

    mirror = _mirror()
    urls = [f"{mirror.rstrip('/')}/{quote(published.name)}"] if _is_url(mirror) else []
    urls += [published.url] if published.url else []
    path = _folder() / published.name
    if not urls:
        where = f"which is not in BENCH_MIRROR ({mirror})" if mirror else "which nobody publishes"
        raise BenchError(f"{told} needs {published.name}, {where}: {_by_hand(published)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"cannot write {path.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
    reasons = []
    for url in urls:
        try:
            return _from_url(url, published, told, progress, retries, timeout)
        except transfer.RefusedError as error:
            reasons.append(f"{url} answers {error}")
        except requests.RequestException as error:
            reasons.append(f"cannot fetch {url} ({transfer.reason(error)})")
    raise BenchError(f"{told} needs {published.name}: {', '.join(reasons)}; try again, {_by_hand(published)}")


def _by_hand(published: Published) -> str:
    path = _folder() / published.name
    return f"put the file by hand as {path}, or set BENCH_MIRROR to a folder or URL that has {published.name}"


def _from_url(
    url: str, published: Published, told: str, progress: transfer.Progress, retries: int, timeout: float
) -> Got:
    """Download from one address: pooch tries again what breaks off, and moves into place what came whole.

    Raises transfer.RefusedError where the address does not have it, requests.RequestException where it cannot be had.
    """
    import pooch

    path = _folder() / published.name

    def download(url: str, output: str, _: object) -> None:
        transfer.receive(url, Path(output), path, published.bytes, timeout, progress)
        _verified(Path(output), published, told, url, place=path)
        Path(output).chmod(0o644)  # a cache may be shared

    pooch.get_logger().setLevel("ERROR")
    getter = pooch.create(
        _folder(), "", registry={published.name: None}, urls={published.name: url}, retry_if_failed=retries
    )
    getter.fetch(published.name, downloader=download)
    return Got(path, _verified(path, published, told), url)


def _verified(path: Path, published: Published, told: str, url: str = "", place: Path | None = None) -> str:
    """The SHA-256 of a file that is what it should be: by its stated checksum, else by the one first recorded.

    url: where it just came from, and place: where it will be moved to, if it is a download.
    """
    import pooch

    algorithm, _, stated = published.checksum.partition(":")
    record = _record(published, told)
    status = path.stat()
    seen = {"path": str((place or path).absolute()), "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    if record and record["seen"] == seen and (not stated or record["checksums"].get(algorithm) == stated):
        return str(record["checksums"]["sha256"])
    whose = f"what {url} gave" if url else str(path)
    undone = "it was not kept" if url else "get the file again"
    if not stated:
        _check_beginning(path, published, whose, undone)
    sums: dict[str, str] = {name: pooch.file_hash(str(path), alg=name) for name in {"sha256", algorithm or "sha256"}}
    if stated and sums[algorithm] != stated:
        name = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
        states = f"{told} states {stated[:12]}..."
        raise BenchError(f"{whose}: {name} is {sums[algorithm][:12]}..., {states}: {undone}")
    if not stated and record and record["checksums"]["sha256"] != sums["sha256"]:
        before = record["checksums"]["sha256"]
        raise BenchError(
            f"{whose}: SHA-256 is {sums['sha256'][:12]}..., when first fetched it was {before[:12]}...: {undone}; "
            f"if its publisher has changed it, remove {_record_path(published)}"
        )
    _write_record(published, {"checksums": sums, "seen": seen, "of": published.url})
    return sums["sha256"]


def _check_beginning(path: Path, published: Published, whose: str, undone: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise BenchError(f"{whose} is an HTML page, not {published.name}: {undone}")
    suffix = PurePosixPath(published.name).suffix
    if not start.startswith(_BEGINNINGS.get(suffix, b"")):
        raise BenchError(f"{whose} is not a {suffix} file: {undone}")


def _record_path(published: Published) -> Path:
    return _folder() / f"{published.name}.json"


def _record(published: Published, told: str) -> dict[str, Any] | None:
    """What was written when the file was last verified: its checksums, place, size and time, and whose it is."""
    try:
        record = json.loads(_record_path(published).read_text())
        whole = record["checksums"]["sha256"] and record["seen"]
        of = record["of"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if of != published.url and not published.checksum:
        raise BenchError(
            f"{told}: {published.name} is the name of what {of or 'a mirror'} gave before; give this one another with "
            f"`file = ...`, or, if it has only moved, remove {_record_path(published)}"
        )
    return record if whole else None


def _write_record(published: Published, record: dict[str, Any]) -> None:
    path = _record_path(published)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".record-", delete=False) as stream:
            json.dump(record, stream, indent=1)
        Path(stream.name).chmod(0o644)
        Path(stream.name).replace(path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}; set BENCH_CACHE elsewhere") from None
