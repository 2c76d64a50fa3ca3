"""The ledger: for every delivered file, what became of each of its records, exactly once.

Counted from the tables that were written: mapped rows, superseded resources, silver. ``quality`` counts it all again
from the tables alone and compares.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
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
from lake.data_files import NARROW_ROWS, DataFile, column_batches, data_files, is_empty
from lake.reader import read_arrow
from lake.tables import arrow_schema, read, write_arrow
from lake.together import run_together

FileKey = tuple[str, str]
"""Day of delivery and file name."""
_Sums = dict[tuple[Any, ...], tuple[int, ...]]
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
    parts = [(source.mapping.source, file) for source in sources for file in source.files()]
    found: _Sums = {}
    for (source, _), sums in zip(parts, run_together(partial(_count_mapped, file) for _, file in parts), strict=True):
        _add(found, {(source, *key): numbers for key, numbers in sums.items()})
    return [FileCount(source, (day, name), digest, *sums) for (source, day, name, digest), sums in found.items()]


def _count_mapped(file: DataFile) -> _Sums:
    """Day, file name and digest: records, those quarantined, skipped and mapped, of a file of a mapped table."""
    # What the footer tells to be empty, mostly the rules that were broken, is not read.
    told = [name for name in ("_errors", "_skip") if not is_empty(file, name)]

    def flags(batch: pa.RecordBatch) -> Iterable[np.ndarray]:
        nowhere = np.zeros(len(batch), np.bool_)
        quarantined = _is_filled(batch.column("_errors")) if "_errors" in told else nowhere
        skipped = _flags(batch.column("_skip").is_valid()) if "_skip" in told else nowhere
        return quarantined, skipped & ~quarantined, _flags(pc.greater(batch.column("_emitted"), 0))

    return _sums(file, (*_FILE, DIGEST_FIELD), [*told, "_emitted"], flags)


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
    parts = [(name, file) for name in silver_types(zone) for file in data_files(silver_table_path(zone, name))]
    for (name, _), sums in zip(parts, run_together(partial(_count_type, file) for _, file in parts), strict=True):
        for (day, file_name), (resources, waiting) in sums.items():
            became = found[day, file_name]
            became.made[name] = became.made.get(name, 0) + resources
            became.pending += waiting


def _count_type(file: DataFile) -> _Sums:
    """Day and file name: resources, and how many of them wait, of a file of a silver table."""
    told = [] if is_empty(file, "_pending") else ["_pending"]

    def flags(batch: pa.RecordBatch) -> Iterable[np.ndarray]:
        yield _is_filled(batch.column("_pending")) if told else np.zeros(len(batch), np.bool_)

    return _sums(file, _FILE, told, flags)


def _is_filled(lists: pa.Array) -> np.ndarray:
    """Whether a list has entries; false for null."""
    return _flags(pc.greater(pc.list_value_length(lists), 0))


def _flags(flags: pa.Array) -> np.ndarray:
    """Truth values as an array; false for null."""
    return np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False))


def _sums(
    file: DataFile, by: Sequence[str], others: Sequence[str], flags: Callable[[pa.RecordBatch], Iterable[np.ndarray]]
) -> _Sums:
    """Of the values of some columns: how many rows of a file have them, and how many of these have each flag.

    Args:
        by: columns of texts, each of few together with the others.
        others: columns that ``flags`` reads.
        flags: arrays of a truth value a row.
    """
    found: _Sums = {}
    for batch in column_batches(file, [*by, *others], NARROW_ROWS):
        columns = [_as_dictionary(batch.column(name)) for name in by]
        sizes = [len(column.dictionary) for column in columns]
        numbers = np.ravel_multi_index([column.indices.to_numpy() for column in columns], sizes)
        counts = np.bincount(numbers)
        there = np.flatnonzero(counts)
        flagged = [np.bincount(numbers[flag], minlength=len(counts)) for flag in flags(batch)]
        # By column: a feed of small files has tens of thousands of rows here.
        places = zip(columns, np.unravel_index(there, sizes), strict=True)
        keys = zip(*(column.dictionary.take(pa.array(place)).to_pylist() for column, place in places), strict=True)
        sums = zip(*(numbers[there].tolist() for numbers in (counts, *flagged)), strict=True)
        _add(found, dict(zip(keys, sums, strict=True)))
    return found


def _as_dictionary(texts: pa.Array) -> pa.DictionaryArray:
    """Texts as a dictionary; null is one of its texts where there are nulls."""
    if pa.types.is_dictionary(texts.type) and not texts.null_count:
        return texts
    return texts.cast(pa.string()).dictionary_encode(null_encoding="encode")


def _add(found: _Sums, sums: _Sums) -> None:
    for key, numbers in sums.items():
        before = found.get(key)
        found[key] = numbers if before is None else tuple(map(add, before, numbers))


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
