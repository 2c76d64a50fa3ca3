"""Files in landing that no source reads: nobody can say whose they are, so an erasure cannot vouch for them.

Those that mention a person's number were emptied (``enforcement.cut_unread``); a name alone is not found.
"""

from __future__ import annotations

import os
from pathlib import Path

from contracts.region import Site
from contracts.zone import SiteZone
from fhir_mapping.landing import delivered_files, landing_days


def unread_files(zone: SiteZone, site: Site) -> tuple[Path, ...]:
    """Every file below landing that holds bytes and that no source reads: not claimed, refused, outside a day of
    delivery, or hidden."""
    read = {
        delivered.path
        for day in landing_days(zone)
        for delivered in delivered_files(zone, site, day)
        if delivered.file is not None
    }
    found = [Path(root) / name for root, _, names in os.walk(zone.landing) for name in names]
    return tuple(sorted(path for path in found if path not in read and (path.is_symlink() or path.stat().st_size)))
