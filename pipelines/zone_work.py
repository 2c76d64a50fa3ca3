"""What commands need that change a hospital's tables outside its job: to be alone in the zone, an engine, features."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from contracts.errors import UsageError
from contracts.region import Region
from contracts.zone import SiteZone
from fhir_mapping.lifecycle.marker import require_finished
from governance.audit import AuditLog
from governance.files import make_private
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AUDIT = "audit.jsonl"


@contextmanager
def shared(zone: SiteZone) -> Iterator[None]:
    """A step of the site's job: others may run beside it, no erasure, rotation or replay.

    Raises:
        PrivacyError: an erasure or a rotation of the key was begun and has not ended.
        UsageError: one is at work.
    """
    with _locked(zone, fcntl.LOCK_SH):
        require_finished(zone)
        yield


@contextmanager
def alone(zone: SiteZone) -> Iterator[None]:
    """Nothing else may be at work in the zone. Raises UsageError when something is."""
    with _locked(zone, fcntl.LOCK_EX):
        yield


@contextmanager
def engine(settings: Settings) -> Iterator[SparkSession]:
    """The engine, imported late: PySpark takes seconds to import."""
    from lake.engine import EngineSettings, open_engine

    with open_engine(EngineSettings(kind=settings.engine)) as session:
        yield session


def remake_features(spark: SparkSession, zone: SiteZone, region: Region) -> int:
    """Make every feature table that is there again, from silver; drop those of tasks that are no more. How many."""
    from features.build import build_features

    tasks = {f"feature__{task.name}": task.name for task in region.tasks}
    tables = sorted(path for path in zone.lake.glob("feature__*") if path.is_dir())
    for path in tables:
        if path.name in tasks:
            build_features(spark, zone, region, tasks[path.name])
        else:
            shutil.rmtree(path)
    return len(tables)


def note(zone: SiteZone, event: str, facts: dict[str, Any]) -> None:
    """Add to the zone's audit chain what was done: counts and days, never a value."""
    make_private(zone.governance)
    with AuditLog(zone.governance / AUDIT) as audit:
        audit.append(event, facts)


@contextmanager
def _locked(zone: SiteZone, how: int) -> Iterator[None]:
    make_private(zone.governance)
    with (zone.governance / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"something else is at work in the zone of '{zone.site}': wait for it to end") from error
        yield
