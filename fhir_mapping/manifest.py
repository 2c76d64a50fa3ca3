"""The manifest: one row for every file ever found in landing, whatever became of it.

It is written after a day's bronze tables, as the last commit of an ingest: a day counts as ingested when the manifest
says so. A run that dies earlier leaves whole bronze partitions without a manifest row, which no ledger can explain
(``quality.reconcile`` names them) and which the rerun replaces. Written first, it would vouch for rows that are not
there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from types import UnionType
from typing import NamedTuple, get_type_hints

import pyarrow as pa
from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType

from contracts.zone import SiteZone
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, exists, write_arrow

_RECORDS_A_WRITE = 2_000_000

ACCEPTED = "accepted"
REFUSED = "refused"

NAME = "manifest__file"

_TYPES: dict[type | UnionType, StringType | LongType | BooleanType] = {
    str: StringType(),
    str | None: StringType(),
    int: LongType(),
    bool: BooleanType(),
}


class FileEntry(NamedTuple):
    """One delivered file. A tuple, since a feed of small files has tens of thousands a day.

    Attributes:
        delivery_date: the day's folder in landing.
        source: ``his__visit``; None when no source or several claim the file.
        file_name: path below the day's folder.
        file_id: names site, source and content: equal for a file delivered twice.
        sha256: of the bytes as delivered.
        declared_encoding: what the source says; None without a source.
        detected_encoding: what it was read in (``-sig``: opens with a byte-order mark); None when not recognised.
        records: source records; 0 when refused.
        lines: physical lines = header_lines + blank_lines + the lines of the records; 0 when refused.
        is_duplicate: an accepted file with this file_id was delivered before (earlier day, or earlier name that day).
            Its rows are in bronze like any other's; the ledger counts them as superseded.
        status: ``accepted`` or ``refused``.
        reason: why refused: ``no_source``, ``several_sources``, ``compressed_file``, ``empty_file``,
            ``unknown_encoding``, ``missing_column:<name>``, ``bad_workbook``, ``missing_sheet``, ``file_too_large``,
            ``record_too_large``.
        line_end: ``LF`` (a CR before it belongs to it) or ``CR`` (the file holds no LF); None when refused, and where
            records are not lines: then each row of a sheet, each record of HL7 v2 and CDA, counts as one.
    """

    delivery_date: str
    site: str
    source: str | None
    file_name: str
    file_id: str
    sha256: str
    bytes: int
    declared_encoding: str | None
    detected_encoding: str | None
    records: int
    lines: int
    header_lines: int
    blank_lines: int
    is_duplicate: bool
    status: str
    reason: str | None
    line_end: str | None


def table(zone: SiteZone) -> Table:
    """``manifest__file``, one part a day of delivery."""
    schema = StructType([StructField(name, _TYPES[kind]) for name, kind in get_type_hints(FileEntry).items()])
    return Table(zone.table(NAME), schema, partition_by=("delivery_date",))


def read_manifest(zone: SiteZone) -> list[FileEntry]:
    """All entries, by day and file name; none when nothing was ingested yet."""
    if not exists(table(zone)):
        return []
    rows = read_arrow(table(zone).path, FileEntry._fields)
    return sorted(map(FileEntry._make, zip(*(column.to_pylist() for column in rows.columns), strict=True)), key=_order)


def record_day(zone: SiteZone, day: str, entries: Sequence[FileEntry]) -> list[FileEntry]:
    """Make ``entries`` the manifest of a day, in one commit; returns them with ``is_duplicate`` set.

    Days may be ingested in any order: where an earlier delivery of the same bytes turns up late, the flags of the later
    days change in the same commit.
    """
    others = [entry for entry in read_manifest(zone) if entry.delivery_date != day]
    flagged = flag_duplicates([*others, *entries])
    changed = {day} | {entry.delivery_date for entry in set(flagged) - set(others)}
    rows = [entry for entry in flagged if entry.delivery_date in changed]
    target = table(zone)
    values = [*zip(*rows, strict=True)] or [()] * len(FileEntry._fields)
    data = pa.table(dict(zip(FileEntry._fields, values, strict=True)), schema=arrow_schema(target))
    write_arrow(data, target, where={"delivery_date": sorted(changed)})
    return [entry for entry in flagged if entry.delivery_date == day]


def in_batches(entries: Sequence[FileEntry], days: Iterable[str]) -> list[list[str]]:
    """The days in groups that one write may hold: a writer keeps a buffer for each part it writes at a time."""
    records: Counter[str] = Counter()
    for entry in entries:
        records[entry.delivery_date] += entry.records
    batches: list[list[str]] = []
    held = 0
    for day in sorted(days):
        held += records[day]
        if not batches or held > _RECORDS_A_WRITE:
            batches.append([])
            held = records[day]
        batches[-1].append(day)
    return batches


def flag_duplicates(entries: Sequence[FileEntry]) -> list[FileEntry]:
    """The entries in order, ``is_duplicate`` set from their contents alone. A refused file makes no duplicate."""
    seen: set[str] = set()
    flagged = []
    for entry in sorted(entries, key=_order):
        is_accepted = entry.status == ACCEPTED
        is_duplicate = is_accepted and entry.file_id in seen
        flagged.append(entry if entry.is_duplicate == is_duplicate else entry._replace(is_duplicate=is_duplicate))
        if is_accepted:
            seen.add(entry.file_id)
    return flagged


def _order(entry: FileEntry) -> tuple[str, str]:
    return entry.delivery_date, entry.file_name
