"""The tables the mapper writes, as declared: names, columns, parts.

mapped_<system>__<entity>   one row a source record, one part a day of delivery
superseded__resource        emitted resources that a later record's resource of the same id replaced
pending__reference          Patients and Encounters that are referred to and have not arrived
identity__link              people whose record number was replaced, and who stands for them; absent where nobody's was
silver_fhir__<type>         the resources that stand
quarantine__record          records that emit nothing because they broke rules; refused files (``record_no`` -1)
ledger__file                what became of every record of every file
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pyspark.sql.types import ArrayType, DataType, LongType, StringType, StructField, StructType

from contracts.fhir import RESOURCES, silver_schema_json
from contracts.zone import SiteZone
from fhir_mapping.spec.compile import RULE, SourceMapping
from lake.tables import Table

RECORD = ("_delivery_date", "_source", "_file_id", "_file_name", "_record_no")
"""Columns that name a source record."""

AWAITED = ("Patient", "Encounter")
"""What a resource may wait for; ``contracts.fhir.awaited`` names the element that refers to it."""

WHOLE_FILE = -1
"""``record_no`` of a refused file in the quarantine."""


def mapped_table(zone: SiteZone, mapping: SourceMapping, valid_from: str = "") -> Table:
    """Rows of one source as its present specs map them; a table for each version of the specs by day of delivery."""
    name = f"mapped_{mapping.source}" + (f"_from_{valid_from.replace('-', '')}" if valid_from else "")
    return Table(zone.table(name), mapping.stored, partition_by=("_delivery_date",))


def mapped_paths(zone: SiteZone, source: str) -> list[Path]:
    """Folders of a source's mapped tables on disk, of all versions of its specs."""
    dated = re.compile(f"mapped_{re.escape(source)}(_from_[0-9]{{8}})?")
    return sorted(path for path in zone.lake.glob(f"mapped_{source}*") if dated.fullmatch(path.name))


def silver_table(zone: SiteZone, resource: str) -> Table:
    """The silver table of a resource type."""
    schema = StructType.fromJson(silver_schema_json(resource))
    return Table(silver_table_path(zone, resource), schema, partition_by=("_delivery_date",))


def silver_types(zone: SiteZone, emitted: Iterable[str] = ()) -> tuple[str, ...]:
    """Types with a silver table: those emitted, and those that earlier specs left on disk."""
    wanted = set(emitted)
    return tuple(
        name for name in RESOURCES if name in wanted or (silver_table_path(zone, name) / "_delta_log").is_dir()
    )


def silver_table_path(zone: SiteZone, resource: str) -> Path:
    """Where the silver table of a type is, or would be."""
    return zone.table(f"silver_fhir__{resource.lower()}")


def superseded_table(zone: SiteZone) -> Table:
    return Table(zone.table("superseded__resource"), _struct("resource", "id", *RECORD, "_spec"))


def link_table(zone: SiteZone) -> Table:
    """``standing_id``: whom references to ``old_id`` name in silver; null where statements go in a circle."""
    return Table(zone.table("identity__link"), _struct("old_id", "new_id", "standing_id", "_order", *RECORD, "_spec"))


def pending_table(zone: SiteZone) -> Table:
    return Table(zone.table("pending__reference"), _struct("resource", "id"))


def quarantine_table(zone: SiteZone) -> Table:
    schema = _struct("_delivery_date", "source", "file_id", "file_name", "record_no", "rules", "raw")
    return Table(zone.table("quarantine__record"), schema)


def ledger_table(zone: SiteZone) -> Table:
    """``resources_out`` is a JSON object, resources in silver by type; ``resources_replaced`` those that stand no more.

    ``pending`` counts resources in silver that wait for a reference; it is no disposition.
    """
    schema = _struct(
        "delivery_date",
        "source",
        "file_id",
        "file_name",
        *LEDGER_COUNTS,
        "resources_out",
        "spec_digest",
    )
    return Table(zone.table("ledger__file"), schema)


DISPOSITIONS = ("mapped", "quarantined", "skipped", "superseded", "erased")
LEDGER_COUNTS = ("records_in", *DISPOSITIONS, "pending", "resources_replaced")

_TYPES: dict[str, DataType] = {
    "_record_no": LongType(),
    "record_no": LongType(),
    "rules": ArrayType(RULE),
    **{name: LongType() for name in LEDGER_COUNTS},
}


def _struct(*names: str) -> StructType:
    return StructType([StructField(name, _TYPES.get(name, StringType())) for name in names])
