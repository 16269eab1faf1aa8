"""Published files, and a server that gives them, or goes wrong."""

import hashlib
import io
import re
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from bench.data.fetch import fetch_file


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


CONTENT = npy(np.arange(512_000, dtype=np.uint8))
OTHER = npy(np.arange(512_000, dtype=np.uint8)[::-1])
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Serves what `answers` says for each path, in turn, and remembers the requests.

    An answer: content, and keys that make it go wrong. The last one is repeated.
    """

    def __init__(self):
        self.answers, self.requests, self.agents = {}, [], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, self.headers.get("Range")))
                server.agents.append(self.headers.get("User-Agent"))
                answers = server.answers.get(self.path, [{"status": 404}])
                answer(self, **(answers.pop(0) if len(answers) > 1 else answers[0]))

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


def answer(
    handler,
    content=b"",
    status=200,
    cut=None,
    stall=None,
    to=None,
    tag='"1"',
    length=True,
    ranges=True,
):
    """One answer. cut: bytes after which the server closes; stall: after which it says nothing more for 2 s."""
    start = 0
    requested = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
    if requested and ranges and handler.headers.get("If-Range") == tag:
        start, status = int(requested[1]), 206
    handler.send_response(status)
    if to:
        handler.send_header("Location", to)
    if tag:
        handler.send_header("ETag", tag)
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    if length:
        handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    try:
        handler.wfile.write(content[start : cut or stall or len(content)])
        if stall:
            handler.wfile.flush()
            time.sleep(2)
    except ConnectionError:
        pass  # the client has what it wanted
    handler.close_connection = True


def files(folder):
    """The names of all files that downloads left, without records."""
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".json") if folder.exists() else []


def fetch(published, **options):
    return fetch_file(published, "dataset 'x'", **options)


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()
