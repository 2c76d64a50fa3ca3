"""A new pseudonym key: every id changes, in every table, or none does.

    next key written -> mark (names the next key by digest) -> tables with ids dropped -> old key destroyed
    -> next key takes its place -> the caller makes the tables again -> mark taken away

Whatever is interrupted goes on from the mark: while it names a key that is not yet in place, the old ids are worth
nothing and nobody may read tables that mix both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from contracts.zone import SiteZone
from fhir_mapping.identity.key import KEY_BYTES, KEY_FILE, load_key
from fhir_mapping.lifecycle import marker
from governance.files import destroy, read_private, sync_folder, write_private

KEY_ROTATION = "key_rotation"
NEXT = "pseudonym.key.next"
WITHOUT_IDS = ("bronze_", "manifest__", "erased__", "mapping__", "ledger__", "quarantine__", "feature__")
"""Tables that stay: of records and counts. Features hold ids, and are written over by the caller. All others go."""


def rotate_key(zone: SiteZone) -> None:
    """Put a new key in the place of the site's, or finish what was begun; tables with ids are gone afterwards.

    Raises:
        CredentialError: there is no key to rotate, or it is readable by others.
    """
    begun = marker.unfinished(zone)
    wanted = begun["key"] if begun else None
    if wanted is None:
        load_key(zone)
        secret = os.urandom(KEY_BYTES)
        write_private(zone.secrets / NEXT, secret)
        wanted = _digest(secret)
        marker.begin(zone, KEY_ROTATION, key=wanted)
    for path in sorted(zone.lake.glob("*")):
        if not path.name.startswith(WITHOUT_IDS):
            shutil.rmtree(path)
    key, following = zone.secrets / KEY_FILE, zone.secrets / NEXT
    if not key.exists() or _digest(read_private(key)) != wanted:
        _replace(key, following)


def _replace(key: Path, following: Path) -> None:
    destroy(key)
    os.replace(following, key)
    sync_folder(key.parent)


def _digest(secret: bytes) -> str:
    """Names a key without telling it: 32 random bytes cannot be guessed from their hash."""
    return hashlib.sha256(b"cloister/pseudonym-key/1\n" + secret).hexdigest()
