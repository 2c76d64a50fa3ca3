"""The ledger: for every delivered file, what became of each of its records, exactly once.

Counted from the tables that were written: mapped rows, superseded resources, silver. ``quality`` counts it all again
from the tables alone and compares.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial, reduce
from operator import add
from typing import Any, NamedTuple

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
from fhir_mapping.tables import (
    DISPOSITIONS,
    LEDGER_COUNTS,
    RECORD,
    ledger_table,
    silver_table_path,
    silver_types,
    superseded_table,
)
from lake.reader import batches, read_arrow
from lake.tables import arrow_schema, read, write_arrow
from lake.together import run_together

FileKey = tuple[str, str]
"""Day of delivery and file name."""
_FILE = ("_delivery_date", "_file_name")
_NAMES = ("delivery_date", "source", "file_id", "file_name")


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


class FileCount(NamedTuple):
    """What the mapped rows of one file say, by the mapping that made them (``digest``)."""

    source: str
    key: FileKey
    digest: str
    records_in: int
    quarantined: int
    skipped: int
    mapped: int


@dataclass(slots=True)
class _Became:
    """What became of a file's records, named as in the ledger; ``made``: its resources in silver by type."""

    records_in: int = 0
    mapped: int = 0
    quarantined: int = 0
    skipped: int = 0
    superseded: int = 0
    erased: int = 0
    pending: int = 0
    resources_replaced: int = 0
    made: dict[str, int] = field(default_factory=dict)


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
    found: dict[FileKey, _Became] = defaultdict(_Became)
    for count in mapped:
        total = found[count.key]
        total.records_in += count.records_in
        total.quarantined += count.quarantined
        total.skipped += count.skipped
        total.mapped += count.mapped
    _count_superseded(spark, zone, sources, found)
    _count_silver(zone, found)
    erased = erasures.counts()
    digest = cache(partial(digest_on, sources))
    files = [
        _of_file(entry, found.get(_key(entry)), erased.get((*_key(entry), entry.file_id), 0)) for entry in manifest
    ]
    # By column: a feed of small files has tens of thousands of rows here.
    made = [tuple(file.made.items()) for file in files]
    columns: dict[str, list[Any]] = {
        **{name: [getattr(entry, name) for entry in manifest] for name in _NAMES},
        **{name: [getattr(file, name) for file in files] for name in LEDGER_COUNTS},
        "resources_out": list(map(cache(_as_json), made)),
        "spec_digest": [digest(entry.source or "", entry.delivery_date) for entry in manifest],
    }
    target = ledger_table(zone)
    write_arrow(pa.table(columns, schema=arrow_schema(target)), target)
    totals = {name: sum(columns[name]) for name in ("records_in", *DISPOSITIONS, "pending")}
    return SiteReport(**totals, resources_out=_totals(made))


def _count_superseded(
    spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], found: dict[FileKey, _Became]
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
        file = found[row["_delivery_date"], row["_file_name"]]
        file.superseded += row["superseded"]
        file.mapped -= row["superseded"]
        file.resources_replaced += row["resources_replaced"]


def _count_silver(zone: SiteZone, found: dict[FileKey, _Became]) -> None:
    """Resources in silver by file and type, and those that wait."""
    types = silver_types(zone)
    for name, rows in zip(types, run_together(partial(_count_type, zone, name) for name in types), strict=True):
        for day, file_name, resources, waiting in rows:
            file = found[day, file_name]
            file.made[name] = resources
            file.pending += waiting


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
    found: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for table in tables:
        flagged = {name: table[name].cast(pa.int64()) for name in flags}
        grouped = pa.table({name: table[name] for name in by} | flagged)
        summed = grouped.group_by(list(by)).aggregate([(name, "sum") for name in flags])
        # By column: a feed of small files has tens of thousands of rows here.
        keys = zip(*(summed[name].to_pylist() for name in by), strict=True)
        added = zip(*(summed[f"{name}_sum"].to_pylist() for name in flags), strict=True)
        for key, numbers in zip(keys, added, strict=True):
            sums = found.get(key)
            found[key] = numbers if sums is None else tuple(map(add, sums, numbers))
    return [(*key, *sums) for key, sums in found.items()]


def _of_file(entry: FileEntry, found: _Became | None, erased: int) -> _Became:
    """What the ledger says of a file; a file delivered twice is superseded whole."""
    became = found or _Became()
    if entry.is_duplicate:
        records = entry.records - erased
        became = _Became(records_in=records, superseded=records, made=became.made)
    return replace(became, records_in=became.records_in + erased, erased=erased) if erased else became


def _as_json(made: tuple[tuple[str, int], ...]) -> str:
    numbers = dict(made)
    return json.dumps({name: numbers[name] for name in RESOURCES if name in numbers})


def _totals(made: Sequence[tuple[tuple[str, int], ...]]) -> dict[str, int]:
    """The resources of all files by type."""
    out: Counter[str] = Counter()
    for numbers, files in Counter(made).items():
        out.update({name: number * files for name, number in numbers})
    return dict(out)


def _key(entry: FileEntry) -> FileKey:
    return entry.delivery_date, entry.file_name
