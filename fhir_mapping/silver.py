"""Mapped tables to silver: the latest resource of each id, with lineage and what it still waits for.

A pure function of all mapped tables and the manifest. Files delivered twice take no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from contracts.errors import SchemaDriftError
from contracts.fhir import awaited
from contracts.region import Region, Site
from contracts.zone import SiteZone
from fhir_mapping.ledger import SiteReport, check_mapped, count_mapped, write_ledger
from fhir_mapping.lifecycle.erased import read_erasures
from fhir_mapping.manifest import read_manifest
from fhir_mapping.mapping import MappedSource, read_mapped
from fhir_mapping.person_links import resolve_people
from fhir_mapping.quarantine import write_quarantine
from fhir_mapping.spec.compile import DIGEST_FIELD
from fhir_mapping.spec.model import Emit
from fhir_mapping.spec.tree import struct_type
from fhir_mapping.tables import RECORD, pending_table, silver_table, silver_types, superseded_table
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, drop, read, replace, write_arrow

AWAITED = ("Patient", "Encounter")
"""What a resource may wait for; ``contracts.fhir.awaited`` names the element that refers to it."""

_LATER = ("_order", "_delivery_date", "_file_name", "_record_no", "_spec")
"""Of two resources with one id the one with the greater values counts; no order is less than any."""


def build_silver(spark: SparkSession, zone: SiteZone, region: Region, site: Site) -> SiteReport:
    """Write silver, quarantine and ledger of a site from all its mapped tables. Safe to repeat.

    Raises:
        DataError: an ingested day is not mapped by the present specs; map it first.
        SpecError, CredentialError: as ``map_day``.
    """
    manifest = read_manifest(zone)
    sources = read_mapped(spark, zone, region, site, manifest)
    counts = count_mapped(sources)
    erasures = read_erasures(zone)
    check_mapped(counts, sources, manifest, erasures)
    mapped, sources = sources, resolve_people(spark, zone, sources)
    types = silver_types(zone, (emit.resource for source in sources for emit in source.mapping.emits))
    narrow = {resource: _narrow(sources, resource) for resource in types}
    _write_superseded(spark, zone, narrow)
    _write_pending(spark, zone, narrow)
    for resource in types:
        _write_silver(spark, zone, resource, _wide(sources, resource, site.name))
    write_quarantine(spark, zone, mapped, manifest)
    return write_ledger(spark, zone, mapped, counts, manifest, erasures)


def _emits(sources: Iterable[MappedSource], resource: str) -> list[tuple[MappedSource, Emit, DataFrame]]:
    """Every emit of the resource type, with the rows that emitted it."""
    return [
        (source, emit, source.rows.where(F.col(emit.column).isNotNull()))
        for source in sources
        for emit in source.mapping.emits
        if emit.resource == resource
    ]


def _union(frames: Sequence[DataFrame]) -> DataFrame | None:
    return reduce(DataFrame.unionByName, frames) if frames else None


def _narrow(sources: Sequence[MappedSource], resource: str) -> DataFrame | None:
    """Id, order, lineage and references of every emitted resource of a type: what winners are chosen by."""
    frames = []
    for source, emit, rows in _emits(sources, resource):
        columns = [F.col(emit.column).alias("id"), F.col("_order"), *map(F.col, RECORD)]
        columns.append(F.lit(emit.name).alias("_spec"))
        elements = awaited(resource)
        for target in AWAITED:
            columns.append(_referred(source, emit, target, elements.get(target)).alias(target))
        frames.append(rows.select(*columns))
    return _union(frames)


def _referred(source: MappedSource, emit: Emit, target: str, element: str | None) -> Column:
    text = None if element is None else source.mapping.reference(emit, element)
    return F.lit(None).cast("string") if text is None else _id_of(text, target)


def _id_of(reference: Column, target: str) -> Column:
    return F.when(reference.startswith(f"{target}/"), F.substring(reference, len(target) + 2, 64))


def _write_superseded(spark: SparkSession, zone: SiteZone, narrow: Mapping[str, DataFrame | None]) -> None:
    """All but the latest of each id. Only ids that stand more than once are sorted."""
    target = superseded_table(zone)
    found = []
    for resource, rows in narrow.items():
        if rows is None:
            continue
        repeated = rows.groupBy("id").agg(F.count(F.lit(1)).alias("n")).where("n > 1").select("id")
        rivals = rows.join(repeated, "id", "left_semi")
        later = [F.col(name).desc_nulls_last() for name in _LATER]
        ranked = rivals.withColumn("rank", F.row_number().over(Window.partitionBy("id").orderBy(*later)))
        losers = ranked.where("rank > 1").withColumn("resource", F.lit(resource))
        found.append(losers.select(*target.schema.names))
    empty = spark.createDataFrame([], target.schema)
    replace(spark, _union(found) or empty, target)


def _write_pending(spark: SparkSession, zone: SiteZone, narrow: Mapping[str, DataFrame | None]) -> None:
    """Ids that are referred to and that no record emitted."""
    target = pending_table(zone)
    found = []
    for resource in AWAITED:
        asked = _union([rows.select(F.col(resource).alias("id")) for rows in narrow.values() if rows is not None])
        if asked is None:
            continue
        missing = asked.where(F.col("id").isNotNull()).distinct()
        there = narrow.get(resource)
        if there is not None:
            missing = missing.join(there.select("id"), "id", "left_anti")
        found.append(missing.select(F.lit(resource).alias("resource"), "id"))
    empty = spark.createDataFrame([], target.schema)
    replace(spark, _union(found) or empty, target)


def _wide(sources: Sequence[MappedSource], resource: str, site: str) -> DataFrame | None:
    """Every emitted resource of a type in silver's columns, ``_pending`` excepted."""
    whole = struct_type(resource)
    frames = []
    for source, emit, rows in _emits(sources, resource):
        made = source.mapping.elements(emit)
        named = [made.get(f.name, F.lit(None).cast(f.dataType)).alias(f.name) for f in whole.fields]
        lineage = [F.lit(site).alias("_site"), *map(F.col, RECORD), F.lit(emit.name).alias("_spec")]
        lineage += [F.lit(emit.digest).alias(DIGEST_FIELD), F.col("_terminology_version")]
        frames.append(rows.select(*named, *lineage))
    return _union(frames)


def _write_silver(spark: SparkSession, zone: SiteZone, resource: str, rows: DataFrame | None) -> None:
    try:
        _replace_silver(spark, zone, resource, rows)
    except SchemaDriftError:
        # Left by an earlier release with other columns; silver is written whole from the mapped rows anyway.
        drop(silver_table(zone, resource))
        _replace_silver(spark, zone, resource, rows)


def _replace_silver(spark: SparkSession, zone: SiteZone, resource: str, rows: DataFrame | None) -> None:
    target = silver_table(zone, resource)
    if rows is None:
        write_arrow(arrow_schema(target).empty_table(), target)
        return
    replace(spark, _with_pending(spark, zone, resource, _standing(spark, zone, resource, rows)), target)


def _standing(spark: SparkSession, zone: SiteZone, resource: str, rows: DataFrame) -> DataFrame:
    """The rows that no later record replaced."""
    if not _has(superseded_table(zone), resource):
        return rows
    losers = read(spark, superseded_table(zone)).where(F.col("resource") == resource)
    return rows.join(F.broadcast(losers.select("id", *RECORD, "_spec")), ["id", *RECORD, "_spec"], "left_anti")


def _with_pending(spark: SparkSession, zone: SiteZone, resource: str, rows: DataFrame) -> DataFrame:
    """``_pending``: the types of the references that have not arrived."""
    elements = awaited(resource)
    waited = [name for name in elements if _has(pending_table(zone), name)]
    for target in waited:
        missing = read(spark, pending_table(zone)).where(F.col("resource") == target)
        ids = missing.select(F.col("id").alias(f"_missing_{target}"))
        on = _id_of(F.col(f"{elements[target]}.reference"), target) == F.col(f"_missing_{target}")
        rows = rows.join(F.broadcast(ids), on, "left")
    waits = [F.when(F.col(f"_missing_{name}").isNotNull(), F.lit(name)) for name in waited]
    entries = F.array(*waits, F.when(F.lit(False), F.lit("")))
    pending = F.filter(entries, lambda entry: entry.isNotNull()).alias("_pending")
    return rows.select(*[name for name in silver_table(zone, resource).schema.names if name != "_pending"], pending)


def _has(table: Table, resource: str) -> bool:
    """Whether a small table of this run has rows of a type; asked without the engine."""
    return resource in set(read_arrow(table.path, ["resource"]).column(0).to_pylist())
