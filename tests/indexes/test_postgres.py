"""A private PostgreSQL server: where it can run, and the error if it cannot."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.messages import names, refused

from bench.indexes import postgres

pytestmark = [
    pytest.mark.engine("pgvector"),
    pytest.mark.skipif(not postgres.importable("pgserver"), reason="pgserver, which brings a server, is not installed"),
]


def served_in(folder, monkeypatch):
    """Return the answer of a server in this temporary folder, or the line that says why there is none."""
    import psycopg

    folder.mkdir(exist_ok=True, parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    said = ""
    try:
        server = postgres.Server()
    except RuntimeError as error:
        said = str(error)
    if said:
        assert list(folder.iterdir()) == []
        return said
    with psycopg.connect(server.dsn) as connection:
        answer = connection.execute("SELECT 1").fetchone()
    server.close()
    assert list(folder.iterdir()) == []
    return answer


@pytest.fixture
def short():
    """A folder of a short name, which all may enter."""
    with TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.parametrize("name", ["with space", "it's"])
def test_a_server_bears_an_ordinary_temporary_folder(short, name, monkeypatch):
    assert served_in(short / name, monkeypatch) == (1,)


@pytest.mark.parametrize(("name", "named"), [("long" * 25, ("TMPDIR", "shorter")), ("a,b", ("TMPDIR", "another"))])
def test_a_temporary_folder_that_no_server_can_have_is_refused_by_name(short, name, named, monkeypatch):
    assert names(served_in(short / name, monkeypatch), *named)


@pytest.mark.skipif(os.geteuid() != 0, reason="runs its programs itself")
def test_an_error_names_what_the_user_of_the_server_lacks(short, monkeypatch):
    short.chmod(0o700)
    assert names(served_in(short / "private", monkeypatch), f"enter {short}", "TMPDIR")
    short.chmod(0o755)
    monkeypatch.setattr(postgres, "_USER", "who-is-not-there")
    assert names(served_in(short / "private", monkeypatch), "who-is-not-there")


def test_the_mistake_of_a_log_is_its_last_error():
    log = "LOG: starting\nFATAL:  no room for it\nHINT: more\nLOG:  database system is shut down\n"
    assert postgres._mistake(log) == "FATAL:  no room for it"
    assert postgres._mistake("LOG: one\nLOG: two\n") == "LOG: two"
    assert postgres._mistake("")


def test_an_error_names_the_setting_that_stops_a_server(monkeypatch):
    monkeypatch.setitem(postgres._SETTINGS, "shared_buffers", "a lot")
    with refused("FATAL:", '"shared_buffers"', error=RuntimeError):
        postgres.Server()


@pytest.mark.skipif(os.geteuid() != 0, reason="runs its programs itself")
def test_programs_that_only_root_can_read_are_copied_and_no_folder_is_opened(tmp_path, monkeypatch):
    import psycopg

    installed = postgres._installed()
    for part in (installed, installed.parents[1] / "pgserver.libs"):
        shutil.copytree(part, tmp_path / part.relative_to(installed.parents[1]))
    tmp_path.chmod(0o700)
    monkeypatch.setattr(postgres, "_installed", lambda: tmp_path / "pgserver" / "pginstall")
    server = postgres.Server()
    with psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.close()
    assert tmp_path.stat().st_mode & 0o777 == 0o700
