"""Published files: in place in a mirror, or downloaded once, checked, and kept under `downloads` in the cache."""

import warnings
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.data.fetch import archives, checksums, transfer
from bench.data.fetch.checksums import Record, WrongFileError
from bench.data.fetch.published import Published as Published
from bench.data.fetch.published import addresses, downloads, mirror
from bench.data.fetch.published import check as check
from bench.data.fetch.published import local_path as local_path
from bench.data.fetch.transfer import Progress as Progress
from bench.errors import BenchError, BenchWarning


class FetchedFile(NamedTuple):
    """A published file on this machine.

    path: the file, or the folder that an archive is unpacked to.
    sha256: of the file as published.
    origin: `cache`, `mirror`, or the URL that it was just downloaded from.
    """

    path: Path
    sha256: str
    origin: str


def is_local(published: Published) -> bool:
    """Return whether the file is on this machine, without reading it."""
    if published.members:
        return _is_unpacked(published, checksums.read_record(published))
    return local_path(published) is not None


def local_file(published: Published, where: str) -> FetchedFile | None:
    """Return the file if it is on this machine: in the mirror if that is a folder, otherwise in the cache.

    Raises WrongFileError if it is not the published one. where: the dataset that needs it, for errors.
    """
    if not published.members:
        return _as_published(published, where)
    record = checksums.own_record(published, where)
    if record is None or not _is_unpacked(published, record):
        return None
    return FetchedFile(_only_folder(published.unpacked), record.checksums["sha256"], "cache")


def required_path(published: Published, where: str, name: str, size: str = "") -> Path:
    """Return the path of a file on this machine; raises BenchError with the command that gets it if it is not here.

    name, size: of the dataset, for that command.
    """
    if file := local_file(published, where):
        return file.path
    way = f"run `bench fetch {name}`" + (f" ({size})" if size else "")
    if not published.url:
        way = f"nobody publishes it; set BENCH_MIRROR to a folder that has it, or to a URL and {way}"
        way += "; datasets/README.md says how to make it"
    raise BenchError(f"{where} needs {published.name}, which is not here: {way}")


def fetch_file(published: Published, where: str, progress: Progress = lambda *_: None) -> FetchedFile:
    """Return the file; download it if it is not here, and unpack it if it is an archive.

    A damaged download is replaced, with a warning.
    progress: called with the file's name, the bytes received, and the bytes in all (None if unknown).
    """
    try:
        if file := local_file(published, where):
            return file
        download = _as_published(published, where)
    except WrongFileError as error:
        if local_path(published) != published.download or not addresses(published):
            raise
        warnings.warn(f"{error}; doing so now", BenchWarning, stacklevel=2)
        published.download.unlink()
        download = None
    download = download or _download(published, where, progress)
    return _unpack(download, published) if published.members else download


def _as_published(published: Published, where: str) -> FetchedFile | None:
    """As `local_file`, but return an archive itself and not its folder."""
    path = local_path(published)
    if path is None:
        return None
    origin = "cache" if path.is_relative_to(downloads()) else "mirror"
    return FetchedFile(path, checksums.verify(path, published, where), origin)


def _download(published: Published, where: str, progress: Progress) -> FetchedFile:
    """Download from the mirror or the publisher, whichever has the right file first."""
    checksums.own_record(published, where)  # fails before any request if another file has the name
    urls, path, reasons = addresses(published), published.download, []
    for url in urls:
        try:
            transfer.download(url, published, progress)
            return FetchedFile(path, checksums.verify(path, published, where, url), url)
        except transfer.UnavailableError as error:
            reasons.append(f"{url} {error}")
        except WrongFileError as error:
            if url == urls[-1]:
                raise
            warnings.warn(f"{error}; trying {urls[-1]}", BenchWarning, stacklevel=2)
    why = ", ".join(reasons) or (f"it is not in BENCH_MIRROR ({mirror()})" if mirror() else "nobody publishes it")
    raise BenchError(
        f"{where} needs {published.name}: {why}; try again, put the file by hand as {path}, or set BENCH_MIRROR to a "
        f"folder or URL that has {published.name}"
    )


def _unpack(file: FetchedFile, published: Published) -> FetchedFile:
    """Unpack the members of an archive, and remove it if it was downloaded or is damaged."""
    try:
        members = archives.unpack(file.path, published.unpacked, published.members)
    except archives.BadArchiveError:
        if file.origin != "mirror":
            file.path.unlink()
            checksums.record_path(published).unlink()
        raise
    record = checksums.read_record(published)
    assert record is not None
    checksums.write_record(published, msgspec.structs.replace(record, unpacked=members))
    if file.origin not in ("cache", "mirror"):
        file.path.unlink()
    return file._replace(path=_only_folder(published.unpacked))


def _is_unpacked(published: Published, record: Record | None) -> bool:
    """Return whether all members of the stated archive exist."""
    if record is None or not record.unpacked or not record.is_of(published):
        return False
    return all((published.unpacked / member).is_file() for member in record.unpacked)


def _only_folder(folder: Path) -> Path:
    """Return the one folder that holds everything in `folder`, as in many archives; otherwise `folder` itself."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
