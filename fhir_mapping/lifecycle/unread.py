"""Files in landing that no source reads: nobody can say whose they are, so an erasure cannot vouch for them.

Those that mention a person's number were emptied (``enforcement.cut_unread``); a name alone is not found.
"""

from __future__ import annotations

import os
from pathlib import Path

from contracts.errors import PrivacyError
from contracts.region import Site
from contracts.zone import SiteZone
from fhir_mapping.landing import delivered_files, landing_days


def unread_files(zone: SiteZone, site: Site) -> tuple[Path, ...]:
    """Every file below landing that holds bytes and that no source reads: not claimed, refused, outside a day of
    delivery, or hidden. A link to a folder stands for all that is behind it.

    Raises:
        PrivacyError: a folder cannot be looked into.
    """
    read = {
        delivered.path
        for day in landing_days(zone)
        for delivered in delivered_files(zone, site, day)
        if delivered.file is not None
    }
    found = []
    for root, folders, names in os.walk(zone.landing, onerror=_refuse):
        linked = [name for name in folders if (Path(root) / name).is_symlink()]
        found += [Path(root) / name for name in (*names, *linked)]
    return tuple(sorted(path for path in found if path not in read and (path.is_symlink() or path.stat().st_size)))


def _refuse(error: OSError) -> None:
    raise PrivacyError(
        f"a folder in landing cannot be looked into ({error.strerror}): nobody can say whether a file there tells of "
        "the person. Let its owner read it, then run again."
    ) from error
