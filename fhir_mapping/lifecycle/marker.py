"""The mark of an erasure or a rotation of the key that has begun and not ended: nothing else may run until it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.errors import PrivacyError
from contracts.zone import SiteZone
from governance.files import make_private, sync_folder, write_private

FILE = "unfinished.json"

COMMANDS = {"erasure": "cloister erase", "key_rotation": "cloister key rotate"}


def begin(zone: SiteZone, what: str, **facts: Any) -> None:
    """Leave the mark, durably. ``facts``: what a second attempt needs to know; never a value of a person."""
    make_private(zone.governance)
    write_private(path(zone), json.dumps({"what": what, **facts}).encode())


def end(zone: SiteZone) -> None:
    """Take the mark away."""
    path(zone).unlink(missing_ok=True)
    sync_folder(zone.governance)


def unfinished(zone: SiteZone) -> dict[str, Any] | None:
    """What was begun and not ended: its facts under their names, ``what`` among them."""
    if not path(zone).exists():
        return None
    facts: dict[str, Any] = json.loads(path(zone).read_text(encoding="utf-8"))
    return facts


def require_finished(zone: SiteZone, but: str | None = None) -> None:
    """Refuse to go on while something is unfinished, ``but`` this.

    Raises:
        PrivacyError: names the command that finishes it.
    """
    found = unfinished(zone)
    if found is not None and found["what"] != but:
        raise PrivacyError(
            f"site '{zone.site}': {found['what'].replace('_', ' ')} was begun and has not ended, so nothing else runs. "
            f"Finish it: {COMMANDS[found['what']]} REGION --site {zone.site} --work DIR"
        )


def path(zone: SiteZone) -> Path:
    """Where the mark is."""
    return zone.governance / FILE
