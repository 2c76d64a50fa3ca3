"""The ledger: for every delivered file, what became of each of its records, exactly once.

Counted from the tables that were written: mapped rows, superseded resources, silver. ``quality`` counts it all again
from the tables alone and compares.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from contracts.errors import DataError
from contracts.fhir import RESOURCES
from contracts.zone import SiteZone
from fhir_mapping.manifest import ACCEPTED, FileEntry
from fhir_mapping.mapping import MappedSource
from fhir_mapping.spec.compile import DIGEST_FIELD
from fhir_mapping.tables import DISPOSITIONS, RECORD, ledger_table, silver_table, superseded_table
from lake.tables import arrow_schema, read, write_arrow

_FileKey = tuple[str, str]
"""Day of delivery and file name."""


@dataclass(frozen=True)
class SiteReport:
    """A site's ledger, added up.

    Attributes:
        records_in: = mapped + quarantined + skipped + superseded + erased.
        pending: resources in silver that wait for a Patient or Encounter.
        resources_out: resources in silver by type.
    """

    records_in: int
    mapped: int
    quarantined: int
    skipped: int
    superseded: int
    erased: int
    pending: int
    resources_out: dict[str, int]


def check_mapped(sources: Sequence[MappedSource], manifest: Sequence[FileEntry]) -> None:
    """Every accepted file is mapped whole, by the present specs.

    Raises:
        DataError: some are not; days are named.
    """
    found: Counter[tuple[_FileKey, str]] = Counter()
    digests = {source.mapping.source: source.mapping.digest for source in sources}
    for source in sources:
        counts = source.all_rows.groupBy("_delivery_date", "_file_name", DIGEST_FIELD).count().collect()
        for row in counts:
            found[(row["_delivery_date"], row["_file_name"]), row[DIGEST_FIELD]] = row["count"]
    late = sorted(
        {
            entry.delivery_date
            for entry in manifest
            if entry.status == ACCEPTED
            and found[(entry.delivery_date, entry.file_name), digests.get(entry.source or "", "")] != entry.records
        }
    )
    if late:
        raise DataError(f"files of days {', '.join(late)} are not mapped by the present specs. Map these days first.")


def write_ledger(
    spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], manifest: Sequence[FileEntry]
) -> SiteReport:
    """Write the ledger whole and add it up. Silver and the superseded resources must be written before."""
    counts: dict[_FileKey, Counter[str]] = defaultdict(Counter)
    out: dict[_FileKey, Counter[str]] = defaultdict(Counter)
    _count_mapped(sources, counts)
    _count_superseded(spark, zone, sources, counts)
    _count_silver(spark, zone, counts, out)
    digests = {source.mapping.source: source.mapping.digest for source in sources}
    rows = [_row(entry, counts, out, digests) for entry in manifest]
    target = ledger_table(zone)
    write_arrow(pa.Table.from_pylist(rows, schema=arrow_schema(target)), target)
    return _report(rows)


def _count_mapped(sources: Sequence[MappedSource], counts: dict[_FileKey, Counter[str]]) -> None:
    for source in sources:
        quarantined = F.size("_errors") > 0
        grouped = source.rows.groupBy("_delivery_date", "_file_name").agg(
            F.count(F.lit(1)).alias("records_in"),
            F.sum(quarantined.cast("long")).alias("quarantined"),
            F.sum((~quarantined & F.col("_skip").isNotNull()).cast("long")).alias("skipped"),
            F.sum((F.col("_emitted") > 0).cast("long")).alias("mapped"),
        )
        for row in grouped.collect():
            key = (row["_delivery_date"], row["_file_name"])
            counts[key].update({name: row[name] for name in ("records_in", "quarantined", "skipped", "mapped")})


def _count_superseded(
    spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], counts: dict[_FileKey, Counter[str]]
) -> None:
    """Records all of whose resources were replaced move from mapped to superseded."""
    replaced = read(spark, superseded_table(zone)).groupBy(*RECORD).agg(F.count(F.lit(1)).alias("replaced"))
    for source in sources:
        emitted = source.rows.where(F.col("_emitted") > 0).select(*RECORD, "_emitted")
        joined = emitted.join(F.broadcast(replaced), list(RECORD), "inner")
        whole = (F.col("replaced") == F.col("_emitted")).cast("long")
        grouped = joined.groupBy("_delivery_date", "_file_name").agg(
            F.sum(whole).alias("superseded"), F.sum("replaced").alias("resources_replaced")
        )
        for row in grouped.collect():
            count = counts[(row["_delivery_date"], row["_file_name"])]
            count["superseded"] += row["superseded"]
            count["mapped"] -= row["superseded"]
            count["resources_replaced"] += row["resources_replaced"]


def _count_silver(
    spark: SparkSession, zone: SiteZone, counts: dict[_FileKey, Counter[str]], out: dict[_FileKey, Counter[str]]
) -> None:
    for resource in RESOURCES:
        grouped = (
            read(spark, silver_table(zone, resource))
            .groupBy("_delivery_date", "_file_name")
            .agg(F.count(F.lit(1)).alias("n"), F.sum((F.size("_pending") > 0).cast("long")).alias("pending"))
        )
        for row in grouped.collect():
            key = (row["_delivery_date"], row["_file_name"])
            out[key][resource] += row["n"]
            counts[key]["pending"] += row["pending"]


def _row(
    entry: FileEntry,
    counts: Mapping[_FileKey, Counter[str]],
    out: Mapping[_FileKey, Counter[str]],
    digests: Mapping[str, str],
) -> dict[str, Any]:
    key = (entry.delivery_date, entry.file_name)
    count, made = Counter(counts.get(key, {})), out.get(key, Counter())
    if entry.is_duplicate:
        count = Counter(records_in=entry.records, superseded=entry.records)
    return {
        "delivery_date": entry.delivery_date,
        "source": entry.source,
        "file_id": entry.file_id,
        "file_name": entry.file_name,
        **{name: count[name] for name in ("records_in", *DISPOSITIONS, "pending", "resources_replaced")},
        "resources_out": json.dumps({name: made[name] for name in RESOURCES if made[name]}),
        "spec_digest": digests.get(entry.source or ""),
    }


def _report(rows: Sequence[Mapping[str, Any]]) -> SiteReport:
    out: Counter[str] = Counter()
    for row in rows:
        out.update(json.loads(row["resources_out"]))
    totals = {name: sum(row[name] for row in rows) for name in ("records_in", *DISPOSITIONS, "pending")}
    return SiteReport(**totals, resources_out=dict(out))
