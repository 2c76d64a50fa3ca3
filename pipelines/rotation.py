"""Rotate a hospital's pseudonym key and make its tables again under the new one."""

from __future__ import annotations

from contracts.region import load_region
from fhir_mapping.lifecycle import marker
from pipelines import zone_work
from pipelines.locks import alone, locked
from pipelines.quarantine import zone_of
from pipelines.settings import Settings


def rotate(settings: Settings, site_name: str) -> tuple[int, int]:
    """Rotate, or finish a rotation that died; resources in silver and feature tables made again.

    Raises:
        UsageError: the site has no tables, or something else is at work.
        PrivacyError: an erasure is unfinished: finish it first.
        CloisterError: a step failed; the mark stays, and nothing runs until a later attempt succeeds.
    """
    from fhir_mapping.lifecycle.erase import remake
    from fhir_mapping.lifecycle.rotate import KEY_ROTATION, rotate_key
    from fhir_mapping.manifest import read_manifest
    from lake.maintenance import forget
    from quality.reconciliation import reconcile

    region, zone = load_region(settings.region), zone_of(settings, site_name)
    with locked(settings.work), alone(zone):
        marker.require_finished(zone, but=KEY_ROTATION)
        rotate_key(zone)
        days = sorted({entry.delivery_date for entry in read_manifest(zone)})
        with zone_work.engine(settings) as spark:
            report = remake(spark, zone, region, region.site(site_name), days)
            features = zone_work.remake_features(spark, zone, region)
        if report is not None:
            reconcile(zone).raise_if_unexplained()
        for path in sorted(zone.lake.glob("feature__*")):
            forget(path)
        resources = sum(report.resources_out.values()) if report else 0
        zone_work.note(zone, "key_rotated", {"resources": resources, "features": features})
        marker.end(zone)
    return resources, features
