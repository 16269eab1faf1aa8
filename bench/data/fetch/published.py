"""A published file: what is stated about it, and its places in a mirror, in the cache and on the web."""

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

import msgspec

from bench import cache
from bench.errors import BenchError

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that somebody publishes.

    url: its address; empty if only a mirror has it.
    file: its path below a mirror and in the cache, by default the last part of url.
    checksum: `sha256:` or `md5:` and the digest, as the publisher states it.
    bytes: its size, as exact as the publisher states it.
    members: shell patterns of the files to unpack from an archive.
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
    def download(self) -> Path:
        """Its path in the cache."""
        return downloads() / self.name

    @property
    def unpacked(self) -> Path:
        """The folder that an archive is unpacked to."""
        return self.download.with_name(self.download.name.removesuffix(_archive_suffix(self)))


def check(published: Published, where: str) -> None:
    """Raises BenchError that names `where` if a file could not be fetched, or would be written outside the cache."""
    if published.url and not _is_url(published.url):
        raise BenchError(f"{where}: url {published.url!r} does not begin with https:// or http:// and a host")
    path = PurePosixPath(published.name)
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise BenchError(f"{where}: file {published.name!r} is not a path below a folder")
    if published.members and not _archive_suffix(published):
        raise BenchError(f"{where}: {published.name!r} has members, but is not one of {', '.join(_ARCHIVES)}")
    if published.checksum and not re.fullmatch("sha256:[0-9a-fA-F]{64}|md5:[0-9a-fA-F]{32}", published.checksum):
        raise BenchError(
            f"{where}: checksum {published.checksum!r} of {published.name} is not sha256: and 64 hexadecimal digits, "
            "or md5: and 32"
        )


def downloads() -> Path:
    """The folder of downloads, and of the records of verified files."""
    return cache.root() / "downloads"


def mirror() -> str:
    """BENCH_MIRROR: the path of a folder, a URL, or empty."""
    named = os.environ.get("BENCH_MIRROR", "")
    if named.startswith("file:///"):
        named = unquote(named.removeprefix("file://"))
    if not named or _is_url(named) or Path(named).is_dir():
        return named
    raise BenchError(
        f"BENCH_MIRROR {named!r} is neither an existing folder nor a URL of http:// or https://: "
        "name one that is, or unset it"
    )


def local_path(published: Published) -> Path | None:
    """The path of the file in the mirror, if that is a folder, or in the cache; None if it is in neither."""
    named = mirror()
    in_mirror = [Path(named) / published.name] if named and not _is_url(named) else []
    return next((path for path in (*in_mirror, published.download) if path.is_file()), None)


def addresses(published: Published) -> list[str]:
    """The URLs that may have the file: the mirror's, if that is a URL, then the publisher's."""
    named = mirror()
    at_mirror = [f"{named.rstrip('/')}/{quote(published.name)}"] if _is_url(named) else []
    return at_mirror + ([published.url] if published.url else [])


def _is_url(text: str) -> bool:
    """Return whether a text is an http(s) URL with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _archive_suffix(published: Published) -> str:
    return next((suffix for suffix in _ARCHIVES if published.name.endswith(suffix)), "")
