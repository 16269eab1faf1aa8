"""One file from one address over HTTP, going on from where an earlier try broke off."""

import glob
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import BenchError

Progress = Callable[[str, int, int | None], None]

_CHUNK = 1 << 20  # bytes


class RefusedError(Exception):
    """A server says that it does not have the file, or does not give it: trying again will not mend that."""


def receive(url: str, output: Path, path: Path, expected: int | None, timeout: float, progress: Progress) -> None:
    """Write what `url` gives to the file `output`, for `path` to become.

    What comes of a try that breaks off is left beside `path` under another name; the next one goes on from there
    if the server tells that the file is still the same one, and starts again if not. expected: bytes, where the
    server does not say. progress: called with the file's name, the bytes that came, and how many there will be.
    Raises requests.RequestException for what may go better another time, RefusedError for what will not.
    """
    import requests

    headers = {"Accept-Encoding": "identity"}  # so that lengths are those of the file
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        _check(answer)
        version = _version(answer)
        total = int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
        part = _part(path, url, version)
        have = _take(part, output)
        check_space(path.parent, (total or expected or 0) - have, url)
        try:
            if not have:
                _copy(answer, output, 0, total, path.name, progress)
            elif have != total:
                headers |= {"Range": f"bytes={have}-", "If-Range": version}
                with requests.get(url, headers=headers, stream=True, timeout=timeout) as rest:
                    _check(rest)
                    goes_on = rest.status_code == 206 and rest.headers["Content-Range"].startswith(f"bytes {have}-")
                    _copy(rest, output, have if goes_on else 0, total, path.name, progress)
            if total is not None and output.stat().st_size != total:
                raise requests.ConnectionError(f"closed after {output.stat().st_size} of {total} bytes")
        except BaseException:
            if part:
                output.replace(part)
            raise


def check_space(folder: Path, needed: int, what: str) -> None:
    """BenchError where `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BenchError(
            f"{what} needs {size(needed)}, {folder} has {size(free)} free: make room, or set BENCH_CACHE elsewhere"
        )


def size(count: int) -> str:
    """A number of bytes for people: 3.6 GB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.{1 if count < 10 * unit else 0}f} {name}"
    return f"{count} bytes"


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


def _check(answer: Any) -> None:
    """Raise for a requests.Response that is an error."""
    if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
        raise RefusedError(f"{answer.status_code} {answer.reason}")
    answer.raise_for_status()


def _version(answer: Any) -> str:
    """What tells this version of the file from others (RFC 9110, section 13.1.5), or nothing."""
    etag = str(answer.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _part(path: Path, url: str, version: str) -> Path | None:
    """Where to leave what came of this version of the file; None where it has no name. Removes other versions'."""
    digest = hashlib.sha256(f"{url} {version}".encode()).hexdigest()[:12]
    part = path.with_name(f".{path.name}.{digest}.part") if version else None
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if other != part:
            other.unlink(missing_ok=True)
    return part


def _take(part: Path | None, output: Path) -> int:
    """How many bytes of an earlier try now lie in `output`: taken by renaming, so that no two processes share them."""
    if part is None:
        return 0
    try:
        part.replace(output)
    except FileNotFoundError:
        return 0
    return output.stat().st_size


def _copy(answer: Any, output: Path, have: int, total: int | None, name: str, progress: Progress) -> None:
    """Write the body of a requests.Response behind the first `have` bytes of a file."""
    import requests

    try:
        with output.open("r+b") as stream:
            stream.truncate(have)
            stream.seek(have)
            progress(name, have, total)
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
                have += len(chunk)
                progress(name, have, total)
    except requests.RequestException:  # an OSError too, but the network's
        raise
    except OSError as error:
        raise BenchError(f"cannot write {output.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
