"""The ledger: for every delivered file, what became of each of its records, exactly once.

Counted from the tables that were written: mapped rows, superseded resources, silver. ``quality`` counts it all again
from the tables alone and compares.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.errors import DataError
from contracts.fhir import RESOURCES
from contracts.zone import SiteZone
from fhir_mapping.lifecycle.erased import Erasures
from fhir_mapping.manifest import ACCEPTED, FileEntry
from fhir_mapping.mapping import MappedSource, digest_on
from fhir_mapping.spec.compile import DIGEST_FIELD
from fhir_mapping.tables import DISPOSITIONS, RECORD, ledger_table, silver_table, silver_types, superseded_table
from lake.reader import read_arrow
from lake.tables import arrow_schema, read, write_arrow

FileKey = tuple[str, str]
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


@dataclass(frozen=True)
class FileCount:
    """What the mapped rows of one file say, by the mapping that made them (``digest``)."""

    source: str
    key: FileKey
    digest: str
    records_in: int
    quarantined: int
    skipped: int
    mapped: int


def count_mapped(sources: Sequence[MappedSource]) -> list[FileCount]:
    """Count all mapped rows by file, those of files delivered twice too, in one query."""
    quarantined = F.size("_errors") > 0
    flags = {
        "records_in": F.lit(1),
        "quarantined": quarantined.cast("long"),
        "skipped": (~quarantined & F.col("_skip").isNotNull()).cast("long"),
        "mapped": (F.col("_emitted") > 0).cast("long"),
    }
    names = ("_source", "_delivery_date", "_file_name", DIGEST_FIELD)
    frames = [source.all_rows.select(*names, *[f.alias(n) for n, f in flags.items()]) for source in sources]
    if not frames:
        return []
    grouped = reduce(DataFrame.unionByName, frames).groupBy(*names).agg(*[F.sum(n).alias(n) for n in flags])
    return [
        FileCount(
            row["_source"], (row["_delivery_date"], row["_file_name"]), row[DIGEST_FIELD], *[row[n] for n in flags]
        )
        for row in grouped.collect()
    ]


def check_mapped(
    counts: Sequence[FileCount], sources: Sequence[MappedSource], manifest: Sequence[FileEntry], erasures: Erasures
) -> None:
    """Every accepted file is mapped whole, but for what was erased, by the present specs.

    Raises:
        DataError: some are not; days are named.
    """
    right = [count for count in counts if count.digest == digest_on(sources, count.source, count.key[0])]
    found = {count.key: count.records_in for count in right}
    erased = erasures.counts()
    left = {_key(e): e.records - erased.get((*_key(e), e.file_id), 0) for e in manifest if e.status == ACCEPTED}
    late = sorted({key[0] for key, records in left.items() if found.get(key, 0) != records})
    if late:
        raise DataError(f"files of days {', '.join(late)} are not mapped by the present specs. Map these days first.")


def write_ledger(
    spark: SparkSession,
    zone: SiteZone,
    sources: Sequence[MappedSource],
    mapped: Sequence[FileCount],
    manifest: Sequence[FileEntry],
    erasures: Erasures,
) -> SiteReport:
    """Write the ledger whole and add it up. Silver and the superseded resources must be written before."""
    counts: dict[FileKey, Counter[str]] = defaultdict(Counter)
    for count in mapped:
        names = ("records_in", "quarantined", "skipped", "mapped")
        counts[count.key].update({name: getattr(count, name) for name in names})
    _count_superseded(spark, zone, sources, counts)
    out = _count_silver(spark, zone, counts)
    erased = erasures.counts()
    rows = [
        _row(
            entry,
            counts,
            out,
            digest_on(sources, entry.source or "", entry.delivery_date),
            erased.get((*_key(entry), entry.file_id), 0),
        )
        for entry in manifest
    ]
    target = ledger_table(zone)
    write_arrow(pa.Table.from_pylist(rows, schema=arrow_schema(target)), target)
    return _report(rows)


def _count_superseded(
    spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], counts: dict[FileKey, Counter[str]]
) -> None:
    """Records all of whose resources were replaced move from mapped to superseded."""
    table = superseded_table(zone)
    touched = set(read_arrow(table.path, ["_source"]).column(0).unique().to_pylist())
    if not touched:
        return
    replaced = read(spark, table).groupBy(*RECORD).agg(F.count(F.lit(1)).alias("replaced"))
    frames = [source.rows.select(*RECORD, "_emitted") for source in sources if source.mapping.source in touched]
    joined = reduce(DataFrame.unionByName, frames).join(F.broadcast(replaced), list(RECORD), "inner")
    grouped = joined.groupBy("_delivery_date", "_file_name").agg(
        F.sum((F.col("replaced") == F.col("_emitted")).cast("long")).alias("superseded"),
        F.sum("replaced").alias("resources_replaced"),
    )
    for row in grouped.collect():
        count = counts[(row["_delivery_date"], row["_file_name"])]
        count["superseded"] += row["superseded"]
        count["mapped"] -= row["superseded"]
        count["resources_replaced"] += row["resources_replaced"]


def _count_silver(
    spark: SparkSession, zone: SiteZone, counts: dict[FileKey, Counter[str]]
) -> dict[FileKey, Counter[str]]:
    """Resources in silver by file and type; those that wait are added to ``counts`` as pending."""
    out: dict[FileKey, Counter[str]] = defaultdict(Counter)
    waits = (F.size("_pending") > 0).cast("long").alias("waits")
    frames = [
        read(spark, silver_table(zone, name)).select("_delivery_date", "_file_name", waits, F.lit(name).alias("type"))
        for name in silver_types(zone)
    ]
    if not frames:
        return out
    grouped = reduce(DataFrame.unionByName, frames).groupBy("_delivery_date", "_file_name", "type")
    for row in grouped.agg(F.count(F.lit(1)).alias("n"), F.sum("waits").alias("waits")).collect():
        key = (row["_delivery_date"], row["_file_name"])
        out[key][row["type"]] += row["n"]
        counts[key]["pending"] += row["waits"]
    return out


def _row(
    entry: FileEntry,
    counts: Mapping[FileKey, Counter[str]],
    out: Mapping[FileKey, Counter[str]],
    digest: str | None,
    erased: int,
) -> dict[str, Any]:
    count, made = Counter(counts.get(_key(entry), {})), out.get(_key(entry), Counter())
    if entry.is_duplicate:
        count = Counter(records_in=entry.records - erased, superseded=entry.records - erased)
    count.update(records_in=erased, erased=erased)
    return {
        "delivery_date": entry.delivery_date,
        "source": entry.source,
        "file_id": entry.file_id,
        "file_name": entry.file_name,
        **{name: count[name] for name in ("records_in", *DISPOSITIONS, "pending", "resources_replaced")},
        "resources_out": json.dumps({name: made[name] for name in RESOURCES if made[name]}),
        "spec_digest": digest,
    }


def _key(entry: FileEntry) -> FileKey:
    return entry.delivery_date, entry.file_name


def _report(rows: Sequence[Mapping[str, Any]]) -> SiteReport:
    out: Counter[str] = Counter()
    for row in rows:
        out.update(json.loads(row["resources_out"]))
    totals = {name: sum(row[name] for row in rows) for name in ("records_in", *DISPOSITIONS, "pending")}
    return SiteReport(**totals, resources_out=dict(out))
