"""``mapping__version``: every mapping a source was ever mapped by in this zone, so that a digest can be explained.

It grows only. It says from which day of delivery a mapping holds, not when it was first used: a replay on another
machine must give the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.types import ArrayType, BooleanType, StringType, StructField, StructType

from contracts.zone import SiteZone
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, exists, write_arrow

if TYPE_CHECKING:
    from fhir_mapping.mapping import Version

NAME = "mapping__version"


def table(zone: SiteZone) -> Table:
    """``mapping__version``."""
    schema = StructType(
        [
            StructField("source", StringType()),
            StructField("digest", StringType()),
            StructField("valid_from", StringType()),
            StructField("specs", ArrayType(StringType())),
            StructField("terminology_version", StringType()),
            StructField("is_present", BooleanType()),
        ]
    )
    return Table(zone.table(NAME), schema)


def record_versions(zone: SiteZone, versions: Sequence[Version]) -> None:
    """Add the mappings that are new; those that no spec makes any more stay, marked as former."""
    target = table(zone)
    before: list[dict[str, Any]] = read_arrow(target.path).to_pylist() if exists(target) else []
    rows = {(row["source"], row["digest"]): {**row, "is_present": False} for row in before}
    rows |= {(version.mapping.source, version.mapping.digest): _row(version) for version in versions}
    after = [rows[key] for key in sorted(rows)]
    if after != sorted(before, key=lambda row: (row["source"], row["digest"])):
        write_arrow(pa.Table.from_pylist(after, schema=arrow_schema(target)), target)


def _row(version: Version) -> dict[str, Any]:
    mapping = version.mapping
    return {
        "source": mapping.source,
        "digest": mapping.digest,
        "valid_from": version.valid_from or None,
        "specs": sorted({f"{emit.spec}={emit.digest}" for emit in mapping.emits}),
        "terminology_version": mapping.terminology,
        "is_present": True,
    }
