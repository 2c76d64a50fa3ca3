"""Encrypted archives: files of one party in one file that a passphrase opens; for backups that leave the machine.

    b"CLOISTER ARCHIVE 1\\n" | length u32 | vault.json (governance.vault) | (length u64 | sealed item) ...

Lengths are little endian.

Item 0 is the manifest, then each file; every item is sealed under its number and name, and the manifest names them all,
so that nothing can be left out, swapped or added. A file is read whole into memory.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from contracts.errors import IntegrityError, UsageError
from contracts.feature_spec import Frozen
from contracts.messages import Count
from governance.files import make_private, write_private
from governance.vault import KEY_BYTES, Unlock, Vault, unwrap

MAGIC = b"CLOISTER ARCHIVE 1\n"
MAX_HEAD_BYTES = 4096

_HEAD = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")


class Manifest(Frozen):
    """What an archive holds: whose it is, when it was made (UTC, ISO 8601), its files in order with their bytes."""

    party: str
    made_at: str
    names: tuple[str, ...]
    sizes: tuple[Count, ...]


def write_archive(
    path: Path, party: str, made_at: str, files: Iterable[tuple[str, bytes]], passphrase_file: Path
) -> Manifest:
    """Write an archive, mode 0600; durable when this returns.

    Args:
        files: name (relative, ``/`` between folders) and content, in order.

    Raises:
        UsageError: there is such a file already. CredentialError: the passphrase is of no use.
    """
    vault = Vault(path.parent, os.urandom(KEY_BYTES))
    head = vault.wrapped(Unlock(passphrase_file=passphrase_file))
    given = list(files)
    manifest = Manifest(
        party=party,
        made_at=made_at,
        names=tuple(name for name, _ in given),
        sizes=tuple(len(data) for _, data in given),
    )
    items = [("manifest", manifest.model_dump_json().encode()), *given]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{path} exists: give the name of a new file") from error
    except FileNotFoundError as error:
        raise UsageError(f"no folder {path.parent} for the archive") from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(MAGIC + _HEAD.pack(len(head)) + head)
        for number, (name, data) in enumerate(items):
            sealed = vault.seal(_bound(number, name), data)
            stream.write(_LENGTH.pack(len(sealed)) + sealed)
        stream.flush()
        os.fsync(stream.fileno())
    return manifest


def read_manifest(path: Path, passphrase_file: Path) -> Manifest:
    """What an archive says it holds. Raises as ``read_archive``."""
    with path.open("rb") as stream:
        return _manifest(stream, _open(path, stream, passphrase_file))


def read_archive(path: Path, passphrase_file: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, each proved before it is given; the last proves that none is missing.

    Raises:
        CredentialError: the passphrase does not open it. IntegrityError: it was altered, or is no archive.
    """
    with path.open("rb") as stream:
        vault = _open(path, stream, passphrase_file)
        manifest = _manifest(stream, vault)
        for number, name in enumerate(manifest.names, 1):
            yield name, vault.open(_bound(number, name), _item(stream))
        if stream.read(1):
            raise IntegrityError(f"{path} goes on after its last file: it was altered")


def restore_archive(path: Path, passphrase_file: Path, folder: Path) -> Manifest:
    """Put an archive's files back below a party's folder, files with mode 0600, folders with 0700.

    Nothing is written unless the whole archive is sound. What a party remembers (``*.memory``) is never put in the
    place of what it remembers now: that may be newer.

    Raises:
        UsageError: another file of one of the names is there already; nothing was written.
        CredentialError, IntegrityError: as ``read_archive``.
    """
    manifest = read_manifest(path, passphrase_file)
    for name, data in read_archive(path, passphrase_file):
        target = _target(folder, name)
        if target.exists() and target.suffix != ".memory" and target.read_bytes() != data:
            raise UsageError(f"{target} exists and is another: move {folder} away first; nothing was restored")
    for name, data in read_archive(path, passphrase_file):
        target = _target(folder, name)
        if not target.exists():
            for parent in reversed([one for one in target.parents if one == folder or one.is_relative_to(folder)]):
                make_private(parent)
            write_private(target, data)
    return manifest


def _open(path: Path, stream: BinaryIO, passphrase_file: Path) -> Vault:
    if stream.read(len(MAGIC)) != MAGIC:
        raise IntegrityError(f"{path} is no archive of this format")
    (length,) = _HEAD.unpack(stream.read(_HEAD.size).ljust(_HEAD.size, b"\0"))
    return unwrap(path, stream.read(min(length, MAX_HEAD_BYTES)), Unlock(passphrase_file=passphrase_file))


def _manifest(stream: BinaryIO, vault: Vault) -> Manifest:
    return Manifest.model_validate(json.loads(vault.open(_bound(0, "manifest"), _item(stream))))


def _item(stream: BinaryIO) -> bytes:
    """The next sealed item; empty, which nothing opens, when the file ends before it does."""
    size = stream.read(_LENGTH.size)
    length = _LENGTH.unpack(size)[0] if len(size) == _LENGTH.size else 0
    left = os.fstat(stream.fileno()).st_size - stream.tell()
    return stream.read(length) if length <= left else b""


def _bound(number: int, name: str) -> str:
    return f"archive/{number}/{name}"


def _target(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/"):
        raise IntegrityError(f"the archive names a file outside of its folder: {name!r}")
    return folder.joinpath(*parts)
