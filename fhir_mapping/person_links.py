"""Replaced record numbers: Patients whose spec says ``replaced-by`` name who stands for them (A40, crosswalk tables).

``identity__link`` has every such statement of the mapped rows. Before silver is made, references to a replaced person
become references to the one who stands, wherever they are; the replaced Patient stays, inactive, with its link. Sites
whose specs link nobody pay nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as changed
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.zone import SiteZone
from fhir_mapping.identity.standing import Link, resolve_links
from fhir_mapping.mapping import MappedSource
from fhir_mapping.tables import RECORD, link_table
from lake.tables import arrow_schema, drop, exists, write_arrow

PERSON = "Patient"


def resolve_people(spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource]) -> list[MappedSource]:
    """Write ``identity__link`` and give the mapped rows with references to the people who stand."""
    target = link_table(zone)
    statements = [frame for source in sources for frame in _statements(source)]
    if not statements:
        if exists(target):
            drop(target)
        return list(sources)
    table = reduce(DataFrame.unionByName, statements).toArrow()
    rows = table.to_pylist()
    standing = resolve_links(
        Link(row["old_id"], row["new_id"], row["_order"], tuple(row[name] for name in RECORD)) for row in rows
    )
    written = [{**row, "standing_id": standing.get(row["old_id"])} for row in rows]
    write_arrow(pa.Table.from_pylist(written, schema=arrow_schema(target)), target)
    ends = {old: new for old, new in standing.items() if new is not None}
    return [_resolved(spark, source, ends) for source in sources] if ends else list(sources)


def _statements(source: MappedSource) -> list[DataFrame]:
    """Old id, new id, order and lineage of each record that says ``replaced-by``."""
    found = []
    for emit in source.mapping.emits:
        replaced_by = source.mapping.replaced_by(emit) if emit.resource == PERSON else None
        if replaced_by is not None:
            new = F.substring(replaced_by, len(PERSON) + 2, 64)
            columns = [F.col(emit.column).alias("old_id"), new.alias("new_id"), F.col("_order"), *map(F.col, RECORD)]
            rows = source.rows.select(*columns, F.lit(emit.name).alias("_spec"))
            found.append(rows.where(F.col("old_id").isNotNull() & F.col("new_id").isNotNull()))
    return found


def _resolved(spark: SparkSession, source: MappedSource, ends: dict[str, str]) -> MappedSource:
    """The rows with the ids that references to people are made of replaced."""
    rows = source.rows
    for name in source.mapping.ids_of(PERSON):
        known = spark.createDataFrame(sorted(ends.items()), f"{name}_old string, {name}_new string")
        joined = rows.join(F.broadcast(known), F.col(name) == F.col(f"{name}_old"), "left")
        current = F.coalesce(F.col(f"{name}_new"), F.col(name)).alias(name)
        rows = joined.select(*[current if column == name else F.col(column) for column in rows.columns])
    return changed(source, rows=rows)
