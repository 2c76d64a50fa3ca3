"""The suppression list of a hospital: who was erased, as keyed hashes that say nothing without the key.

Two files in the site's zone: ``secrets/suppression.key`` (32 random bytes of its own, so that the list outlives a
rotation of the pseudonym key) and ``governance/suppression.json``, sealed by a keyed digest. Every ingest and replay
consults the list; one that was altered, or has lost its key, stops them: forgetting whom not to read is worse than
reading nobody.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import CredentialError, IntegrityError
from contracts.wire import canonical
from contracts.zone import SiteZone
from governance.files import make_private, read_private, write_private

KEY_FILE = "suppression.key"
LIST_FILE = "suppression.json"
KEY_BYTES = 32

PERSON, LINK, TOKEN = "person", "link", "token"
"""What a hash is of: a person's business key, a visit's (or another resource's of that person), one of their values."""


@dataclass(frozen=True)
class Suppression:
    """The list, opened.

    Attributes:
        hashes: by kind, 64 hex digits each.
    """

    key: bytes = field(repr=False, default=b"")
    hashes: frozenset[tuple[str, str]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def hash(self, kind: str, parts: Sequence[str]) -> str:
        """The keyed hash of a key's parts; each part's length stands before it, so that no two keys run together."""
        message = kind + "".join(f"|{len(part)}:{part}" for part in parts)
        return hmac.digest(self.key, message.encode("utf-8", "surrogatepass"), "sha256").hex()

    def of(self, kind: str) -> frozenset[str]:
        """The hashes of a kind."""
        return frozenset(value for found, value in self.hashes if found == kind)


def load_suppression(zone: SiteZone) -> Suppression:
    """The list of a site; empty when nobody was ever erased.

    Raises:
        CredentialError: the list's key is gone, or readable by others.
        IntegrityError: the list is gone or was altered.
    """
    listed, key = _list_path(zone), zone.secrets / KEY_FILE
    if not listed.exists() and not key.exists():
        return Suppression()
    if not key.exists():
        raise CredentialError(f"site '{zone.site}' has a suppression list but no {key}. Restore it from a backup.")
    secret = read_private(key)
    if not listed.exists():
        raise IntegrityError(f"site '{zone.site}': {listed} is gone. Restore it from a backup before anything is read.")
    body = json.loads(listed.read_text(encoding="utf-8"))
    hashes = frozenset((kind, value) for kind, values in body["hashes"].items() for value in values)
    if not hmac.compare_digest(body["seal"], _seal(secret, hashes)):
        raise IntegrityError(f"site '{zone.site}': {listed} was altered. Restore it from a backup.")
    return Suppression(secret, hashes)


def open_suppression(zone: SiteZone) -> Suppression:
    """``load_suppression``; the key and an empty list are made where there are none."""
    listed, key = _list_path(zone), zone.secrets / KEY_FILE
    if not listed.exists() and not key.exists():
        make_private(listed.parent)
        secret = os.urandom(KEY_BYTES)
        # The list first: a list without a key stops everything, a key without a list would too, but could not be told
        # from a list that was removed.
        _write(listed, secret, frozenset())
        write_private(key, secret)
    elif not key.exists() and not json.loads(listed.read_text(encoding="utf-8"))["hashes"]:
        listed.unlink()
        return open_suppression(zone)
    return load_suppression(zone)


def add_suppressed(zone: SiteZone, found: Iterable[tuple[str, str]]) -> Suppression:
    """Add ``(kind, hash)`` pairs to the list, durably; gives the list as it is then."""
    before = open_suppression(zone)
    hashes = before.hashes | frozenset(found)
    if hashes != before.hashes:
        _write(_list_path(zone), before.key, hashes)
    return Suppression(before.key, hashes)


def _list_path(zone: SiteZone) -> Path:
    return zone.governance / LIST_FILE


def _write(path: Path, key: bytes, hashes: frozenset[tuple[str, str]]) -> None:
    kinds = _by_kind(hashes)
    body = {"hashes": kinds, "seal": _seal(key, hashes)}
    write_private(path, json.dumps(body, indent=1).encode() + b"\n")


def _by_kind(hashes: frozenset[tuple[str, str]]) -> dict[str, list[str]]:
    return {kind: sorted(v for k, v in hashes if k == kind) for kind in sorted({k for k, _ in hashes})}


def _seal(key: bytes, hashes: frozenset[tuple[str, str]]) -> str:
    return hmac.digest(key, b"cloister/suppression/1\n" + canonical(_by_kind(hashes)), "sha256").hex()
