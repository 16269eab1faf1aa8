"""One file from one address over HTTP, going on from where an earlier try broke off."""

import glob
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import BenchError

Progress = Callable[[str, int, int | None], None]

_CHUNK = 1 << 16  # bytes; of the last chunk of a download that breaks off, nothing is kept


class RefusedError(Exception):
    """A server says that it does not have the file, or does not give it: trying again will not mend that."""


def receive(url: str, output: Path, path: Path, expected: int | None, timeout: float, progress: Progress) -> None:
    """Write what `url` gives to the file `output`, for `path` to become.

    What comes of a try that breaks off is left beside `path` under another name; the next one goes on from there
    if the server tells that the file is still the same one, and starts again if not. expected: bytes, where the
    server does not say. progress: called with the file's name, the bytes that came, and how many there will be.
    Raises requests.RequestException for what may go better another time, RefusedError for what will not.
    """
    headers = {"Accept-Encoding": "identity"}  # so that lengths are those of the file
    with _answer(url, headers, timeout) as answer:
        version, total = _version(answer), _length(answer)
        part = _part(path, url, version)
        have = _take(part, output)
        if not have or (total is not None and have > total):
            _save(answer, output, 0, total or expected, path, part, progress)
            return
    if have == total:
        return
    try:
        with _answer(url, headers | {"Range": f"bytes={have}-", "If-Range": version}, timeout) as answer:
            if answer.status_code == 206:
                _check_range(answer, have, output)
                _save(answer, output, have, total or expected, path, part, progress)
                if total is not None and output.stat().st_size != total:
                    raise _broken(f"{output.stat().st_size} of {total} bytes")
            else:  # the whole file, and perhaps another version of it
                part = _part(path, url, _version(answer))
                _save(answer, output, 0, _length(answer) or expected, path, part, progress)
    except BaseException:
        _leave(output, part)
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


@contextmanager
def _answer(url: str, headers: dict[str, str], timeout: float) -> Iterator[Any]:
    """The requests.Response to a question for `url`, its body not yet read; raises where it is an error."""
    import requests

    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
            raise RefusedError(f"{answer.status_code} {answer.reason}")
        answer.raise_for_status()
        yield answer


def _check_range(answer: Any, have: int, output: Path) -> None:
    """Raise where the server goes on from another place than asked: the next try then begins at the start."""
    if not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
        output.write_bytes(b"")
        raise _broken("another part than asked")


def _broken(came: str) -> Exception:
    import requests

    return requests.ConnectionError(f"closed after {came}")


def _length(answer: Any) -> int | None:
    """The bytes of the body, where the server tells."""
    return int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None


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


def _leave(output: Path, part: Path | None) -> None:
    """Keep what came for the next try, where its version is known."""
    if part and output.exists():
        output.replace(part)


def _save(
    answer: Any, output: Path, have: int, total: int | None, path: Path, part: Path | None, progress: Progress
) -> None:
    """Write the body of a requests.Response behind the first `have` bytes of `output`, or leave what came as `part`."""
    import requests

    coming = _length(answer)
    check_space(path.parent, (total or 0) - have, path.name)
    try:
        with output.open("r+b") as stream:
            stream.truncate(have)
            stream.seek(have)
            came = 0
            progress(path.name, have, total)
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
                came += len(chunk)
                progress(path.name, have + came, total)
        if coming is not None and came != coming:
            raise _broken(f"{came} of {coming} bytes")
    except BaseException as error:
        _leave(output, part)
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            raise BenchError(f"cannot write {output.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None
        raise
