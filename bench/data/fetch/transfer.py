"""One file from one address over HTTP, going on from where an earlier try broke off."""

import glob
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import cache
from bench.errors import BenchError

Progress = Callable[[str, int, int | None], None]

_CHUNK = 1 << 16  # bytes; of the last chunk of a download that breaks off, nothing is kept


class RefusedError(Exception):
    """A server says that it does not have the file, or does not give it: trying again will not mend that."""


def receive(url: str, path: Path, expected: int | None, timeout: float, progress: Progress) -> Path:
    """Write what `url` gives to a file beside `path`, for `path` to become; that file, whole.

    What came of a try that broke off, or of a process that was ended, lies there; it is gone on from if the server
    tells that the file is still the same one, and begun again if not. One process at a time may do this, see `alone`.
    expected: bytes, where the server does not say. progress: called with the file's name, the bytes that came, and how
    many there will be.
    Raises requests.RequestException for what may go better another time, RefusedError for what will not.
    """
    with _answer(url, {}, timeout) as answer:
        version, total = _version(answer), _length(answer)
        part = _part(path, url, version)
        have = part.stat().st_size if version and part.exists() else 0
        begin = not have or (total is not None and have > total)
        if begin:
            _save(answer, part, 0, total or expected, path.name, progress)
    if not begin and have != total:
        part = _go_on(url, path, part, version, total or expected, timeout, progress)
    return part


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from downloading `path`; BenchError where one is doing so."""
    from filelock import FileLock, Timeout

    lock = path.with_name(f".{path.name}.lock")
    held = FileLock(lock, blocking=False)
    try:
        held.acquire()
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
            lock.unlink()
        held.release()


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
def _answer(url: str, headers: dict[str, str], timeout: float) -> Iterator[Any]:
    """The requests.Response to a question for `url`, its body not yet read; raises where it is an error."""
    import requests

    ours = {
        "Accept-Encoding": "identity",  # so that lengths are those of the file
        "User-Agent": f"hnsw-order-bench/{metadata.version('hnsw-order-bench')}",  # servers refuse unnamed libraries
    }
    try:
        asked = requests.get(url, headers=ours | headers, stream=True, timeout=timeout)
    except ValueError as error:  # as for a redirect to what is no address
        raise RefusedError(f"with what makes no sense: {error}") from None
    with asked as answer:
        if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
            by_browser = ", to programs perhaps; a browser may get it" if answer.status_code == 403 else ""
            raise RefusedError(f"{answer.status_code} {answer.reason}{by_browser}")
        answer.raise_for_status()
        if (packed := answer.headers.get("Content-Encoding", "identity")) != "identity":
            raise RefusedError(f"with the file packed by {packed}, which was not asked for")
        yield answer


def _broken(came: str) -> Exception:
    import requests

    return requests.ConnectionError(f"closed after {came}")


def _length(answer: Any) -> int | None:
    """The bytes of the body, where the server tells."""
    length = answer.headers.get("Content-Length")
    if length is not None and not length.isdecimal():
        raise RefusedError(f"with a Content-Length that is no number, {length!r}")
    return int(length) if length else None


def _version(answer: Any) -> str:
    """What tells this version of the file from others (RFC 9110, section 13.1.5), or nothing."""
    etag = str(answer.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _part(path: Path, url: str, version: str) -> Path:
    """Where this version of the file lies until it is whole. Removes other versions'."""
    digest = hashlib.sha256(f"{url} {version}".encode()).hexdigest()[:12]
    part = path.with_name(f".{path.name}.{digest}.part")
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if other != part:
            other.unlink(missing_ok=True)
    return part


def _go_on(
    url: str, path: Path, part: Path, version: str, total: int | None, timeout: float, progress: Progress
) -> Path:
    """Get the rest of the file behind what `part` has; the path of what is then whole.

    Where the server cannot go on, `part` is removed, so that the next try begins at the start.
    """
    have = part.stat().st_size
    try:
        with _answer(url, {"Range": f"bytes={have}-", "If-Range": version}, timeout) as answer:
            if answer.status_code != 206:  # the whole file, and perhaps another version of it
                part = _part(path, url, _version(answer))
                _save(answer, part, 0, _length(answer) or total, path.name, progress)
                return part
            there = str(answer.headers.get("Content-Range", ""))
            if not there.startswith(f"bytes {have}-"):
                raise RefusedError("with another part than asked")
            _save(answer, part, have, total, path.name, progress)
    except RefusedError as error:
        part.unlink(missing_ok=True)
        raise _broken(f"{have} bytes: asked for the rest, the server answers {error}") from None
    whole = there.rpartition("/")[2]
    if whole.isdecimal() and part.stat().st_size != int(whole):
        raise _broken(f"{part.stat().st_size} of {whole} bytes")
    return part


def _save(answer: Any, part: Path, have: int, total: int | None, name: str, progress: Progress) -> None:
    """Write the body of a requests.Response behind the first `have` bytes of `part`.

    What came of a try that breaks off is kept where the version of the file is known.
    """
    import requests

    coming = _length(answer)
    cache.check_space(part.parent, (total or 0) - have, name)
    try:
        with part.open("r+b" if have else "wb") as stream:
            stream.seek(have)
            came = 0
            progress(name, have, total)
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
                came += len(chunk)
                progress(name, have + came, total)
        if coming is not None and came != coming:
            raise _broken(f"{came} of {coming} bytes")
    except BaseException as error:
        if not _version(answer):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            raise BenchError(f"cannot write {part.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
        raise
