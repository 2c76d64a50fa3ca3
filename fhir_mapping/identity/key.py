"""The site's pseudonym key: 32 random bytes made at set-up, which never leave the site's zone."""

from __future__ import annotations

from contracts.errors import CredentialError
from contracts.zone import SiteZone

KEY_FILE = "pseudonym.key"
KEY_BYTES = 32


def load_key(zone: SiteZone) -> bytes:
    """The key of this site. Raises CredentialError: absent, of another length, or readable by others."""
    path = zone.secrets / KEY_FILE
    if not path.is_file():
        raise CredentialError(f"site '{zone.site}' has no pseudonym key at {path}. Set the site up first.")
    if path.stat().st_mode & 0o077:
        raise CredentialError(f"{path} can be read by others (mode {path.stat().st_mode & 0o777:o}); expected 600.")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise CredentialError(f"{path} holds {len(key)} bytes; expected {KEY_BYTES}. Restore it from a backup.")
    return key
