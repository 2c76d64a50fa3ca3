"""Bronze: one lossless row a source record, ``bronze_<system>__<entity>``, replaced by day of delivery.

A day's part is a function of the day's landing folder and the site's settings alone: ingesting it again, or the days in
another order, gives the same rows. Files delivered twice are in it twice (the manifest flags the later one).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from pyspark.sql.types import LongType, StringType, StructField, StructType

from contracts.region import Site, Source
from contracts.zone import SiteZone
from fhir_mapping.bronze_documents import Documents, are_many, write_documents
from fhir_mapping.bronze_rows import OfFiles, Tally, as_written, counted, with_lineage
from fhir_mapping.landing import Delivered, Listed, landing_days, listed_files, look_at
from fhir_mapping.lifecycle.enforcement import enforce_on_day
from fhir_mapping.lifecycle.erased import as_delivered, read_erasures
from fhir_mapping.manifest import ACCEPTED, FileEntry, record_day
from fhir_mapping.sources.record import Block
from fhir_mapping.sources.together import read_files
from fhir_mapping.spec.facts import facts_of_group
from lake.tables import Table, arrow_schema, write_arrow, write_files
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
    enforce_on_day(zone, site, day)
    listed, erasures = listed_files(zone, site, day), read_erasures(zone)
    claimed: dict[str, list[Listed]] = {source.name: [] for source in site.sources}
    for file in listed:
        if not isinstance(file.source, str):
            claimed[file.source.name].append(file)
    many = {source.name for source in site.sources if are_many(source, claimed[source.name])}
    others = [file for file in listed if isinstance(file.source, str) or file.source.name not in many]
    found = [as_delivered(delivered, erasures) for delivered in look_at(site, day, others)]
    tallies = {delivered.entry.file_name: Tally() for delivered in found}
    documents: list[tuple[list[FileEntry], int]] = []

    def read_source(source: Source) -> None:
        target = table(zone, source)
        schema = as_written(arrow_schema(target), source)
        if source.name in many:
            of_day = Documents(site, source, day, erasures, schema)
            write_files(
                lambda folder: documents.append(write_documents(of_day, claimed[source.name], folder)),
                target,
                *("_delivery_date", day),
            )
        else:
            own = [delivered for delivered in found if delivered.entry.source == source.name]
            rows = pa.RecordBatchReader.from_batches(schema, with_lineage(_blocks(own), schema, tallies))
            facts_of = partial(facts_of_group, source.null_values, source.identifying)
            write_arrow(rows, target, where={"_delivery_date": [day]}, facts_of=facts_of)

    run_together(partial(read_source, source) for source in site.sources)
    entries = [counted(delivered, tallies[delivered.entry.file_name]) for delivered in found]
    entries = record_day(zone, day, entries + [entry for part, _ in documents for entry in part])
    bad_records = sum(tally.bad_records for tally in tallies.values()) + sum(bad for _, bad in documents)
    return _report(day, entries, bad_records)


def _blocks(own: Sequence[Delivered]) -> Iterator[tuple[OfFiles, Block]]:
    """The accepted files' records, block by block."""
    readable = [(delivered, delivered.file) for delivered in own if delivered.file is not None]
    for rows in read_files([(file, delivered.path) for delivered, file in readable]):
        of_files = [(readable[number][0], count) for number, count in zip(rows.numbers, rows.counts, strict=True)]
        yield of_files, rows.block


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
