"""One file from one address, by pooch; a download that broke off goes on from there."""

import glob
from collections.abc import Callable
from functools import partial
from importlib import metadata
from typing import Any
from urllib.parse import quote, unquote

from bench import cache
from bench.data.fetch.published import Published
from bench.errors import BenchError

Progress = Callable[[str, int, int | None], None]

RETRIES = 3
TIMEOUT = 60.0  # seconds without an answer or a byte
_CHUNK = 1 << 16  # bytes
_TRY_AGAIN = (408, 416, 429)  # statuses below 500 that another try may change


class UnavailableError(Exception):
    """The reason why an address did not give its file, to follow the URL in a sentence."""


def download(url: str, published: Published, progress: Progress) -> None:
    """Download a file to its place, for the caller to check. Another process that does the same is waited for.

    Raises UnavailableError if the address does not give the file.
    """
    import pooch
    import requests

    path = published.download
    pooch.get_logger().setLevel("WARNING")
    registry, urls = {path.name: None}, {path.name: url}
    try:
        with cache.alone(path):
            files = pooch.create(path.parent, "", registry=registry, urls=urls, retry_if_failed=RETRIES)
            files.fetch(path.name, downloader=partial(_receive, published, progress))
    except requests.RequestException as error:
        if error.response is not None:
            raise UnavailableError(f"answers {error.response.status_code} {error.response.reason}") from None
        is_late = "timed out" in str(error)
        raise UnavailableError(
            "does not answer in time" if is_late else "has no connection, or breaks it off"
        ) from None
    except OSError as error:
        raise BenchError(f"cannot write {path.parent}: {error.strerror}; set BENCH_CACHE elsewhere") from None


def _receive(published: Published, progress: Progress, url: str, output_file: str, pooch: Any) -> None:
    """Receive what is missing of a file, or all of it if the server has another version; called by pooch.

    What has arrived stays next to the file's place, named by its version, until it is whole.
    """
    import requests

    folder, name = published.download.parent, published.download.name
    part = next(folder.glob(f".{glob.escape(name)}.*.part"), None)
    version = unquote(part.name.removeprefix(f".{name}.").removesuffix(".part")) if part else ""
    done = part.stat().st_size if part and version else 0
    headers = {"User-Agent": f"hnsw-order-bench/{metadata.version('hnsw-order-bench')}", "Accept-Encoding": "identity"}
    if done:
        headers |= {"Range": f"bytes={done}-", "If-Range": version}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if part and answer.status_code != 206 and answer.status_code < 500:
            part.unlink()
            part = None
        if 400 <= answer.status_code < 500 and answer.status_code not in _TRY_AGAIN:
            raise UnavailableError(f"answers {answer.status_code} {answer.reason}")
        answer.raise_for_status()
        if part is None:
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            part, done = folder / f".{name}.{quote(version, safe='')[:100]}.part", 0
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else published.bytes
        cache.check_space(folder, (total or 0) - done, name)
        progress(name, done, total)
        with part.open("ab") as stream:
            for chunk in answer.iter_content(_CHUNK):
                done += stream.write(chunk)
                progress(name, done, total)
    part.replace(output_file)
