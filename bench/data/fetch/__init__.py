"""Published files: in place in a mirror, or downloaded once, checked, and kept under `downloads` in the cache.

Nothing stands under a file's own name before it is whole and checked.
"""

import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from bench.data.fetch import archives, transfer
from bench.data.fetch.published import Published as Published
from bench.data.fetch.published import (
    WrongFileError,
    folder,
    own_record,
    read_record,
    record_path,
    verified,
    write_record,
)
from bench.errors import BenchError, BenchWarning

RETRIES = 3
TIMEOUT = 60.0  # seconds without a byte after which a server is given up
_LONGEST_WAIT = 10.0  # seconds between two tries
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


class Got(NamedTuple):
    """A published file that is here: its path (a folder, if unpacked), and the SHA-256 of what was published."""

    path: Path
    sha256: str
    came: str  # "cache", "mirror", or the URL just downloaded


def check(published: Published, told: str) -> None:
    """BenchError naming `told` where a Published could not be fetched or would lie outside the cache."""
    if published.url and not _is_url(published.url):
        raise BenchError(f"{told}: url {published.url!r} does not begin with https:// or http:// and a host")
    path = PurePosixPath(published.name)
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise BenchError(f"{told}: file {published.name!r} is not a path below a folder")
    if published.members and not _archive_suffix(published):
        raise BenchError(f"{told}: {published.name!r} has members, but is none of {', '.join(_ARCHIVES)}")
    if published.checksum and not re.fullmatch("sha256:[0-9a-fA-F]{64}|md5:[0-9a-fA-F]{32}", published.checksum):
        raise BenchError(
            f"{told}: checksum {published.checksum!r} of {published.name} is not sha256: and 64 hexadecimal digits, "
            "or md5: and 32"
        )


def found(published: Published, told: str) -> Got | None:
    """The file where it is already here, verified: in the mirror if that is a folder, else in the cache.

    A file once verified is read again only when its size or time has changed. Of an archive, all that was unpacked
    must still be there, and be of the checksum that is stated. told: who needs it, for errors.
    """
    if not published.members:
        return _whole(published, told)
    record = own_record(published, told)
    if not record or not _is_unpacked(published, record):
        return None
    return Got(archives.only_folder(_unpacked(published)), record["checksums"]["sha256"], "cache")


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
        record = read_record(published)
        return record is not None and _is_unpacked(published, record)
    return _place(published) is not None


def fetch(
    published: Published,
    told: str,
    progress: transfer.Progress = lambda *_: None,
    *,
    retries: int = RETRIES,
    timeout: float = TIMEOUT,
) -> Got:
    """The file, downloaded where it is not here yet, and unpacked where it is an archive.

    A download that is no longer what it was is told in a warning, and had anew. progress: called with the file's
    name, the bytes that came, and how many there will be (None where the server does not say). timeout: seconds
    without an answer or a byte.
    """
    try:
        if got := found(published, told):
            return got
        got = _whole(published, told)
    except WrongFileError as error:
        if _place(published) != folder() / published.name or not _addresses(published):
            raise
        warnings.warn(f"{error}; doing so now", BenchWarning, stacklevel=2)
        got = None
    if got is None:
        with _aside(folder() / published.name):
            got = _download(published, told, progress, retries, timeout)
    return _unpack(got, published) if published.members else got


def _unpack(got: Got, published: Published) -> Got:
    """What is needed of an archive, unpacked. An archive among the downloads that cannot be is not kept."""
    unpacked = _unpacked(published)
    try:
        files = archives.unpack(got.path, unpacked, published.members)
    except archives.BadArchiveError:
        if got.came != "mirror":
            got.path.unlink()
            record_path(published).unlink(missing_ok=True)
        raise
    write_record(published, (read_record(published) or {}) | {"unpacked": files})
    if got.came not in ("cache", "mirror"):
        got.path.unlink()  # its content is here, and its checksum is recorded
    return got._replace(path=archives.only_folder(unpacked))


@contextmanager
def _aside(path: Path) -> Iterator[None]:
    """Move a file, if there is one, out of the way of another, and back where that does not come."""
    aside = path.with_name(f".{path.name}.before")
    if path.exists():
        path.replace(aside)
    try:
        yield
    except BaseException:
        if aside.exists():
            aside.replace(path)
        raise
    aside.unlink(missing_ok=True)


def _unpacked(published: Published) -> Path:
    path = folder() / published.name
    return path.with_name(path.name.removesuffix(_archive_suffix(published)))


def _is_unpacked(published: Published, record: dict[str, Any]) -> bool:
    """Whether all that came of an archive is there, and of the archive that is stated."""
    algorithm, stated = published.stated
    files = record.get("unpacked", [])
    there = bool(files) and all((_unpacked(published) / file).is_file() for file in files)
    return there and (not stated or record["checksums"].get(algorithm) == stated)


def _archive_suffix(published: Published) -> str:
    return next((suffix for suffix in _ARCHIVES if published.name.endswith(suffix)), "")


def _mirror() -> str:
    """BENCH_MIRROR: a folder's path, a URL, or nothing."""
    mirror = os.environ.get("BENCH_MIRROR", "")
    if mirror.startswith("file:///"):
        mirror = unquote(mirror.removeprefix("file://"))
    if not mirror or _is_url(mirror) or Path(mirror).is_dir():
        return mirror
    raise BenchError(
        f"BENCH_MIRROR {mirror!r} is neither a folder that is there nor a URL of http:// or https://: "
        "name one that is, or unset it"
    )


def _is_url(text: str) -> bool:
    """Whether a text is an address on the web, with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _place(published: Published) -> Path | None:
    """Where the file lies as published: in the mirror, if that is a folder, or among the downloads."""
    mirror = _mirror()
    in_mirror = [Path(mirror) / published.name] if mirror and not _is_url(mirror) else []
    return next((path for path in (*in_mirror, folder() / published.name) if path.is_file()), None)


def _addresses(published: Published) -> list[str]:
    """Where a file may be had: from the mirror, if that is a URL, and from its publisher."""
    mirror = _mirror()
    at_mirror = [f"{mirror.rstrip('/')}/{quote(published.name)}"] if _is_url(mirror) else []
    return at_mirror + ([published.url] if published.url else [])


def _whole(published: Published, told: str) -> Got | None:
    """As `found`, for the file as published: an archive is not unpacked."""
    path = _place(published)
    if path is None:
        return None
    came = "cache" if path.is_relative_to(folder()) else "mirror"
    return Got(path, verified(path, published, told), came)


def _download(published: Published, told: str, progress: transfer.Progress, retries: int, timeout: float) -> Got:
    import requests

    own_record(published, told)  # whose name it is, before anything is asked
    urls, mirror, path = _addresses(published), _mirror(), folder() / published.name
    if not urls:
        where = f"which is not in BENCH_MIRROR ({mirror})" if mirror else "which nobody publishes"
        raise BenchError(f"{told} needs {published.name}, {where}: {_by_hand(published)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"cannot write {path.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
    reasons = []
    with transfer.alone(path):
        for url in urls:
            try:
                return _from_url(url, published, told, progress, retries, timeout)
            except transfer.RefusedError as error:
                reasons.append(f"{url} answers {error}")
            except requests.RequestException as error:
                reasons.append(f"cannot fetch {url} ({transfer.reason(error)})")
            except WrongFileError as error:
                if url == urls[-1]:
                    raise
                warnings.warn(f"{error}; asking {urls[-1]}", BenchWarning, stacklevel=2)
    raise BenchError(f"{told} needs {published.name}: {', '.join(reasons)}; try again, {_by_hand(published)}")


def _by_hand(published: Published) -> str:
    path = folder() / published.name
    return f"put the file by hand as {path}, or set BENCH_MIRROR to a folder or URL that has {published.name}"


def _from_url(
    url: str, published: Published, told: str, progress: transfer.Progress, retries: int, timeout: float
) -> Got:
    """Download from one address, trying again what breaks off, and move into place what is whole and verified.

    Raises transfer.RefusedError where the address does not have it, requests.RequestException where it cannot be had.
    """
    import requests

    path = folder() / published.name
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(min(attempt, _LONGEST_WAIT))
        try:
            part = transfer.receive(url, path, published.bytes, timeout, progress)
            break
        except requests.RequestException:
            if attempt == retries:
                raise
    try:
        sha256 = verified(part, published, told, url, place=path)
    except WrongFileError:
        part.unlink()
        raise
    part.chmod(0o644)  # a cache may be shared
    part.replace(path)
    return Got(path, sha256, url)
