"""Mapped tables to silver: the latest resource of each id, with lineage and what it still waits for.

A pure function of all mapped tables and the manifest. Files delivered twice take no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pyspark.sql import DataFrame, SparkSession
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
from fhir_mapping.spec.tree import struct_type
from fhir_mapping.standing import emits_of, id_of, union, write_pending, write_superseded
from fhir_mapping.tables import RECORD, pending_table, silver_table, silver_types, superseded_table
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, drop, read, replace, write_arrow
from lake.together import run_together


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
    run_together(
        (
            partial(write_superseded, spark, zone, sources, types),
            partial(write_pending, spark, zone, sources),
            partial(write_quarantine, spark, zone, mapped, manifest),
        )
    )
    run_together(
        partial(_write_silver, spark, zone, resource, _wide(sources, resource, site.name)) for resource in types
    )
    return write_ledger(spark, zone, mapped, counts, manifest, erasures)


def _wide(sources: Sequence[MappedSource], resource: str, site: str) -> DataFrame | None:
    """Every emitted resource of a type in silver's columns, ``_pending`` excepted."""
    whole = struct_type(resource)
    frames = []
    for source, emit, rows in emits_of(sources, resource):
        made = source.mapping.elements(emit)
        named = [made.get(f.name, F.lit(None).cast(f.dataType)).alias(f.name) for f in whole.fields]
        lineage = [F.lit(site).alias("_site"), *map(F.col, RECORD), F.lit(emit.name).alias("_spec")]
        lineage += [F.lit(emit.digest).alias(DIGEST_FIELD), F.col("_terminology_version")]
        frames.append(rows.select(*named, *lineage))
    return union(frames)


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
        on = id_of(F.col(f"{elements[target]}.reference"), target) == F.col(f"_missing_{target}")
        rows = rows.join(F.broadcast(ids), on, "left")
    waits = [F.when(F.col(f"_missing_{name}").isNotNull(), F.lit(name)) for name in waited]
    entries = F.array(*waits, F.when(F.lit(False), F.lit("")))
    pending = F.filter(entries, lambda entry: entry.isNotNull()).alias("_pending")
    return rows.select(*[name for name in silver_table(zone, resource).schema.names if name != "_pending"], pending)


def _has(table: Table, resource: str) -> bool:
    """Whether a small table of this run has rows of a type; asked without the engine."""
    return resource in read_arrow(table.path, ["resource"]).column(0).unique().to_pylist()
