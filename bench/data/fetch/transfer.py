"""One file from one address over HTTP, resumed after the last byte of an earlier try."""

import glob
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import cache
from bench.errors import BenchError

Progress = Callable[[str, int, int | None], None]

_CHUNK = 1 << 16  # bytes; of the last chunk of a download that breaks off, nothing is kept


class RefusedError(Exception):
    """An answer that trying again does not change: the server does not have the file, or does not give it."""


@dataclass(frozen=True)
class Transfer:
    """A file to get from one address.

    url: the address.
    path: what the file is to become; until it is whole, it lies beside that under another name.
    expected: its bytes, for servers that do not state them.
    timeout: seconds without an answer or a byte after which the server is given up.
    progress: called with the file's name, the bytes received, and the bytes in all, None if unknown.
    """

    url: str
    path: Path
    expected: int | None
    timeout: float
    progress: Progress


def receive(transfer: Transfer) -> Path:
    """Write the file beside `transfer.path`, for the caller to move there; the path of it, whole.

    What an earlier try or an ended process has received is resumed if the server states that the file is still the same
    version, and replaced if not. One process at a time may do this, see `locked`.
    Raises requests.RequestException for what may go better another time, RefusedError for what will not.
    """
    with _answer(transfer, {}) as answer:
        version, total = _version(answer), _length(answer)
        part = _part(transfer, version)
        size = part.stat().st_size if version and part.exists() else 0
        resumes = size and (total is None or size <= total)
        if not resumes:
            _save(transfer, answer, part, 0, total)
    return _resume(transfer, part, version, total) if resumes and size != total else part


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from downloading `path`; BenchError if one is doing so."""
    from filelock import FileLock, Timeout

    lock_path = path.with_name(f".{path.name}.lock")
    lock = FileLock(lock_path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise BenchError(
            f"{path} is being downloaded by another process: wait for that one, then run this again"
        ) from None
    except OSError as error:
        raise BenchError(f"cannot write {path.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
    try:
        yield
    finally:
        with suppress(OSError):  # as on Windows, where a locked file stays
            lock_path.unlink()
        lock.release()


def reason(error: Exception) -> str:
    """Why a request failed, without the nesting of the libraries below it."""
    import requests

    text = str(error)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return "it does not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or text.startswith("closed after"):
        return "the connection broke off"
    return "no connection" if isinstance(error, requests.ConnectionError) else text


@contextmanager
def _answer(transfer: Transfer, headers: dict[str, str]) -> Iterator[Any]:
    """The requests.Response to a request for the file, its body not yet read; raises if it is an error."""
    import requests

    headers = headers | {
        "Accept-Encoding": "identity",  # so that lengths are those of the file
        "User-Agent": f"hnsw-order-bench/{metadata.version('hnsw-order-bench')}",  # servers refuse unnamed libraries
    }
    try:
        response = requests.get(transfer.url, headers=headers, stream=True, timeout=transfer.timeout)
    except ValueError as error:  # as for a redirect to what is no address
        raise RefusedError(f"with an invalid address: {error}") from None
    with response as answer:
        if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
            by_browser = ", to programs perhaps; a browser may get it" if answer.status_code == 403 else ""
            raise RefusedError(f"{answer.status_code} {answer.reason}{by_browser}")
        answer.raise_for_status()
        if (encoding := answer.headers.get("Content-Encoding", "identity")) != "identity":
            raise RefusedError(f"with the file encoded by {encoding}, which was not requested")
        yield answer


def _broken_off(state: str) -> Exception:
    import requests

    return requests.ConnectionError(f"closed after {state}")


def _length(answer: Any) -> int | None:
    """The bytes of the body, if the server states them."""
    length = answer.headers.get("Content-Length")
    if length is not None and not length.isdecimal():
        raise RefusedError(f"with a Content-Length that is not a number, {length!r}")
    return int(length) if length else None


def _version(answer: Any) -> str:
    """What identifies this version of the file (RFC 9110, section 13.1.5); empty if the server does not state it."""
    etag = str(answer.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _part(transfer: Transfer, version: str) -> Path:
    """Where this version of the file lies until it is whole. Removes other versions'."""
    path = transfer.path
    digest = hashlib.sha256(f"{transfer.url} {version}".encode()).hexdigest()[:12]
    part = path.with_name(f".{path.name}.{digest}.part")
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if other != part:
            other.unlink(missing_ok=True)
    return part


def _resume(transfer: Transfer, part: Path, version: str, total: int | None) -> Path:
    """Get what `part` lacks of the file; the path of what is then whole.

    If the server cannot resume, `part` is removed, so that the next try begins at the start.
    """
    size = part.stat().st_size
    try:
        with _answer(transfer, {"Range": f"bytes={size}-", "If-Range": version}) as answer:
            if answer.status_code != 206:  # the whole file, and perhaps another version of it
                part = _part(transfer, _version(answer))
                _save(transfer, answer, part, 0, _length(answer) or total)
                return part
            content_range = str(answer.headers.get("Content-Range", ""))
            if not content_range.startswith(f"bytes {size}-"):
                raise RefusedError("with another range than the requested one")
            _save(transfer, answer, part, size, total)
    except RefusedError as error:
        part.unlink(missing_ok=True)
        raise _broken_off(f"{size} bytes: to the request for the others, the server answers {error}") from None
    stated = content_range.rpartition("/")[2]
    if stated.isdecimal() and part.stat().st_size != int(stated):
        raise _broken_off(f"{part.stat().st_size} of {stated} bytes")
    return part


def _save(transfer: Transfer, answer: Any, part: Path, start: int, total: int | None) -> None:
    """Write the body of a requests.Response to `part`, from the byte `start` on.

    total: bytes of the whole file, as the server states them.
    What a try that breaks off has received is kept if the version of the file is known.
    """
    import requests

    total, length, name = total or transfer.expected, _length(answer), transfer.path.name
    cache.check_space(part.parent, (total or 0) - start, name)
    try:
        with part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            received = 0
            transfer.progress(name, start, total)
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
                received += len(chunk)
                transfer.progress(name, start + received, total)
        if length is not None and received != length:
            raise _broken_off(f"{received} of {length} bytes")
    except BaseException as error:
        if not _version(answer):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            raise BenchError(f"cannot write {part.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
        raise
