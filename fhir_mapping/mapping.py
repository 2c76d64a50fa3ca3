"""Bronze to mapped tables: ``mapped_<system>__<entity>``, one row a source record, replaced by day of delivery.

A mapped row holds what the record became: the ids of the resources it emits and the values they are made of, each once
(silver alone holds them as resources), the rules it broke, or why it was skipped. It is a function of the bronze row,
the specs, the code maps and the site's key alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.errors import SchemaDriftError
from contracts.region import Region, Site, Source
from contracts.zone import SiteZone
from fhir_mapping import bronze
from fhir_mapping.identity.key import load_key
from fhir_mapping.manifest import FileEntry, read_manifest
from fhir_mapping.spec.check import maps_of
from fhir_mapping.spec.compile import DIGEST_FIELD, SourceMapping, compile_source
from fhir_mapping.spec.model import load_emits
from fhir_mapping.spec.plan import Setting
from fhir_mapping.tables import mapped_table
from fhir_mapping.terminology.code_map import load_map
from lake.tables import Table, drop, exists, read, replace
from lake.together import run_together


@dataclass(frozen=True)
class MapReport:
    """What one call mapped: days by source; more days than asked for where specs or code maps had changed."""

    days: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class MappedSource:
    """A source's mapping and all its mapped rows, ``_source`` added.

    Attributes:
        rows: without those of files delivered twice, which take no part in silver.
        all_rows: with them.
    """

    mapping: SourceMapping
    rows: DataFrame
    all_rows: DataFrame


def compile_site(region: Region, site: Site, key: bytes, identifying: bool = False) -> dict[str, SourceMapping]:
    """Every source of the site, compiled; a source without specs maps nothing and skips all its records.

    Args:
        identifying: names and identifiers are kept and nothing is masked, as a converter must; never for tables.

    Raises:
        SpecError: a spec or code map is wrong.
    """
    emits = load_emits(region.folder, site.folder, {source.name for source in site.sources})
    folders = [site.folder / "maps", region.folder / "maps"]
    maps = {name: load_map(name, folders) for name in sorted({name for emit in emits for name in maps_of(emit)})}
    allowed = None if region.free_text is None or identifying else frozenset(region.free_text)
    setting = Setting(site.name, key, region.timezone, identifying, allowed, region.plausible_years)
    return {
        source.name: compile_source(setting, source, [e for e in emits if e.source == source.name], maps)
        for source in site.sources
    }


def map_day(spark: SparkSession, zone: SiteZone, region: Region, site: Site, days: Sequence[str]) -> MapReport:
    """Map the records of these days, one commit a source. Safe to repeat; the order of days does not count.

    Where the specs or code maps of a source changed since a day was mapped, that day is mapped again too, asked for or
    not: a table never mixes two mappings. Days that were not ingested are left out.

    Raises:
        SpecError: a spec or code map is wrong.
        CredentialError: the site has no pseudonym key.
    """
    ingested = {entry.delivery_date for entry in read_manifest(zone)}

    def map_source(mapping: SourceMapping) -> tuple[str, ...]:
        target = mapped_table(zone, mapping)
        wanted = sorted((set(days) & ingested) | (ingested - _current_days(spark, target, mapping)))
        if wanted:
            rows = _bronze_rows(spark, zone, site.source(mapping.source), wanted)
            replace(spark, mapping.store(spark, rows), target, where={"_delivery_date": wanted})
        return tuple(wanted)

    mappings = compile_site(region, site, load_key(zone))
    mapped = run_together(partial(map_source, mapping) for mapping in mappings.values())
    return MapReport(dict(zip(mappings, mapped, strict=True)))


def read_mapped(
    spark: SparkSession, zone: SiteZone, region: Region, site: Site, manifest: Sequence[FileEntry]
) -> list[MappedSource]:
    """All mapped rows of a site, one entry a source."""
    twice = sorted(f"{entry.delivery_date}/{entry.file_name}" for entry in manifest if entry.is_duplicate)
    found = []
    for name, mapping in compile_site(region, site, load_key(zone)).items():
        every = read(spark, mapped_table(zone, mapping)).withColumn("_source", F.lit(name))
        is_twice = F.concat_ws("/", "_delivery_date", "_file_name").isin(twice)
        found.append(MappedSource(mapping, every.where(~is_twice) if twice else every, every))
    return found


def _bronze_rows(spark: SparkSession, zone: SiteZone, source: Source, days: Sequence[str]) -> DataFrame:
    return read(spark, bronze.table(zone, source)).where(F.col("_delivery_date").isin(list(days)))


def _current_days(spark: SparkSession, target: Table, mapping: SourceMapping) -> set[str]:
    """Days that were mapped by this very mapping; a table of another shape is dropped, since all of it is stale."""
    if not exists(target):
        return set()
    try:
        rows = read(spark, target)
    except SchemaDriftError:
        drop(target)
        return set()
    found = rows.select("_delivery_date", DIGEST_FIELD).distinct().collect()
    stale = {row["_delivery_date"] for row in found if row[DIGEST_FIELD] != mapping.digest}
    return {row["_delivery_date"] for row in found} - stale
