"""What a live listener keeps in ``ZONE/listener/<source>``: messages not in landing yet, and what it could not read.

A listener that runs must be stopped first: it holds its open file, which nobody can cut under its hands.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import UsageError
from contracts.zone import SiteZone
from fhir_mapping.lifecycle.links import mentions
from fhir_mapping.sources.mllp import CR, FS
from governance.files import write_durable
from governance.suppression import Suppression

_CODECS = ("utf-8", "gb18030")


def require_no_listener(zone: SiteZone) -> None:
    """Raise UsageError while a listener runs in the zone."""
    for folder in _folders(zone):
        with _held(zone, folder):
            pass


def cut_feed(zone: SiteZone, suppression: Suppression) -> None:
    """Take out messages and unreadable pieces that mention a person on the list, as a word. Safe to repeat.

    Raises:
        UsageError: a listener runs.
    """
    for folder in _folders(zone):
        with _held(zone, folder):
            for path in sorted((folder / "quarantine").glob("*")):
                if _mentions(path.read_bytes(), suppression):
                    path.unlink()
            for path in sorted((folder / "open").glob("*")):
                content = path.read_bytes()
                frames = content.split(FS + CR)
                left = (FS + CR).join(frame for frame in frames if not _mentions(frame, suppression))
                if left != content:
                    write_durable(path, left, path.stat().st_mode & 0o777)


def _folders(zone: SiteZone) -> list[Path]:
    return sorted(path for path in (zone.root / "listener").glob("*") if path.is_dir())


@contextmanager
def _held(zone: SiteZone, folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"a listener runs on source '{folder.name}' of site '{zone.site}': stop it, erase, start it again"
            ) from error
        yield


def _mentions(content: bytes, suppression: Suppression) -> bool:
    return any(mentions(content.decode(codec, "replace"), suppression) for codec in _CODECS)
