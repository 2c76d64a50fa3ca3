"""The ledger: for every delivered file, what became of each of its records, exactly once.

Counted from the tables that were written: mapped rows, superseded resources, silver. ``quality`` counts it all again
from the tables alone and compares.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.errors import DataError
from contracts.fhir import RESOURCES
from contracts.zone import SiteZone
from fhir_mapping.lifecycle.erased import Erasures
from fhir_mapping.manifest import ACCEPTED, FileEntry
from fhir_mapping.mapping import MappedSource, digest_on
from fhir_mapping.spec.compile import DIGEST_FIELD
from fhir_mapping.tables import DISPOSITIONS, RECORD, ledger_table, silver_table_path, silver_types, superseded_table
from lake.reader import batches, read_arrow
from lake.tables import arrow_schema, read, write_arrow
from lake.together import run_together

FileKey = tuple[str, str]
"""Day of delivery and file name."""
_FILE = ("_delivery_date", "_file_name")


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
    """Count all mapped rows by file, those of files delivered twice too."""
    found = run_together(partial(_count_source, source) for source in sources)
    return [count for counts in found for count in counts]


def _count_source(source: MappedSource) -> list[FileCount]:
    def counted() -> Iterator[pa.Table]:
        names = [*_FILE, DIGEST_FIELD, "_errors", "_skip", "_emitted"]
        for batch in source.batches(names, coded=("_file_name", DIGEST_FIELD)):
            quarantined = _is_filled(batch.column("_errors"))
            flags = {
                "records_in": pa.repeat(1, len(batch)),
                "quarantined": quarantined,
                "skipped": pc.and_(pc.invert(quarantined), batch.column("_skip").is_valid()),
                "mapped": pc.fill_null(pc.greater(batch.column("_emitted"), 0), False),
            }
            yield pa.table({name: batch.column(name) for name in (*_FILE, DIGEST_FIELD)} | flags)

    rows = _sums(counted(), (*_FILE, DIGEST_FIELD), ("records_in", "quarantined", "skipped", "mapped"))
    return [FileCount(source.mapping.source, (day, name), digest, *sums) for day, name, digest, *sums in rows]


def check_mapped(
    counts: Sequence[FileCount], sources: Sequence[MappedSource], manifest: Sequence[FileEntry], erasures: Erasures
) -> None:
    """Every accepted file is mapped whole, but for what was erased, by the present specs.

    Raises:
        DataError: some are not; days are named.
    """
    digest = cache(partial(digest_on, sources))
    right = [count for count in counts if count.digest == digest(count.source, count.key[0])]
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
        total = counts[count.key]
        total["records_in"] += count.records_in
        total["quarantined"] += count.quarantined
        total["skipped"] += count.skipped
        total["mapped"] += count.mapped
    _count_superseded(spark, zone, sources, counts)
    out = _count_silver(zone, counts)
    erased = erasures.counts()
    digest = cache(partial(digest_on, sources))
    rows = [
        _row(
            entry,
            counts,
            out,
            digest(entry.source or "", entry.delivery_date),
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


def _count_silver(zone: SiteZone, counts: dict[FileKey, Counter[str]]) -> dict[FileKey, Counter[str]]:
    """Resources in silver by file and type; those that wait are added to ``counts`` as pending."""
    out: dict[FileKey, Counter[str]] = defaultdict(Counter)
    types = silver_types(zone)
    for name, rows in zip(types, run_together(partial(_count_type, zone, name) for name in types), strict=True):
        for day, file_name, resources, waiting in rows:
            out[day, file_name][name] += resources
            counts[day, file_name]["pending"] += waiting
    return out


def _count_type(zone: SiteZone, resource: str) -> list[tuple[Any, ...]]:
    """Day, file name, resources of a type, and how many of them wait."""

    def counted() -> Iterator[pa.Table]:
        for batch in batches(silver_table_path(zone, resource), [*_FILE, "_pending"], coded=("_file_name",)):
            flags = {"resources": pa.repeat(1, len(batch)), "waiting": _is_filled(batch.column("_pending"))}
            yield pa.table({name: batch.column(name) for name in _FILE} | flags)

    return _sums(counted(), _FILE, ("resources", "waiting"))


def _is_filled(lists: pa.Array) -> pa.Array:
    """Whether a list has entries; false for null."""
    return pc.fill_null(pc.greater(pc.list_value_length(lists), 0), False)


def _sums(tables: Iterable[pa.Table], by: Sequence[str], flags: Sequence[str]) -> list[tuple[Any, ...]]:
    """The values of ``by`` and the sums of ``flags`` over all tables; each is added up as it comes."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for table in tables:
        flagged = {name: table[name].cast(pa.int64()) for name in flags}
        grouped = pa.table({name: table[name] for name in by} | flagged)
        summed = grouped.group_by(list(by)).aggregate([(name, "sum") for name in flags])
        # By column: a feed of small files has tens of thousands of rows here.
        keys = zip(*(summed[name].to_pylist() for name in by), strict=True)
        added = zip(*(summed[f"{name}_sum"].to_pylist() for name in flags), strict=True)
        for key, numbers in zip(keys, added, strict=True):
            sums = found.setdefault(key, [0] * len(flags))
            for position, number in enumerate(numbers):
                sums[position] += number
    return [(*key, *sums) for key, sums in found.items()]


def _row(
    entry: FileEntry,
    counts: Mapping[FileKey, Counter[str]],
    out: Mapping[FileKey, Counter[str]],
    digest: str | None,
    erased: int,
) -> dict[str, Any]:
    count, made = counts.get(_key(entry), Counter()), out.get(_key(entry), Counter())
    if entry.is_duplicate:
        count = Counter(records_in=entry.records - erased, superseded=entry.records - erased)
    if erased:
        count = Counter(count)
        count.update(records_in=erased, erased=erased)
    return {
        "delivery_date": entry.delivery_date,
        "source": entry.source,
        "file_id": entry.file_id,
        "file_name": entry.file_name,
        **{name: count[name] for name in ("records_in", *DISPOSITIONS, "pending", "resources_replaced")},
        "resources_out": json.dumps({name: made[name] for name in RESOURCES if name in made}),
        "spec_digest": digest,
    }


def _key(entry: FileEntry) -> FileKey:
    return entry.delivery_date, entry.file_name


def _report(rows: Sequence[Mapping[str, Any]]) -> SiteReport:
    out: Counter[str] = Counter()
    for text, files in Counter(row["resources_out"] for row in rows).items():
        out.update({name: number * files for name, number in json.loads(text).items()})
    totals = {name: sum(row[name] for row in rows) for name in ("records_in", *DISPOSITIONS, "pending")}
    return SiteReport(**totals, resources_out=dict(out))
