"""Bronze to mapped tables: ``mapped_<system>__<entity>``, one row a source record, replaced by day of delivery.

A mapped row holds what the record became: the ids of the resources it emits and the values they are made of, each once
(silver alone holds them as resources), the rules it broke, or why it was skipped. It is a function of the bronze row,
the specs, the code maps and the site's key alone.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.errors import SchemaDriftError
from contracts.region import Region, Site, Source
from contracts.zone import SiteZone
from fhir_mapping import bronze
from fhir_mapping.identity.key import load_key
from fhir_mapping.manifest import FileEntry, in_batches, read_manifest
from fhir_mapping.spec.check import maps_of
from fhir_mapping.spec.compile import DIGEST_FIELD, SourceMapping, compile_source
from fhir_mapping.spec.model import in_force, load_emits
from fhir_mapping.spec.plan import Setting
from fhir_mapping.tables import mapped_paths, mapped_table
from fhir_mapping.terminology.code_map import load_map
from fhir_mapping.versions import record_versions
from lake.data_files import DataFile, data_files
from lake.reader import batches
from lake.tables import Table, drop, exists, read, replace
from lake.texts import read_texts
from lake.together import run_together

LAST_DAY = "9999-12-31"


@dataclass(frozen=True)
class MapReport:
    """What one call mapped: days by source; more days than asked for where specs or code maps had changed."""

    days: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Version:
    """The mapping of a source for a span of days of delivery.

    Attributes:
        valid_from: first day; empty: from the start.
        valid_until: the day on which the next version begins; None: for good.
    """

    mapping: SourceMapping
    valid_from: str = ""
    valid_until: str | None = None

    def covers(self, day: str) -> bool:
        """Whether it maps what was delivered on a day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True)
class MappedSource:
    """A version of a source's mapping and all rows it mapped, ``_source`` added.

    Attributes:
        table: they are in; perhaps never written.
        rows: without those of files delivered twice, which take no part in silver.
        all_rows: with them.
    """

    version: Version
    table: Table
    rows: DataFrame
    all_rows: DataFrame

    @property
    def is_as_stored(self) -> bool:
        """Whether ``rows`` are all rows of the table, unchanged."""
        return self.rows is self.all_rows

    def files(self) -> list[DataFile]:
        """The data files of the table's own rows."""
        return data_files(self.table.path) if exists(self.table) else []

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The table's own rows as ``lake.reader.batches`` reads them."""
        return batches(self.table.path, columns) if exists(self.table) else iter(())

    @property
    def mapping(self) -> SourceMapping:
        return self.version.mapping


def compile_site(
    region: Region, site: Site, key: bytes, identifying: bool = False, day: str = LAST_DAY
) -> dict[str, SourceMapping]:
    """Every source of the site, compiled; a source without specs maps nothing and skips all its records.

    Args:
        identifying: names and identifiers are kept and nothing is masked, as a converter must; never for tables.
        day: of delivery, which decides between versions of a spec; default: the latest versions.

    Raises:
        SpecError: a spec or code map is wrong.
    """
    versions = compile_versions(region, site, key, identifying)
    return {version.mapping.source: version.mapping for version in versions if version.covers(day)}


def compile_versions(region: Region, site: Site, key: bytes, identifying: bool = False) -> list[Version]:
    """Every source of the site, compiled for each span of days in which its specs stay the same.

    Raises:
        SpecError: a spec or code map is wrong.
    """
    emits = load_emits(region.folder, site.folder, {source.name for source in site.sources})
    folders = [site.folder / "maps", region.folder / "maps"]
    maps = {name: load_map(name, folders) for name in sorted({name for emit in emits for name in maps_of(emit)})}
    allowed = None if region.free_text is None or identifying else frozenset(region.free_text)
    setting = Setting(site.name, key, region.timezone, identifying, allowed, region.plausible_years)
    found = []
    for source in site.sources:
        own = [emit for emit in emits if emit.source == source.name]
        days = sorted({"", *(emit.valid_from for emit in own)})
        for first, after in zip(days, [*days[1:], None], strict=True):
            found.append(Version(compile_source(setting, source, in_force(own, first), maps), first, after))
    return found


def map_day(spark: SparkSession, zone: SiteZone, region: Region, site: Site, days: Sequence[str]) -> MapReport:
    """Map the records of these days, one commit a source, more for many records. Safe to repeat in any order of days.

    Where the specs or code maps of a source changed since a day was mapped, that day is mapped again too, asked for or
    not: a table never mixes two mappings. Versions of a spec by day of delivery have a table each. Days that were not
    ingested are left out.

    Raises:
        SpecError: a spec or code map is wrong.
        CredentialError: the site has no pseudonym key.
    """
    manifest = read_manifest(zone)
    ingested = {entry.delivery_date for entry in manifest}
    versions = compile_versions(region, site, load_key(zone))
    _drop_former(zone, versions)

    def map_version(version: Version) -> set[str]:
        mapping, target = version.mapping, mapped_table(zone, version.mapping, version.valid_from)
        there, current = _mapped_days(spark, target, mapping)
        covered = {day for day in ingested if version.covers(day)}
        wanted = (set(days) & covered) | (covered - current)
        # Days that another version maps now are emptied here.
        for batch in in_batches(manifest, wanted | (there - covered)):
            asked = [day for day in batch if day in wanted]
            source = site.source(mapping.source)
            known = read_texts(bronze.table(zone, source).path, "_delivery_date", asked)
            made, columns = mapping.store(spark, _bronze_rows(spark, zone, source, asked), known)
            replace(spark, made, target, where={"_delivery_date": batch}, columns=columns)
        return wanted

    records: Counter[str | None] = Counter()
    for entry in manifest:
        records[entry.source] += entry.records
    # The longest first: begun last, it would leave all cores but one idle.
    ordered = sorted(versions, key=lambda version: -records[version.mapping.source])
    mapped: dict[str, set[str]] = {}
    for version, wanted in zip(ordered, run_together(partial(map_version, one) for one in ordered), strict=True):
        mapped.setdefault(version.mapping.source, set()).update(wanted)
    record_versions(zone, versions)
    return MapReport({source: tuple(sorted(wanted)) for source, wanted in mapped.items()})


def read_mapped(
    spark: SparkSession, zone: SiteZone, region: Region, site: Site, manifest: Sequence[FileEntry]
) -> list[MappedSource]:
    """All mapped rows of a site, one entry a version of a source's mapping."""
    twice = sorted(f"{entry.delivery_date}/{entry.file_name}" for entry in manifest if entry.is_duplicate)
    found = []
    for version in compile_versions(region, site, load_key(zone)):
        table = mapped_table(zone, version.mapping, version.valid_from)
        rows = read(spark, table)
        every = rows.withColumn("_source", F.lit(version.mapping.source))
        is_twice = F.concat_ws("/", "_delivery_date", "_file_name").isin(twice)
        found.append(MappedSource(version, table, every.where(~is_twice) if twice else every, every))
    return found


def digest_on(sources: Sequence[MappedSource], source: str, day: str) -> str | None:
    """Digest of the mapping that holds for a source on a day of delivery."""
    found = (one for one in sources if one.mapping.source == source and one.version.covers(day))
    return next((one.mapping.digest for one in found), None)


def _bronze_rows(spark: SparkSession, zone: SiteZone, source: Source, days: Sequence[str]) -> DataFrame:
    chosen = F.col("_delivery_date").isin(list(days)) if days else F.lit(False)
    return read(spark, bronze.table(zone, source)).where(chosen)


def _mapped_days(spark: SparkSession, target: Table, mapping: SourceMapping) -> tuple[set[str], set[str]]:
    """Days in a mapped table, and those of them that this very mapping mapped.

    A table of another shape is dropped, since all of it is stale.
    """
    if not exists(target):
        return set(), set()
    try:
        rows = read(spark, target)
    except SchemaDriftError:
        drop(target)
        return set(), set()
    found = rows.select("_delivery_date", DIGEST_FIELD).distinct().collect()
    there = {row["_delivery_date"] for row in found}
    return there, there - {row["_delivery_date"] for row in found if row[DIGEST_FIELD] != mapping.digest}


def _drop_former(zone: SiteZone, versions: Sequence[Version]) -> None:
    """Remove the tables of dated versions that no spec names any more; the days are mapped by others."""
    present = {mapped_table(zone, version.mapping, version.valid_from).path for version in versions}
    for source in {version.mapping.source for version in versions}:
        for path in set(mapped_paths(zone, source)) - present:
            shutil.rmtree(path)
