"""A private PostgreSQL server, from the package pgserver: in a private folder, on a socket there and no port.

Its programs are run as they are: pgserver's own start, run by root, adds a user to the system and opens folders.
"""

import os
import re
import signal
import subprocess
import sys
import time
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

from bench.indexes.scratch import Scratch

_USER = "nobody"  # PostgreSQL refuses to run as root
_SECONDS = 60  # to start in
_SOCKET_BYTES = 103  # of a socket's path, on the system that takes fewest
_INITDB = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
_SETTINGS = {
    "port": "5432",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",  # in the folder, which is removed
    "restart_after_crash": "off",  # the next build starts another
    "shared_buffers": "256MB",
    "autovacuum": "off",
    "fsync": "off",
    "max_parallel_workers": "1024",  # else more threads than it has are fewer, and nothing says so
    "max_worker_processes": "1024",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Server:
    """A running server; it ends with this object and with this process."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        folder = self._scratch.path
        _check_socket(folder)
        self._as_user = _other_user(folder)
        programs = self._programs(folder)
        initdb = [str(programs / "initdb"), "-D", str(folder / "data"), *_INITDB]
        made = subprocess.run(initdb, **self._as_user, capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError(f"no database could be made for pgvector: {_mistake(made.stderr)}")
        settings = _SETTINGS | {"unix_socket_directories": f'"{folder}"'}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(folder / "data"), *options],
                **self._as_user,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is not for it
            )
        self._scratch.end_with_it(self._process, signal.SIGQUIT)  # with its children, at once
        self._wait()

    @property
    def dsn(self) -> str:
        """The connection string for a client."""
        from psycopg.conninfo import make_conninfo

        return str(make_conninfo(host=str(self._scratch.path), port=5432, user="postgres", dbname="postgres"))

    def ends(self) -> bool:
        """Return whether it has ended, or does so in a moment, as one does whose process has died."""
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """End it, and remove its folder."""
        self._scratch.close()

    def _wait(self) -> None:
        import psycopg

        end = time.monotonic() + _SECONDS
        while True:
            try:
                psycopg.connect(self.dsn).close()
            except psycopg.OperationalError as error:
                if self._process.poll() is None and time.monotonic() < end:
                    time.sleep(0.02)
                    continue
                log = (self._scratch.path / "log").read_text(errors="replace")
                self.close()
                raise RuntimeError(f"the server of pgvector did not start: {_mistake(log)}") from error
            return

    def _programs(self, folder: Path) -> Path:
        """The folder of PostgreSQL's programs: a copy if the user that runs them cannot read pgserver's."""
        installed = _installed()
        try:
            subprocess.run([installed / "bin" / "postgres", "--version"], **self._as_user, capture_output=True)
        except PermissionError:
            for part in (installed, installed.parents[1] / "pgserver.libs"):  # each finds the other by their places
                if part.exists():
                    copytree(part, folder / part.relative_to(installed.parents[1]))
            installed = folder / "pgserver" / "pginstall"
        return installed / "bin"


def importable(module: str) -> bool:
    """Return whether a module is installed; it is not imported."""
    return find_spec(module) is not None


def own_version(extension: str) -> str:
    """The version of an extension that the package brings, and of the package."""
    return _own_version(extension, _installed())


@cache
def _own_version(extension: str, installed: Path) -> str:
    control = installed / "share" / "postgresql" / "extension" / f"{extension}.control"
    stated = re.search(r"default_version = '(.+)'", control.read_text())
    return f"{stated[1] if stated else 'unknown'}, pgserver {metadata.version('pgserver')}"


def _installed() -> Path:
    found = find_spec("pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall"


def _other_user(folder: Path) -> dict[str, Any]:
    """How programs are run, for root as another user, to whom the folder is given."""
    options: dict[str, Any] = {"cwd": "/", "stdin": subprocess.DEVNULL}
    if sys.platform == "win32" or os.geteuid():
        return options
    import pwd

    try:
        user = pwd.getpwnam(_USER)
    except KeyError:
        raise RuntimeError(
            f"PostgreSQL refuses to run as root, and this system has no user {_USER}: add one, or be another user"
        ) from None
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001:
            raise RuntimeError(
                f"PostgreSQL runs as the user {_USER} for root, who may not enter {parent}: "
                "set TMPDIR to a folder that all may enter"
            )
    os.chown(folder, user.pw_uid, user.pw_gid)
    return options | {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _check_socket(folder: Path) -> None:
    """Raises RuntimeError if a folder cannot hold a server's socket, or cannot be named to a client."""
    socket = folder / ".s.PGSQL.5432"
    if len(os.fsencode(socket)) > _SOCKET_BYTES:
        raise RuntimeError(f"{socket} is too long for a socket: set TMPDIR to a shorter folder")
    if {*str(folder)} & {",", '"'}:
        raise RuntimeError(f"{folder} has a comma or a quote, which no PostgreSQL takes: set TMPDIR to another folder")


def _mistake(text: str) -> str:
    """The last line of a log that states a mistake, else the last one."""
    lines = text.strip().splitlines() or ["it says nothing"]
    mistakes = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR|error):", line)]
    return (mistakes or lines)[-1]
