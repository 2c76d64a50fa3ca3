"""Audit chains: JSON Lines in which each entry holds the hash of the one before it.

    {"at": "...", "event": "...", "facts": {...}, "hash": "...", "number": 0, "previous": "000..."}

An entry is written with its line end and fsync before anything that it permits happens. A crash can leave an
unfinished last line, whose writer never went on: the next writer cuts it off and says so in an entry of its own.
A chain proves that nothing inside was altered or left out; that its end was not cut off is proved by those who
remember a head of it (``contains``).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from contracts.errors import AuditChainError, UsageError
from contracts.messages import NO_DIGEST, Head
from contracts.wire import canonical, digest


@dataclass(frozen=True)
class Entry:
    """One line of a chain. ``facts``: JSON-like, no floats, never a patient value."""

    number: int
    at: str
    event: str
    facts: dict[str, Any]
    previous: str
    hash: str

    def line(self) -> bytes:
        return canonical({**self._body(), "hash": self.hash}) + b"\n"

    def expected_hash(self) -> str:
        return digest(b"cloister/audit/1\n" + canonical(self._body()))

    def _body(self) -> dict[str, Any]:
        return {
            "number": self.number, "at": self.at, "event": self.event, "facts": self.facts, "previous": self.previous,
        }  # fmt: skip


class AuditLog:
    """The one writer of a chain; reads and proves it when opened. Use as a context manager or ``close`` it.

    Raises:
        AuditChainError: the chain is broken (at opening).
        UsageError: another process has it open.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise UsageError(f"{path} is being written by another process: stop that one first") from error
        try:
            torn = self._cut_torn_line()
            self.entries: list[Entry] = list(read_audit(path))
        except BaseException:
            self.close()
            raise
        if torn:
            self.append("torn_line_cut", {"bytes": len(torn), "sha256": digest(torn)})

    @property
    def head(self) -> Head:
        """Number of entries and hash of the last."""
        return Head(entries=len(self.entries), last=self.entries[-1].hash if self.entries else NO_DIGEST)

    def contains(self, head: Head) -> bool:
        """Whether this chain once stood at ``head``. False: it was restored from a copy, or is another chain."""
        if head.entries == 0:
            return head.last == NO_DIGEST
        return head.entries <= len(self.entries) and self.entries[head.entries - 1].hash == head.last

    def append(self, event: str, facts: dict[str, Any]) -> Entry:
        """Write one entry; durable when this returns.

        Raises OSError when it could not be written whole. Nobody knows then what is on disk, so this writer takes no
        further entry; the next one cuts a torn line off.
        """
        if self._descriptor < 0:
            raise OSError(f"{self.path} is closed, perhaps after a failed write: start its writer again")
        head = self.head
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        draft = Entry(head.entries, at, event, facts, head.last, "")
        entry = Entry(head.entries, at, event, facts, head.last, draft.expected_hash())
        line = entry.line()
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(f"{self.path}: entry {entry.number} was written in part; is the disk full?")
            os.fsync(self._descriptor)
        except BaseException:
            self.close()
            raise
        self.entries.append(entry)
        return entry

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def _cut_torn_line(self) -> bytes:
        """Remove what stands after the last line end; returns it."""
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._descriptor, whole)
            os.fsync(self._descriptor)
        return data[whole:]


def read_audit(path: Path) -> Iterator[Entry]:
    """The entries of a chain in order, each proved. Raises AuditChainError naming the first broken one."""
    previous = NO_DIGEST
    with path.open("rb") as stream:
        for number, line in enumerate(stream):
            entry = _parse(path, number, line)
            if entry.number != number or entry.previous != previous:
                raise AuditChainError(f"{path}: entry {number} does not follow the one before it")
            if entry.hash != entry.expected_hash() or entry.line() != line:
                raise AuditChainError(f"{path}: entry {number} was altered: its hash does not fit its content")
            previous = entry.hash
            yield entry


def verify_audit(path: Path, remembered: Head | None = None) -> int:
    """Prove a chain whole and count its entries.

    Args:
        remembered: a head of this chain that someone kept; the chain must contain it.

    Raises:
        AuditChainError: names the first broken entry, counted from 0.
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"no audit chain at {path}")
    hashes = [entry.hash for entry in read_audit(path)]
    if remembered is not None and remembered.entries > 0:
        kept = hashes[remembered.entries - 1] if remembered.entries <= len(hashes) else None
        if kept != remembered.last:
            raise AuditChainError(
                f"{path}: entry {remembered.entries - 1} is not the one remembered: the chain was cut or replaced"
            )
    return len(hashes)


def _parse(path: Path, number: int, line: bytes) -> Entry:
    if not line.endswith(b"\n"):
        raise AuditChainError(
            f"{path}: entry {number} is an unfinished line (a crash while writing?): its writer cuts it when started"
        )
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise AuditChainError(f"{path}: entry {number} is not an audit entry") from error
