"""Published files: in place in a mirror, or downloaded once, checked, and kept under `downloads` in the cache.

Nothing stands under a file's own name before it is whole and checked.
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.data.fetch import archives, transfer
from bench.data.fetch.checksums import (
    WrongFileError,
    has_stated_digest,
    own_record,
    read_record,
    record_path,
    verify,
    write_record,
)
from bench.data.fetch.published import Published as Published
from bench.data.fetch.published import addresses, downloads, mirror
from bench.data.fetch.published import check as check
from bench.data.fetch.published import local_path as local_path
from bench.data.fetch.transfer import Progress as Progress
from bench.data.fetch.transfer import Transfer
from bench.errors import BenchError, BenchWarning

RETRIES = 3
TIMEOUT = 60.0  # seconds without a byte after which a server is given up
_LONGEST_WAIT = 10.0  # seconds between two tries


class FetchedFile(NamedTuple):
    """A published file on this machine.

    path: the file, or the folder that an archive is unpacked to.
    sha256: of the file as published.
    origin: `cache`, `mirror`, or the URL that it was just downloaded from.
    """

    path: Path
    sha256: str
    origin: str


def local_file(published: Published, where: str) -> FetchedFile | None:
    """The file if it is already here, verified: in the mirror if that is a folder, else in the cache.

    A file once verified is read again only when its size or time has changed. Of an archive, all that was unpacked
    must still exist, and be of the checksum that is stated. where: the dataset that needs it, for errors.
    """
    if not published.members:
        return _local_download(published, where)
    record = own_record(published, where)
    if not record or not _is_unpacked(published, record):
        return None
    return FetchedFile(archives.only_folder(published.unpacked), record["checksums"]["sha256"], "cache")


def required_path(published: Published, where: str, name: str, size: str = "") -> Path:
    """The path of a file that is here; else a BenchError with the way to get it: `bench fetch name`, of such a size."""
    if file := local_file(published, where):
        return file.path
    way = f"run `bench fetch {name}`" + (f" ({size})" if size else "")
    if not published.url:
        way = f"nobody publishes it; set BENCH_MIRROR to a folder that has it, or to a URL and {way}"
        way += "; datasets/README.md says how to make it"
    raise BenchError(f"{where} needs {published.name}, which is not here: {way}")


def is_local(published: Published) -> bool:
    """Whether `local_file` would give a file, without reading it."""
    if published.members:
        record = read_record(published)
        return record is not None and _is_unpacked(published, record)
    return local_path(published) is not None


def fetch_file(
    published: Published,
    where: str,
    progress: Progress = lambda *_: None,
    *,
    retries: int = RETRIES,
    timeout: float = TIMEOUT,
) -> FetchedFile:
    """The file, downloaded if it is not here yet, and unpacked if it is an archive.

    A download that is damaged is replaced, with a warning. progress: called with the file's name, the bytes received,
    and the bytes in all (None if the server does not say). timeout: seconds without an answer or a byte.
    """
    try:
        if file := local_file(published, where):
            return file
        download = _local_download(published, where)
    except WrongFileError as error:
        if local_path(published) != published.download or not addresses(published):
            raise
        warnings.warn(f"{error}; doing so now", BenchWarning, stacklevel=2)
        download = None
    if download is None:
        with _set_aside(published.download):
            download = _download(published, where, progress, retries, timeout)
    return _unpack(download, published) if published.members else download


def _local_download(published: Published, where: str) -> FetchedFile | None:
    """As `local_file`, of the file as published: an archive is not unpacked."""
    path = local_path(published)
    if path is None:
        return None
    origin = "cache" if path.is_relative_to(downloads()) else "mirror"
    return FetchedFile(path, verify(path, published, where), origin)


def _is_unpacked(published: Published, record: dict[str, Any]) -> bool:
    """Whether all files of an archive exist, and are of the archive that is stated."""
    files = record.get("unpacked", [])
    exist = bool(files) and all((published.unpacked / file).is_file() for file in files)
    return exist and has_stated_digest(record, published)


def _unpack(file: FetchedFile, published: Published) -> FetchedFile:
    """What is needed of an archive, unpacked. A downloaded archive that cannot be unpacked is removed."""
    try:
        files = archives.unpack(file.path, published.unpacked, published.members)
    except archives.BadArchiveError:
        if file.origin != "mirror":
            file.path.unlink()
            record_path(published).unlink(missing_ok=True)
        raise
    write_record(published, (read_record(published) or {}) | {"unpacked": files})
    if file.origin not in ("cache", "mirror"):
        file.path.unlink()  # its content is here, and its checksum is recorded
    return file._replace(path=archives.only_folder(published.unpacked))


@contextmanager
def _set_aside(path: Path) -> Iterator[None]:
    """Move a file, if it exists, out of the way of another, and back if that does not come."""
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


def _download(published: Published, where: str, progress: Progress, retries: int, timeout: float) -> FetchedFile:
    """Download from the mirror or the publisher, whichever has the right file first."""
    import requests

    own_record(published, where)  # whether its name is taken, before anything is requested
    urls, path = addresses(published), published.download
    by_hand = f"put the file by hand as {path}, or set BENCH_MIRROR to a folder or URL that has {published.name}"
    if not urls:
        lack = f"which is not in BENCH_MIRROR ({mirror()})" if mirror() else "which is not published"
        raise BenchError(f"{where} needs {published.name}, {lack}: {by_hand}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"cannot write {path.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
    reasons = []
    with transfer.locked(path):
        for url in urls:
            try:
                return _download_from(
                    Transfer(url, path, published.bytes, timeout, progress), published, where, retries
                )
            except transfer.RefusedError as error:
                reasons.append(f"{url} answers {error}")
            except requests.RequestException as error:
                reasons.append(f"cannot fetch {url} ({transfer.reason(error)})")
            except WrongFileError as error:
                if url == urls[-1]:
                    raise
                warnings.warn(f"{error}; trying {urls[-1]}", BenchWarning, stacklevel=2)
    raise BenchError(f"{where} needs {published.name}: {', '.join(reasons)}; try again, {by_hand}")


def _download_from(source: Transfer, published: Published, where: str, retries: int) -> FetchedFile:
    """Download from one address, trying again what breaks off, and move into place what is whole and verified.

    Raises transfer.RefusedError if the address does not have it, requests.RequestException if all tries fail.
    """
    import requests

    for attempt in range(retries + 1):
        if attempt:
            time.sleep(min(attempt, _LONGEST_WAIT))
        try:
            part = transfer.receive(source)
            break
        except requests.RequestException:
            if attempt == retries:
                raise
    try:
        sha256 = verify(part, published, where, source.url)
    except WrongFileError:
        part.unlink()
        raise
    part.chmod(0o644)  # a cache may be shared
    part.replace(source.path)
    return FetchedFile(source.path, sha256, source.url)
