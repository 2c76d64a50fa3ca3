"""Settings of a conversion that need reading or checking: the key of pseudonyms, the zone of local times."""

from __future__ import annotations

import secrets
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.errors import CredentialError, UsageError

_KEY_BYTES = 32


def read_key(path: Path | None) -> bytes:
    """The key of pseudonyms from a file of 32 bytes (or 64 hex digits); a random one without a file.

    Raises:
        CredentialError: the file holds something else.
    """
    if path is None:
        return secrets.token_bytes(_KEY_BYTES)
    data = path.read_bytes()
    if len(data) == _KEY_BYTES:
        return data
    try:
        key = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise CredentialError(f"{path} holds no key: expected 32 bytes or 64 hex digits, found {len(data)} bytes.")
    return key


def check_zone(name: str) -> str | None:
    """A zone's IANA name, None for ``none``. Raises UsageError when there is no such zone."""
    if name == "none":
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"there is no time zone '{name}'. Give one like Asia/Shanghai, or 'none'.") from None
    return name
