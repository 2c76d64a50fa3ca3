"""Files that must survive a crash and files that hold secrets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from contracts.errors import CredentialError, UsageError

PRIVATE_MODE = 0o600
PUBLIC = frozenset({".crt", ".pub", ".memory"})


def write_durable(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file so that after a crash either the old or the new content is there, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    sync_folder(path.parent)


def write_private(path: Path, data: bytes) -> None:
    """``write_durable`` with mode 0600; a folder that is made for it has mode 0700, whatever the umask."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durable(path, data, PRIVATE_MODE)


def make_private(folder: Path) -> None:
    """Make a folder, or take one that is there, and let its owner alone look into it (mode 0700)."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def read_private(path: Path) -> bytes:
    """Read a secret file.

    Raises:
        UsageError: there is no such file.
        CredentialError: anyone but its owner may read or write it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"no secret file {path.name} in {path.parent}: make it at set-up first") from error
    if mode & 0o077:
        raise CredentialError(f"{path} has mode {mode:04o}, expected 0600: run chmod 600 on it and rotate the key")
    return data


def require_private(secrets: Path) -> None:
    """Refuse a party's secrets that others could read or replace: called when a party starts.

    Certificates, public keys and what is remembered of rosters and heads (``PUBLIC``) may be read, never written.

    Raises:
        UsageError: there is no such folder.
        CredentialError: names the first file, or the folder, with the command that mends it.
    """
    if not secrets.is_dir():
        raise UsageError(f"no folder {secrets}: make the keys at set-up first")
    if stat.S_IMODE(secrets.stat().st_mode) & 0o022:
        raise CredentialError(f"others may write into {secrets}: run `chmod 700 {secrets}` and rotate its keys")
    for path in sorted(secrets.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else 0
        if mode & (0o022 if path.suffix in PUBLIC else 0o077):
            raise CredentialError(
                f"{path} has mode {mode:04o}, expected 0600: run `chmod 600 {path}` and rotate the key"
            )


def destroy(path: Path) -> None:
    """Overwrite a secret file and remove it; silent when it is gone. Best effort on copy-on-write media."""
    if not path.exists():
        return
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.write(bytes(size))
        stream.flush()
        os.fsync(stream.fileno())
    path.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or removal in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
