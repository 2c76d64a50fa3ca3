"""Mapped tables to silver: the latest resource of each id, with lineage and what it still waits for.

A pure function of all mapped tables and the manifest. Files delivered twice take no part. Only what has changed is
written: parts are days, see ``fhir_mapping.silver_parts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.errors import SchemaDriftError
from contracts.fhir import awaited
from contracts.region import Region, Site
from contracts.zone import SiteZone
from fhir_mapping.ledger import SiteReport, check_mapped, count_mapped, write_ledger
from fhir_mapping.lifecycle.erased import read_erasures
from fhir_mapping.manifest import FileEntry, in_batches, read_manifest
from fhir_mapping.mapping import MappedSource, read_mapped
from fhir_mapping.person_links import resolve_people
from fhir_mapping.quarantine import write_quarantine
from fhir_mapping.silver_parts import DAY, Parts, digests_by_day, note_parts, stale_days
from fhir_mapping.spec.compile import DIGEST_FIELD
from fhir_mapping.spec.tree import struct_type
from fhir_mapping.standing import emits_of, id_of, union, write_pending, write_superseded
from fhir_mapping.tables import RECORD, pending_table, silver_table, silver_types, superseded_table
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, drop, exists, read, replace, write_arrow
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
    parts = Parts.of(spark, zone, sources, manifest)
    writer = _Writer(spark, zone, site.name, sources, manifest, parts)
    run_together(partial(writer.write, resource) for resource in types)
    return write_ledger(spark, zone, mapped, counts, manifest, erasures)


@dataclass(frozen=True)
class _Writer:
    """Writes the silver tables of one run: of each type the parts that are not as they should be."""

    spark: SparkSession
    zone: SiteZone
    site: str
    sources: Sequence[MappedSource]
    manifest: Sequence[FileEntry]
    parts: Parts

    def write(self, resource: str) -> None:
        """One commit for the stale parts of a type, more for many records, then the note of what they are made of."""
        made_of = self.parts.fingerprints(
            self.sources, silver_table(self.zone, resource), resource, self._waiting(resource)
        )
        try:
            self._replace(resource, stale_days(self.zone, resource, made_of))
        except SchemaDriftError:
            # Left by an earlier release with other columns; every part is made of mapped rows anyway.
            drop(silver_table(self.zone, resource))
            self._replace(resource, stale_days(self.zone, resource, made_of))
        note_parts(self.zone, resource, made_of)

    def _replace(self, resource: str, days: Sequence[str]) -> None:
        target = silver_table(self.zone, resource)
        if not exists(target):
            write_arrow(arrow_schema(target).empty_table(), target)
        rows = self._wide(resource)
        for batch in in_batches(self.manifest, days):
            where = {DAY: batch}
            if rows is None:
                write_arrow(arrow_schema(target).empty_table(), target, where)
                continue
            standing = _standing(self.spark, self.zone, resource, rows.where(F.col(DAY).isin(batch)))
            replace(self.spark, _with_pending(self.spark, self.zone, resource, standing), target, where)

    def _wide(self, resource: str) -> DataFrame | None:
        """Every emitted resource of a type in silver's columns, ``_pending`` excepted."""
        whole = struct_type(resource)
        frames = []
        for source, emit, rows in emits_of(self.sources, resource):
            made = source.mapping.elements(emit)
            named = [made.get(f.name, F.lit(None).cast(f.dataType)).alias(f.name) for f in whole.fields]
            lineage = [F.lit(self.site).alias("_site"), *map(F.col, RECORD), F.lit(emit.name).alias("_spec")]
            lineage += [F.lit(emit.digest).alias(DIGEST_FIELD), F.col("_terminology_version")]
            frames.append(rows.select(*named, *lineage))
        return union(frames)

    def _waiting(self, resource: str) -> dict[str, str]:
        """Digest of the ids of a type that wait for a reference, by day; of ids and targets, no resource is read."""
        frames = []
        for target, element in awaited(resource).items():
            if not _has(pending_table(self.zone), target):
                continue
            missing = read(self.spark, pending_table(self.zone)).where(F.col("resource") == target).select("id")
            for source, emit, rows in emits_of(self.sources, resource):
                text = source.mapping.reference(emit, element)
                if text is not None:
                    asked = rows.select(DAY, F.col(emit.column).alias("waits"), id_of(text, target).alias("id"))
                    frames.append(asked.join(F.broadcast(missing), "id", "left_semi"))
        rows = union(frames)
        return {} if rows is None else digests_by_day(rows, ["waits", "id"])


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
