import multiprocessing
import os
import signal
import subprocess
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from support.downloads import CONTENT, MD5, OTHER, SHA256, fetch, files

from bench import cache
from bench.data.fetch import Published, transfer
from bench.errors import BenchError


@pytest.mark.parametrize("checksum", ["", f"sha256:{SHA256}", f"md5:{MD5}"])
def test_a_download_that_broke_off_is_resumed(server, folder, checksum):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}, {"content": CONTENT}]
    fetched = fetch(Published(url=f"{server.url}/x.npy", checksum=checksum))
    assert fetched.path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.npy", "bytes=65536-")
    assert files(folder) == ["x.npy"]


def test_another_run_resumes_what_one_gave_up(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError, match=r"x\.npy \(the connection broke off\)"):
        fetch(published, retries=0)
    assert not (folder / "x.npy").exists()
    [part] = files(folder)
    # Of the 100,000 bytes that were sent, the whole chunks of 65,536.
    assert (folder / part).read_bytes() == CONTENT[:65_536]
    server.answers["/x.npy"] = [{"content": CONTENT}]
    assert fetch(published).path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.npy", "bytes=65536-")
    assert files(folder) == ["x.npy"]


@pytest.mark.parametrize(
    "then",
    [
        {"tag": '"2"'},  # another version of the file
        {"ranges": False},
        {"start_lie": 1},
    ],
)
def test_a_download_starts_again_where_the_server_cannot_resume(server, folder, then):
    new = OTHER
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError):
        fetch(published, retries=0)
    if then == {"start_lie": 1}:  # what it then sends is no file: refused by its length, and tried again
        server.answers["/x.npy"] = [{"content": new}, {"content": new} | then, {"content": new, "ranges": False}]
    else:
        server.answers["/x.npy"] = [{"content": new} | then]
    assert fetch(published).path.read_bytes() == new
    assert files(folder) == ["x.npy"]


def test_more_than_the_whole_file_is_not_resumed(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError):
        fetch(published, retries=0)
    [part] = files(folder)
    (folder / part).write_bytes(CONTENT + CONTENT)
    server.answers["/x.npy"] = [{"content": CONTENT}]
    assert fetch(published).path.read_bytes() == CONTENT


def test_without_a_version_nothing_is_resumed(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000, "tag": ""}]
    with pytest.raises(BenchError, match="broke off"):
        fetch(Published(url=f"{server.url}/x.npy"), retries=1)
    assert files(folder) == []
    assert server.requests == [("/x.npy", None)] * 2


def test_a_server_that_stalls_is_given_up(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]
    with pytest.raises(BenchError, match=r"\(it does not answer in time\); try again"):
        fetch(Published(url=f"{server.url}/x.npy"), retries=0, timeout=0.2)
    assert not (folder / "x.npy").exists()


def test_redirects_are_followed(server):
    server.answers["/old/x.npy"] = [{"status": 302, "to": "/new/y", "tag": ""}]
    server.answers["/new/y"] = [{"content": CONTENT, "cut": 100_000}, {"content": CONTENT}]
    fetched = fetch(Published(url=f"{server.url}/old/x.npy"))
    assert (fetched.path.name, fetched.sha256) == ("x.npy", SHA256)
    assert server.requests[-1] == ("/new/y", "bytes=65536-")


def test_a_server_in_trouble_is_tried_again(server):
    server.answers["/x.npy"] = [{"status": 500}, {"status": 503}, {"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/x.npy")).sha256 == SHA256
    server.answers["/y.npy"] = [{"status": 500}]
    with pytest.raises(BenchError, match=r"\(it answers 500 Internal Server Error\)"):
        fetch(Published(url=f"{server.url}/y.npy"), retries=1)


def test_a_file_that_does_not_exist_is_requested_once(server, folder):
    with pytest.raises(BenchError, match=r"needs x\.npy: .*/x\.npy answers 404 Not Found"):
        fetch(Published(url=f"{server.url}/x.npy"))
    assert len(server.requests) == 1
    assert files(folder) == []


@pytest.mark.parametrize("stated", ["by the server", "by the catalogue"])
def test_disk_space_is_checked_first(server, folder, monkeypatch, stated):
    server.answers["/x.npy"] = [{"content": CONTENT, "length": stated == "by the server"}]
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(BenchError, match=r"x\.npy needs 512\.. kB, .*downloads has 1\.0 kB free"):
        fetch(Published(url=f"{server.url}/x.npy", bytes=512_000))
    assert files(folder) == []


def test_an_interrupted_download_leaves_nothing_under_its_name(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]

    def interrupt(name, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(Published(url=f"{server.url}/x.npy"), progress=interrupt)
    assert [name for name in files(folder) if not name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"headers": {"Content-Length": "abc"}, "length": False}, ".*Content-Length .*'abc'"),
        ({"headers": {"Content-Encoding": "gzip"}}, ".*gzip"),
        ({"status": 302, "to": "http://[bad"}, ".*Invalid IPv6 URL"),
        ({"status": 302, "to": "ftp://h/x.npy"}, ".*ftp://h/x.npy"),
        ({"status": 403}, "403 Forbidden.* a browser may get it"),
    ],
)
def test_an_answer_without_the_file_is_reported_at_once(server, folder, answer, message):
    server.answers["/x.npy"] = [{"content": CONTENT} | answer]
    with pytest.raises(BenchError, match=rf"/x\.npy answers {message}"):
        fetch(Published(url=f"{server.url}/x.npy"))
    assert len(server.requests) == 1
    assert files(folder) == []


def test_requests_name_the_program(server):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    fetch(Published(url=f"{server.url}/x.npy"))
    assert server.agents == [f"hnsw-order-bench/{version('hnsw-order-bench')}"]


@pytest.mark.parametrize("status", [416, 403])
def test_a_download_starts_again_where_its_end_is_refused(server, folder, status):
    server.answers["/x.npy"] = [{"content": CONTENT, "cut": 100_000}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError):
        fetch(published, retries=0)
    server.answers["/x.npy"] = [{"content": CONTENT}, {"status": status, "ranges": False}, {"content": CONTENT}]
    assert fetch(published, retries=1).path.read_bytes() == CONTENT
    assert [byte_range for _, byte_range in server.requests] == [None, None, "bytes=65536-", None]


def test_a_download_that_was_killed_is_resumed(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]
    published = Published(url=f"{server.url}/x.npy")

    def kill(name, done, total):
        if done:
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=fetch, args=(published,), kwargs={"progress": kill})
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    server.answers["/x.npy"] = [{"content": CONTENT}]
    assert fetch(published).path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.npy", "bytes=65536-")
    assert files(folder) == ["x.npy"]


def test_one_process_at_a_time_downloads_a_file(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    folder.mkdir(parents=True)
    published = Published(url=f"{server.url}/x.npy")
    with (
        transfer.locked(folder / "x.npy"),
        pytest.raises(BenchError, match=r"x\.npy is being downloaded by another process"),
    ):
        fetch(published)
    assert fetch(published).sha256 == SHA256
    assert files(folder) == ["x.npy"]


@pytest.mark.parametrize(("before", "code"), [(signal.SIG_DFL, 3), (signal.SIG_IGN, 0)])
def test_a_terminal_that_is_closed_interrupts_unless_it_may_not(server, folder, tmp_path, bench_script, before, code):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}, {"content": CONTENT}]
    (tmp_path / "my.toml").write_text(f"title = 'x'\nmetric = 'l2'\n[[download]]\nurl = '{server.url}/x.npy'")
    process = subprocess.Popen(
        [bench_script, "fetch", "my.toml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, before),  # as under nohup, or not
    )
    assert "x.npy: 0 bytes of 512.1 kB" in process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert all(name.endswith(".part" if code else "x.npy") for name in files(folder))
