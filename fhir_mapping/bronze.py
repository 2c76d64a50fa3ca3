"""Bronze: one lossless row a source record, ``bronze_<system>__<entity>``, replaced by day of delivery.

A day's part is a function of the day's landing folder and the site's settings alone: ingesting it again, or the days in
another order, gives the same rows. Files delivered twice are in it twice (the manifest flags the later one).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql.types import LongType, StringType, StructField, StructType

from contracts.region import Site, Source
from contracts.zone import SiteZone
from fhir_mapping.landing import Delivered, landing_days
from fhir_mapping.lifecycle.enforcement import enforce_on_day
from fhir_mapping.lifecycle.erased import numbers_as_delivered
from fhir_mapping.manifest import ACCEPTED, FileEntry, record_day
from fhir_mapping.sources.coded import CODED, Coded
from fhir_mapping.sources.record import Block
from fhir_mapping.sources.together import read_files
from lake.tables import Table, arrow_schema, write_arrow
from lake.together import run_together

__all__ = ["IngestReport", "ingest_day", "landing_days", "table"]

COLUMNS = ("_delivery_date", "_file_id", "_file_name", "_record_no", "_raw", "_error")
"""Columns before the source's own. ``_record_no`` is from 0, file order; ``_error`` is a reader error or null."""


@dataclass(frozen=True)
class IngestReport:
    """What one day's ingest did: counts only.

    Attributes:
        files: all files of the day; accepted + refused.
        duplicates: accepted files whose bytes were delivered before.
        records: records in bronze for the day.
        bad_records: those among them that carry a reader error.
        bytes: size of all files.
    """

    day: str
    files: int
    accepted: int
    refused: int
    duplicates: int
    records: int
    bad_records: int
    bytes: int


@dataclass
class _Tally:
    """What was counted of a file while its records streamed by."""

    records: int = 0
    lines: int = 0
    blank_lines: int = 0
    bad_records: int = 0


def table(zone: SiteZone, source: Source) -> Table:
    """The bronze table of a source: all strings but ``_record_no``; values null beside an error."""
    names = [*COLUMNS, *(column.name for column in source.column)]
    kinds = {"_record_no": LongType()}
    schema = StructType([StructField(name, kinds.get(name, StringType())) for name in names])
    return Table(zone.table(f"bronze_{source.name}"), schema, partition_by=("_delivery_date",))


def ingest_day(zone: SiteZone, site: Site, day: str) -> IngestReport:
    """Read a day's delivered files into bronze and the manifest. Safe to repeat; a refused file stops no other.

    One commit a bronze table, then one of the manifest (see ``fhir_mapping.manifest`` why last). Memory does not grow
    with the size of the files. Records of people on the suppression list are cut out of landing first, and counted.

    Raises:
        UsageError: landing has no such day.
        PrivacyError: records delivered earlier turn out to be those of an erased person.
        SchemaDriftError: a bronze table on disk has other columns than the source declares.
    """
    found = enforce_on_day(zone, site, day)
    tallies = {delivered.entry.file_name: _Tally() for delivered in found}

    def read_source(source: Source) -> None:
        own = [delivered for delivered in found if delivered.entry.source == source.name]
        target = table(zone, source)
        schema = _written(arrow_schema(target), source)
        rows = pa.RecordBatchReader.from_batches(schema, _batches(own, schema, tallies))
        write_arrow(rows, target, where={"_delivery_date": [day]})

    run_together(partial(read_source, source) for source in site.sources)
    entries = record_day(zone, day, [_counted(delivered, tallies[delivered.entry.file_name]) for delivered in found])
    return _report(day, entries, sum(tally.bad_records for tally in tallies.values()))


def _written(schema: pa.Schema, source: Source) -> pa.Schema:
    """The table's schema with coded columns as readers make them: the lineage, and the values of HL7 v2."""
    values = {column.name for column in source.column} if source.format == "hl7v2" else set()
    coded = {"_delivery_date", "_file_id", "_file_name", *values}
    return pa.schema([field.with_type(CODED) if field.name in coded else field for field in schema])


def _batches(own: Sequence[Delivered], schema: pa.Schema, tallies: dict[str, _Tally]) -> Iterator[pa.RecordBatch]:
    """The accepted files' records, block by block, counted as they pass."""
    readable = [(delivered, delivered.file) for delivered in own if delivered.file is not None]
    for rows in read_files([(file, delivered.path) for delivered, file in readable]):
        of_block = [(readable[number][0], count) for number, count in zip(rows.numbers, rows.counts, strict=True)]
        if len(rows.block):
            yield _batch(of_block, rows.block, tallies, schema)
        first = 0
        for delivered, count in of_block:
            tally = tallies[delivered.entry.file_name]
            tally.records += count
            tally.bad_records += count - rows.block.error.slice(first, count).null_count
            # Where files share a block, a record is a line (see RecordFile).
            tally.lines += rows.block.lines if len(of_block) == 1 else count
            tally.blank_lines += rows.block.blank_lines
            first += count


def _batch(
    files: Sequence[tuple[Delivered, int]], block: Block, tallies: dict[str, _Tally], schema: pa.Schema
) -> pa.RecordBatch:
    """Rows of a block with their lineage; ``files`` says how many are of which file, in order."""
    which = np.repeat(np.arange(len(files), dtype=np.int32), [count for _, count in files])
    entries = [delivered.entry for delivered, _ in files]
    lineage = [
        Coded(pa.array(texts, pa.string()), which).to_arrow()
        for texts in zip(*((e.delivery_date, e.file_id, e.file_name) for e in entries), strict=True)
    ]
    numbers = np.concatenate(
        [numbers_as_delivered(d.erased, tallies[d.entry.file_name].records, count) for d, count in files]
    )
    arrays = [*lineage, pa.array(numbers), block.raw, block.error, *block.values.values()]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _counted(delivered: Delivered, tally: _Tally) -> FileEntry:
    return replace(
        delivered.entry,
        records=tally.records + len(delivered.erased),
        lines=tally.lines,
        header_lines=delivered.file.header_lines if delivered.file else 0,
        blank_lines=tally.blank_lines,
    )


def _report(day: str, entries: Sequence[FileEntry], bad_records: int) -> IngestReport:
    accepted = sum(entry.status == ACCEPTED for entry in entries)
    return IngestReport(
        day=day,
        files=len(entries),
        accepted=accepted,
        refused=len(entries) - accepted,
        duplicates=sum(entry.is_duplicate for entry in entries),
        records=sum(entry.records for entry in entries),
        bad_records=bad_records,
        bytes=sum(entry.bytes for entry in entries),
    )
