"""Where a listener keeps messages: durable before they are acknowledged, in landing once their file is closed.

ZONE/listener/<source>/open/*.part       the file that messages are appended to; ingest never looks here
ZONE/listener/<source>/seen.bin          digests of the latest messages, 16 bytes each: what is sent again is kept once
ZONE/listener/<source>/quarantine/*.hl7  what could not be read, with the rule in the file's name
ZONE/landing/<day>/<file>                closed files, moved there whole; the day is that of the first message in it

A file is a run of MLLP frames, bytes as they came. After a crash the open file is cut after its last whole frame (what
follows was never acknowledged), and closed.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from contracts.errors import UsageError
from contracts.region import Site, Source
from contracts.zone import SiteZone
from fhir_mapping.landing import claim
from fhir_mapping.sources.mllp import CR, FS, VT, frame

_DIGEST = 16


@dataclass(frozen=True)
class StoreLimits:
    """When a file is closed, and how many messages are remembered.

    Attributes:
        seconds: age of a file; its messages wait for ingest as long.
        bytes: size of a file.
        remembered: latest messages that are recognised when they are sent again.
    """

    seconds: float = 60.0
    bytes: int = 64 << 20
    remembered: int = 200_000


class Store:
    """The messages of one source. One process at a time; not for several threads at once.

    Args:
        clock: the present time in the region's zone.

    Raises:
        UsageError: another listener runs on this source, or no name of a file can be made that the source would take.
    """

    def __init__(
        self, zone: SiteZone, site: Site, source: Source, clock: Callable[[], datetime], limits: StoreLimits
    ) -> None:
        self.folder = zone.root / "listener" / source.name
        self._landing, self._clock, self._limits = zone.landing, clock, limits
        self._pattern = _pattern(site, source)
        for name in ("open", "quarantine"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._landing.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "lock", source)
        self._seen: dict[bytes, None] = {}
        self._load_seen()
        self._file: BinaryIO | None = None
        self._path = Path()
        self._opened = clock()
        self._size = 0
        self._new: list[bytes] = []
        self._number = 0
        self._recover()

    def keep(self, messages: Sequence[bytes]) -> int:
        """Make messages durable; returns how many were new. Those that are known already are not kept twice.

        Raises:
            OSError: they are not durable (disk full); nothing of them counts.
        """
        fresh = {_digest(message): message for message in messages}
        fresh = {digest: message for digest, message in fresh.items() if digest not in self._seen}
        if fresh:
            if self._file is None:
                self._open()
            self._append(b"".join(frame(message) for message in fresh.values()))
            self._remember(fresh)
        return len(fresh)

    def set_aside(self, data: bytes, rule: str) -> None:
        """Make what could not be read durable, apart from the messages. Raises OSError."""
        self._number += 1
        name = f"{self._clock():%Y%m%dT%H%M%S}-{os.getpid()}-{self._number:06d}.{rule}.hl7"
        path = self.folder / "quarantine" / name
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)

    def close_if_due(self) -> None:
        """Close the open file when it is old or large enough, or another day has come."""
        if self._file is None:
            return
        now = self._clock()
        is_old = (now - self._opened).total_seconds() >= self._limits.seconds
        if is_old or self._size >= self._limits.bytes or now.date() != self._opened.date():
            self.close_file()

    def close_file(self) -> None:
        """Close the open file and move it to landing. Safe to repeat after a crash at any point."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        # First known, then delivered: a crash between leaves the file here, to be delivered at the next start.
        self._save_seen()
        self._deliver(self._path)

    def close(self) -> None:
        """Close the open file and let another process have the source. Safe to repeat."""
        self.close_file()
        self.abandon()

    def abandon(self) -> None:
        """Let another process have the source, which delivers what is open here."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        self._opened = self._clock()
        stem = f"{self._opened:%Y-%m-%d}_mllp-{self._opened:%Y%m%dT%H%M%S}"
        names = (self.folder / "open" / f"{stem}-{number:03d}.part" for number in itertools.count())
        self._path = next(path for path in names if not path.exists() and not self._target(path).exists())
        self._file = self._path.open("xb", buffering=0)
        self._size = 0
        _sync_folder(self._path.parent)

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:]) or 0
            os.fsync(self._file.fileno())
        except OSError:
            # A torn frame must not stand before the next one.
            os.ftruncate(self._file.fileno(), self._size)
            self._file.seek(self._size)
            raise
        self._size += len(data)

    def _remember(self, digests: Sequence[bytes] | dict[bytes, bytes]) -> None:
        for digest in digests:
            self._seen[digest] = None
            self._new.append(digest)
        while len(self._seen) > self._limits.remembered:
            del self._seen[next(iter(self._seen))]

    def _load_seen(self) -> None:
        path = self.folder / "seen.bin"
        data = path.read_bytes() if path.is_file() else b""
        whole = len(data) - len(data) % _DIGEST
        digests = [data[start : start + _DIGEST] for start in range(0, whole, _DIGEST)]
        self._seen = dict.fromkeys(digests[-self._limits.remembered :])

    def _save_seen(self) -> None:
        path = self.folder / "seen.bin"
        size = path.stat().st_size if path.is_file() else 0
        if size % _DIGEST or size > 2 * _DIGEST * self._limits.remembered:
            beside = path.with_suffix(".new")
            _write(beside, b"".join(self._seen), "wb")
            beside.replace(path)
        else:
            _write(path, b"".join(self._new), "ab")
        self._new = []
        _sync_folder(self.folder)

    def _deliver(self, path: Path) -> None:
        target = self._target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        for folder in (target.parent, self._landing, path.parent):
            _sync_folder(folder)

    def _target(self, path: Path) -> Path:
        """Where a file of the folder ``open`` is delivered."""
        day, _, stamp = path.stem.partition("_")
        return self._landing / day / self._pattern.replace("*", stamp)

    def _recover(self) -> None:
        """Deliver what an earlier process left open; what was not acknowledged is set aside."""
        for path in sorted((self.folder / "open").glob("*.part")):
            data = path.read_bytes()
            whole = data.rfind(FS + CR) + 2 if FS + CR in data else 0
            if whole < len(data):
                self.set_aside(data[whole:], "torn")
                os.truncate(path, whole)
            if not whole:
                path.unlink()
                continue
            messages = (part.removeprefix(VT) for part in data[:whole].split(FS + CR)[:-1])
            self._remember([digest for m in messages if (digest := _digest(m)) not in self._seen])
            self._save_seen()
            self._deliver(path)


def _digest(message: bytes) -> bytes:
    """Names a message with its control id: both are in its bytes."""
    return hashlib.sha256(message).digest()[:_DIGEST]


def _pattern(site: Site, source: Source) -> str:
    """A file pattern of the source in which ``*`` stands for the listener's stamp."""
    for pattern in source.files:
        name = pattern.replace("*", "mllp-20240301T080500-000")
        if pattern.count("*") == 1 and claim(site, name) == source:
            return pattern
    raise UsageError(
        f"source '{source.name}': found files = {list(source.files)}; a listener needs a pattern with one * that no "
        "other source claims, such as 'oru*.hl7'. Add one."
    )


def _lock(path: Path, source: Source) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise UsageError(f"another listener runs on source '{source.name}'; stop it first") from error
    return handle


def _write(path: Path, data: bytes, mode: str) -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
