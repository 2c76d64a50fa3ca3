"""What commands need that change a hospital's tables outside its job: an engine, features, the audit chain."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from contracts.region import Region
from contracts.zone import SiteZone
from governance.audit import AuditLog
from governance.files import make_private
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AUDIT = "audit.jsonl"


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
