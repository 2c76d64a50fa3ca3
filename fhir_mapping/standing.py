"""Which of the emitted resources stand, and which of their references have nobody to lead to.

Both are decided on ids alone, which are narrow columns of the mapped rows: the resources themselves are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from contracts.fhir import awaited
from contracts.zone import SiteZone
from fhir_mapping.mapping import MappedSource
from fhir_mapping.spec.model import Emit
from fhir_mapping.tables import AWAITED, RECORD, pending_table, superseded_table
from lake.tables import Table, arrow_schema, replace, write_arrow

_LATER = ("_order", "_delivery_date", "_file_name", "_record_no", "_spec")
"""Of two resources with one id the one with the greater values counts; no order is less than any."""


def emits_of(sources: Iterable[MappedSource], resource: str) -> list[tuple[MappedSource, Emit, DataFrame]]:
    """Every emit of the resource type, with the rows that emitted it."""
    return [
        (source, emit, source.rows.where(F.col(emit.column).isNotNull()))
        for source in sources
        for emit in source.mapping.emits
        if emit.resource == resource
    ]


def union(frames: Sequence[DataFrame]) -> DataFrame | None:
    return reduce(DataFrame.unionByName, frames) if frames else None


def id_of(reference: Column, target: str) -> Column:
    """The id in the text of a reference to a target type; null for another type."""
    return F.when(reference.startswith(f"{target}/"), F.substring(reference, len(target) + 2, 64))


def write_superseded(
    spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], types: Sequence[str]
) -> None:
    """All but the latest resource of each id; ids that stand more than once are all of these types.

    Only ids that stand more than once are sorted.
    """
    target = superseded_table(zone)
    found = []
    for resource in types:
        rows = _emissions(sources, resource)
        if rows is None:
            continue
        hashed = rows.withColumn("_hash", F.xxhash64("id"))
        # Counting hashes takes a third of the time and memory of ids; one that two ids share costs a sort of both.
        repeated = hashed.groupBy("_hash").agg(F.count(F.lit(1)).alias("n")).where("n > 1").select("_hash")
        rivals = hashed.join(F.broadcast(repeated), "_hash", "left_semi")
        later = [F.col(name).desc_nulls_last() for name in _LATER]
        ranked = rivals.withColumn("rank", F.row_number().over(Window.partitionBy("id").orderBy(*later)))
        losers = ranked.where("rank > 1").withColumn("resource", F.lit(resource))
        found.append(losers.select(*target.schema.names))
    _write(spark, target, found)


def write_pending(spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], types: Set[str]) -> None:
    """Ids that are referred to and that no record emitted; all of them are of these types."""
    target = pending_table(zone)
    found = []
    for resource in (name for name in AWAITED if name in types):
        asked = union([frame for source in sources for frame in _asked(source, resource)])
        if asked is None:
            continue
        there = union([rows.select(F.col(emit.column).alias("id")) for _, emit, rows in emits_of(sources, resource)])
        # Each id once before the join, whose table of the asked ones is held in memory.
        missing = asked.distinct() if there is None else asked.distinct().join(there, "id", "left_anti")
        found.append(missing.select(F.lit(resource).alias("resource"), "id"))
    _write(spark, target, found)


def _write(spark: SparkSession, target: Table, found: Sequence[DataFrame]) -> None:
    rows = union(found)
    if rows is None:
        write_arrow(arrow_schema(target).empty_table(), target)
    else:
        replace(spark, rows, target, columns={name: F.col(name) for name in target.schema.names})


def _emissions(sources: Sequence[MappedSource], resource: str) -> DataFrame | None:
    """Id, order and lineage of every emitted resource of a type: what winners are chosen by."""
    names = ("_order", *RECORD)
    return union(
        [
            rows.select(F.col(emit.column).alias("id"), *map(F.col, names), F.lit(emit.name).alias("_spec"))
            for _, emit, rows in emits_of(sources, resource)
        ]
    )


def _asked(source: MappedSource, target: str) -> list[DataFrame]:
    """Ids of a type that a source's resources refer to, but for those that the same record emits.

    Resources of a record mostly share a reference; it is asked for once.
    """
    texts: dict[str, tuple[Column, list[Column]]] = {}
    for emit in source.mapping.emits:
        element = awaited(emit.resource).get(target)
        text = None if element is None else source.mapping.reference(emit, element)
        if text is not None:
            texts.setdefault(str(text), (text, []))[1].append(F.col(emit.column).isNotNull())
    own = [F.col(emit.column) for emit in source.mapping.emits if emit.resource == target]
    frames = []
    for text, emitted in texts.values():
        wanted = source.rows.where(reduce(or_, emitted)).select(id_of(text, target).alias("id"), *own)
        for column in own:
            wanted = wanted.where(~F.coalesce(F.col("id") == column, F.lit(False)))
        frames.append(wanted.select("id").where(F.col("id").isNotNull()))
    return frames
