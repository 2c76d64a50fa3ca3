"""Pulling a hospital's databases: as a step before its job, and as a Dagster sensor that looks for new rows."""

from __future__ import annotations

import os
from collections.abc import Iterator

import dagster as dg

from contracts.errors import BusyError, CloisterError
from contracts.region import Region, Site
from contracts.zone import SiteZone
from fhir_mapping.lifecycle.marker import require_finished
from fhir_mapping.pull import Pulled, database_sources, pull_site
from pipelines.locks import alone

PULL_SECONDS = 15 * 60


def pull_databases(zone: SiteZone, region: Region, site: Site) -> list[Pulled]:
    """Pull all database sources of a site, connection strings from the environment; nothing where there is none.

    Raises:
        BusyError: something else is at work in the zone.
        PrivacyError: an erasure or a rotation of the key is unfinished.
        CloisterError: as ``fhir_mapping.pull.pull_site``.
    """
    if not database_sources(site):
        return []
    with alone(zone):
        require_finished(zone)
        return pull_site(zone, region, site, os.environ)


def pull_sensors(zone: SiteZone, region: Region, site: Site) -> list[dg.SensorDefinition]:
    """One sensor for a site with database sources. It lands files; ``new_files`` asks for the runs that read them."""
    if not database_sources(site):
        return []

    @dg.sensor(name="new_rows", minimum_interval_seconds=PULL_SECONDS)
    def new_rows() -> Iterator[dg.SkipReason]:
        try:
            found = pull_databases(zone, region, site)
        except BusyError as error:
            yield dg.SkipReason(f"{error}; the next look is in {PULL_SECONDS // 60} minutes")
            return
        except CloisterError as error:
            # its cause may quote the connection string
            raise error from None
        yield dg.SkipReason(", ".join(f"{one.source}: {one.rows} new rows" for one in found))

    return [new_rows]
