"""The sensor that picks up new files in a hospital's landing folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from contracts.wire import canonical, digest
from contracts.zone import SiteZone


def landing_state(zone: SiteZone) -> dict[str, str]:
    """For each day of delivery a digest over its files (name, bytes, mtime in ns); another one is a new delivery.

    Dagster keeps the state outside the zone, and a file's name may tell of a patient: hence a digest.
    """
    if not zone.landing.is_dir():
        return {}
    return {
        day.name: digest(canonical(sorted(_describe(file) for file in day.iterdir() if file.is_file())))
        for day in sorted(zone.landing.iterdir())
        if day.is_dir()
    }


def _describe(file: Path) -> list[str | int]:
    stat = file.stat()
    return [file.name, stat.st_size, stat.st_mtime_ns]


def landing_sensor(zone: SiteZone, job_name: str) -> dg.SensorDefinition:
    """Request one run a day whose files changed since the cursor (the last state seen)."""

    @dg.sensor(name="new_files", job_name=job_name, minimum_interval_seconds=30)
    def new_files(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        seen = json.loads(context.cursor) if context.cursor else {}
        now = landing_state(zone)
        changed = [day for day, files in now.items() if seen.get(day) != files]
        if not changed:
            yield dg.SkipReason(f"no new file in {len(now)} days of delivery")
        for day in changed:
            yield dg.RunRequest(partition_key=day)
        context.update_cursor(json.dumps(now))

    return new_files
