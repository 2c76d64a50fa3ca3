"""Mapped tables to silver: the latest resource of each id, with lineage and what it still waits for.

A pure function of all mapped tables and the manifest. Files delivered twice take no part. Only what has changed is
written: parts are days, see ``fhir_mapping.silver_parts``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial, reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from contracts.errors import SchemaDriftError
from contracts.fhir import awaited
from contracts.region import Region, Site
from contracts.zone import SiteZone
from fhir_mapping.id_hashes import look
from fhir_mapping.ledger import FileCount, SiteReport, check_mapped, count_mapped, write_ledger
from fhir_mapping.lifecycle.erased import read_erasures
from fhir_mapping.manifest import FileEntry, in_batches, read_manifest
from fhir_mapping.mapping import MappedSource, read_mapped
from fhir_mapping.person_links import resolve_people
from fhir_mapping.quarantine import write_quarantine
from fhir_mapping.silver_parts import DAY, Digests, Parts, digests_by_type, note_parts, stale_days
from fhir_mapping.spec.compile import DIGEST_FIELD
from fhir_mapping.spec.model import Emit
from fhir_mapping.spec.tree import filled, struct_type
from fhir_mapping.standing import emits_of, id_of, union, write_pending, write_superseded
from fhir_mapping.tables import RECORD, pending_table, silver_table, silver_types, superseded_table
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, create, drop, read, replace, write_arrow
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
    seen = look(sources)
    run_together(
        (
            partial(write_superseded, spark, zone, sources, [name for name in types if name in seen.repeated]),
            partial(write_pending, spark, zone, sources, seen.missing),
            partial(write_quarantine, zone, mapped, counts, manifest),
        )
    )
    replaced, missing = _types_in(superseded_table(zone)), _types_in(pending_table(zone))
    parts = Parts.of(zone, sources, manifest, read(spark, superseded_table(zone)) if replaced else None)
    waiting = _waiting(spark, zone, sources, types, missing)
    writer = _Writer(spark, zone, site.name, sources, manifest, parts, replaced, missing, waiting)
    run_together(partial(writer.write, resource) for resource in _longest_first(types, sources, counts))
    return write_ledger(spark, zone, mapped, counts, manifest, erasures)


def _longest_first(types: Sequence[str], sources: Sequence[MappedSource], counts: Sequence[FileCount]) -> Sequence[str]:
    """Types by the records that may emit them: begun last, the longest would leave all cores but one idle."""
    records: Counter[str] = Counter()
    for count in counts:
        records[count.source] += count.mapped
    emitting: Counter[str] = Counter()
    for source in sources:
        for emit in source.mapping.emits:
            emitting[emit.resource] += records[source.mapping.source]
    return sorted(types, key=lambda resource: -emitting[resource])


@dataclass(frozen=True)
class _Writer:
    """Writes the silver tables of one run: of each type the parts that are not as they should be.

    Attributes:
        replaced: types of which some resources stand no more.
        missing: types of which some are referred to and have not arrived.
        waiting: digest of the resources that wait for one of them, by type and day.
    """

    spark: SparkSession
    zone: SiteZone
    site: str
    sources: Sequence[MappedSource]
    manifest: Sequence[FileEntry]
    parts: Parts
    replaced: Set[str]
    missing: Set[str]
    waiting: Mapping[str, Digests]

    def write(self, resource: str) -> None:
        """One commit for the stale parts of a type, more for many records, then the note of what they are made of."""
        target = silver_table(self.zone, resource)
        made_of = self.parts.fingerprints(self.sources, target, resource, self.waiting.get(resource, {}))
        try:
            self._replace(resource, stale_days(self.zone, resource, made_of))
        except SchemaDriftError:
            # Left by an earlier release with other columns; every part is made of mapped rows anyway.
            drop(target)
            self._replace(resource, stale_days(self.zone, resource, made_of))
        note_parts(self.zone, resource, made_of)

    def _replace(self, resource: str, days: Sequence[str]) -> None:
        target = silver_table(self.zone, resource)
        create(target)
        for batch in in_batches(self.manifest, days):
            shape = self._shape(resource) if len(batch) == 1 else struct_type(resource)
            made = self._made(resource, batch, shape)
            if made:
                rows, columns = made[0] if len(made) == 1 else _together(made)
                lineage = [target.schema[name] for name in columns if name not in shape.names]
                replace(self.spark, rows, target, {DAY: batch}, columns, StructType([*shape.fields, *lineage]))
            else:
                write_arrow(arrow_schema(target).empty_table(), target, where={DAY: batch})

    def _shape(self, resource: str) -> StructType:
        """The part of a resource's type that the specs fill."""
        trees = [source.mapping.tree(emit) for source, emit, _ in emits_of(self.sources, resource)]
        return filled(struct_type(resource), trees)

    def _made(self, resource: str, days: Sequence[str], shape: StructType) -> list[tuple[DataFrame, dict[str, Column]]]:
        """The resources of a type that stand, of some days of delivery: of each emit its rows, and silver's columns.

        What stands and what waits is found before the resources are put together: mapped rows are narrower.
        """
        found = []
        for source, emit, emitted in emits_of(self.sources, resource):
            rows = self._standing(resource, emit, emitted.where(F.col(DAY).isin(list(days))))
            rows, pending = self._with_pending(resource, source, emit, rows)
            columns = source.mapping.elements(emit, shape)
            columns |= {"_site": F.lit(self.site), **{name: F.col(name) for name in RECORD}}
            columns |= {"_spec": F.lit(emit.name), DIGEST_FIELD: F.lit(emit.digest)}
            columns |= {"_terminology_version": F.col("_terminology_version"), "_pending": pending}
            found.append((rows, columns))
        return found

    def _standing(self, resource: str, emit: Emit, rows: DataFrame) -> DataFrame:
        """The rows whose resource no later record replaced."""
        if resource not in self.replaced:
            return rows
        superseded = read(self.spark, superseded_table(self.zone))
        losers = superseded.where((F.col("resource") == resource) & (F.col("_spec") == emit.name))
        named = losers.select(F.col("id").alias(emit.column), *RECORD)
        return rows.join(F.broadcast(named), [emit.column, *RECORD], "left_anti")

    def _with_pending(
        self, resource: str, source: MappedSource, emit: Emit, rows: DataFrame
    ) -> tuple[DataFrame, Column]:
        """The rows, and the types of the references in their resource that have not arrived."""
        waits = []
        for target, element in awaited(resource).items():
            text = source.mapping.reference(emit, element)
            if target in self.missing and text is not None:
                found = f"_missing_{target}"
                ids = read(self.spark, pending_table(self.zone)).where(F.col("resource") == target)
                rows = rows.join(
                    F.broadcast(ids.select(F.col("id").alias(found))), id_of(text, target) == F.col(found), "left"
                )
                waits.append(F.when(F.col(found).isNotNull(), F.lit(target)))
        entries = F.array(*waits, F.when(F.lit(False), F.lit("")))
        return rows, F.filter(entries, lambda entry: entry.isNotNull())


def _together(made: Sequence[tuple[DataFrame, dict[str, Column]]]) -> tuple[DataFrame, dict[str, Column]]:
    """The rows of several emits as one frame, and the same columns in it."""
    frames = [rows.select(*[column.alias(name) for name, column in columns.items()]) for rows, columns in made]
    return reduce(DataFrame.unionByName, frames), {name: F.col(name) for name in made[0][1]}


def _waiting(
    spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], types: Sequence[str], missing: Set[str]
) -> Mapping[str, Digests]:
    """Digests of the ids that wait for a reference, by type and day; of ids and targets, no resource is read."""
    frames = []
    for resource in types:
        for target, element in awaited(resource).items():
            for source, emit, rows in emits_of(sources, resource) if target in missing else ():
                text = source.mapping.reference(emit, element)
                if text is not None:
                    ids = read(spark, pending_table(zone)).where(F.col("resource") == target).select("id")
                    asked = rows.select(DAY, F.col(emit.column).alias("waits"), id_of(text, target).alias("id"))
                    waits = asked.join(F.broadcast(ids), "id", "left_semi")
                    frames.append(waits.withColumn("resource", F.lit(resource)))
    rows = union(frames)
    return {} if rows is None else digests_by_type(rows, ["waits", "id"])


def _types_in(table: Table) -> frozenset[str]:
    """Resource types of which a small table of this run has rows; asked without the engine."""
    return frozenset(read_arrow(table.path, ["resource"]).column(0).unique().to_pylist())
