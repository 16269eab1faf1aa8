import multiprocessing
import os
import signal
import subprocess
import threading
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from support.downloads import CONTENT, MD5, OTHER, SHA256, fetch, files

from bench import cache
from bench.data.fetch import Published, transfer
from bench.errors import BenchError

CUT = {"content": CONTENT, "cut": 100_000}  # of which the whole chunks of 65,536 bytes arrive


@pytest.mark.parametrize("checksum", ["", f"sha256:{SHA256}", f"md5:{MD5}"])
def test_a_download_that_broke_off_goes_on_from_there(server, folder, checksum):
    server.answers["/x.npy"] = [CUT, {"content": CONTENT}]
    fetched = fetch(Published(url=f"{server.url}/x.npy", checksum=checksum))
    assert fetched.path.read_bytes() == CONTENT
    assert server.requests == [("/x.npy", None), ("/x.npy", "bytes=65536-")]
    assert files(folder) == ["x.npy"]


@pytest.mark.usefixtures("single_try")
def test_another_run_goes_on_from_there(server, folder):
    server.answers["/x.npy"] = [CUT, {"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    with pytest.raises(BenchError, match=r"/x\.npy"):
        fetch(published)
    [part] = files(folder)
    assert (folder / part).read_bytes() == CONTENT[:65_536]
    assert fetch(published).path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.npy", "bytes=65536-")
    assert files(folder) == ["x.npy"]


@pytest.mark.parametrize("then", [{"tag": '"2"'}, {"ranges": False}])
def test_a_download_starts_again_if_the_server_cannot_resume(server, folder, then):
    server.answers["/x.npy"] = [CUT, {"content": OTHER} | then]
    assert fetch(Published(url=f"{server.url}/x.npy")).path.read_bytes() == OTHER
    assert files(folder) == ["x.npy"]


@pytest.mark.parametrize("status", [416, 403])
@pytest.mark.usefixtures("single_try")
def test_the_next_run_starts_again_if_the_rest_is_refused(server, folder, status):
    server.answers["/x.npy"] = [CUT, {"status": status, "ranges": False}, {"content": CONTENT}]
    published = Published(url=f"{server.url}/x.npy")
    for _ in range(2):
        with pytest.raises(BenchError):
            fetch(published)
    assert fetch(published).path.read_bytes() == CONTENT
    assert [byte_range for _, byte_range in server.requests] == [None, "bytes=65536-", None]


def test_a_download_without_a_version_starts_again(server, folder):
    server.answers["/x.npy"] = [CUT | {"tag": ""}, {"content": CONTENT, "tag": ""}]
    assert fetch(Published(url=f"{server.url}/x.npy")).path.read_bytes() == CONTENT
    assert files(folder) == ["x.npy"]
    assert server.requests == [("/x.npy", None)] * 2


@pytest.mark.usefixtures("single_try")
def test_a_server_that_stalls_is_given_up(server, folder, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]
    with pytest.raises(BenchError, match=r"/x\.npy does not answer in time"):
        fetch(Published(url=f"{server.url}/x.npy"))
    assert not (folder / "x.npy").exists()


def test_redirects_are_followed(server):
    server.answers["/old/x.npy"] = [{"status": 302, "to": "/new/y", "tag": ""}]
    server.answers["/new/y"] = [CUT, {"content": CONTENT}]
    fetched = fetch(Published(url=f"{server.url}/old/x.npy"))
    assert (fetched.path.name, fetched.sha256) == ("x.npy", SHA256)
    assert server.requests[-1] == ("/new/y", "bytes=65536-")


def test_a_server_in_trouble_is_tried_again(server, monkeypatch):
    server.answers["/x.npy"] = [{"status": 500}, {"status": 503}, {"content": CONTENT}]
    assert fetch(Published(url=f"{server.url}/x.npy")).sha256 == SHA256
    server.answers["/y.npy"] = [{"status": 500}]
    with pytest.raises(BenchError, match=r"/y\.npy answers 500 Internal Server Error"):
        fetch(Published(url=f"{server.url}/y.npy"))
    assert len(server.requests) == 3 + 1 + transfer.RETRIES


@pytest.mark.parametrize("status", [404, 403])
def test_a_file_that_is_not_there_is_requested_once(server, folder, status):
    server.answers["/x.npy"] = [{"status": status}]
    with pytest.raises(BenchError, match=rf"x\.npy: .*/x\.npy answers {status} "):
        fetch(Published(url=f"{server.url}/x.npy"))
    assert len(server.requests) == 1
    assert files(folder) == []


@pytest.mark.parametrize("stated", ["by the server", "by the catalogue"])
def test_disk_space_is_checked_first(server, folder, monkeypatch, stated):
    server.answers["/x.npy"] = [{"content": CONTENT, "length": stated == "by the server"}]
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(BenchError, match=r"x\.npy .*512\.. kB.*downloads.* 1\.0 kB"):
        fetch(Published(url=f"{server.url}/x.npy", bytes=512_000))
    assert files(folder) == []


def test_an_interrupted_download_leaves_nothing_under_its_name(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT, "stall": 100_000}]

    def interrupt(name, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(Published(url=f"{server.url}/x.npy"), progress=interrupt)
    [part] = files(folder)
    assert part.startswith(".x.npy.")


def test_requests_name_the_program(server):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    fetch(Published(url=f"{server.url}/x.npy"))
    assert server.agents == [f"hnsw-order-bench/{version('hnsw-order-bench')}"]


def test_a_killed_download_goes_on_from_there(server, folder):
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


def test_a_file_that_another_process_downloads_is_waited_for(server, folder):
    server.answers["/x.npy"] = [{"content": CONTENT}]
    done = threading.Event()

    def wait():
        fetch(Published(url=f"{server.url}/x.npy"))
        done.set()

    with cache.alone(folder / "x.npy"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not done.wait(0.3)
        (folder / "x.npy").write_bytes(CONTENT)
    waiting.join()
    assert done.is_set()
    assert server.requests == []


@pytest.mark.parametrize(("before", "code"), [(signal.SIG_DFL, 3), (signal.SIG_IGN, 0)])
def test_a_closed_terminal_interrupts_unless_that_is_ignored(server, folder, tmp_path, bench_script, before, code):
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
