"""Every file's records and resources, counted from the tables, with none of the code that wrote them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from contracts.zone import SiteZone
from lake.reader import read_arrow

FileKey = tuple[str, str]
"""Day of delivery and file name."""

_FILE = ["_delivery_date", "_file_name"]
_RECORD = [*_FILE, "_record_no"]


@dataclass
class FileCount:
    """What the tables hold of one file.

    Attributes:
        bronze: rows in bronze.
        line_feeds, carriage_returns: such characters inside the rows' text: line breaks in quoted fields.
        mapped_rows: rows in the mapped table; of these ``quarantined`` have errors, ``skipped`` a rule that skips
            them, ``emitting`` emitted a resource.
        emitted: resources the mapped rows emitted.
        standing: records with a resource in silver.
        strays: records in silver that no mapped row emitted anything for.
        resources: resources in silver by table.
        pending: resources in silver that wait for a reference.
        replaced: resources listed as superseded.
        quarantine: records in quarantine.
        refused: entries in quarantine for the file as a whole.
        erased: records that the list of erasures says were taken out.
    """

    bronze: int = 0
    line_feeds: int = 0
    carriage_returns: int = 0
    mapped_rows: int = 0
    quarantined: int = 0
    skipped: int = 0
    emitting: int = 0
    emitted: int = 0
    standing: int = 0
    strays: int = 0
    resources: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    replaced: int = 0
    quarantine: int = 0
    refused: int = 0
    erased: int = 0


Counts = dict[FileKey, FileCount]


def recount(zone: SiteZone, days: Iterable[str]) -> Counts:
    """Count all bronze (day by day, since it is the widest), mapped, silver and quarantine tables of a site."""
    counts: Counts = defaultdict(FileCount)
    for name in _tables(zone, "bronze_"):
        for day in days:
            _count_bronze(zone, name, day, counts)
    emitting = [_count_mapped(zone, name, counts) for name in _tables(zone, "mapped_")]
    standing = [_count_silver(zone, name, counts) for name in _tables(zone, "silver_fhir__")]
    _count_standing(emitting, standing, counts)
    for name in _tables(zone, "superseded__"):
        _add(counts, read_arrow(zone.table(name), _FILE), {}, "replaced")
    for name in _tables(zone, "quarantine__"):
        _count_quarantine(zone, name, counts)
    _count_erased(zone, counts)
    return dict(counts)


def _tables(zone: SiteZone, prefix: str) -> list[str]:
    return sorted(path.name for path in zone.lake.glob(f"{prefix}*") if (path / "_delta_log").is_dir())


def _count_bronze(zone: SiteZone, name: str, day: str, counts: Counts) -> None:
    rows = read_arrow(zone.table(name), [*_FILE, "_raw"], {"_delivery_date": [day]})
    breaks = {
        "line_feeds": pc.count_substring(rows["_raw"], "\n"),
        "carriage_returns": pc.count_substring(rows["_raw"], "\r"),
    }
    _add(counts, rows.select(_FILE), breaks, "bronze")


def _count_mapped(zone: SiteZone, name: str, counts: Counts) -> pa.Table:
    """Adds up a mapped table; returns the records that emitted something."""
    rows = read_arrow(zone.table(name), [*_RECORD, "_errors", "_skip", "_emitted"])
    has_errors = pc.fill_null(pc.greater(pc.list_value_length(rows["_errors"]), 0), False)
    emits = pc.fill_null(pc.greater(rows["_emitted"], 0), False)
    numbers = {
        "quarantined": has_errors,
        "skipped": pc.and_(pc.invert(has_errors), pc.is_valid(rows["_skip"])),
        "emitting": emits,
        "emitted": pc.fill_null(rows["_emitted"], 0),
    }
    _add(counts, rows.select(_FILE), numbers, "mapped_rows")
    return rows.filter(emits).select(_RECORD)


def _count_silver(zone: SiteZone, name: str, counts: Counts) -> pa.Table:
    """Adds up a silver table; returns the records its rows come from."""
    rows = read_arrow(zone.table(name), [*_RECORD, "_pending"])
    waits = pc.fill_null(pc.greater(pc.list_value_length(rows["_pending"]), 0), False)
    grouped = _by_file(rows.select(_FILE), {"pending": waits})
    resource = name.removeprefix("silver_fhir__")
    for row in grouped:
        count = counts[row["_delivery_date"], row["_file_name"]]
        count.pending += row["pending_sum"]
        count.resources[resource] += row["count_all"]
    return rows.select(_RECORD)


def _count_standing(emitting: list[pa.Table], standing: list[pa.Table], counts: Counts) -> None:
    if not standing:
        return
    records = pa.concat_tables(standing).group_by(_RECORD).aggregate([])
    _add(counts, records.select(_FILE), {}, "standing")
    known = pa.concat_tables(emitting) if emitting else records.slice(0, 0)
    strays = records.join(known, keys=_RECORD, join_type="left anti")
    _add(counts, strays.select(_FILE), {}, "strays")


def _count_quarantine(zone: SiteZone, name: str, counts: Counts) -> None:
    rows = read_arrow(zone.table(name), ["_delivery_date", "file_name", "record_no"])
    is_whole = pc.less(rows["record_no"], 0)
    files = rows.select(["_delivery_date", "file_name"]).rename_columns(_FILE)
    _add(counts, files.filter(is_whole), {}, "refused")
    _add(counts, files.filter(pc.invert(is_whole)), {}, "quarantine")


def _count_erased(zone: SiteZone, counts: Counts) -> None:
    """Of the entries of one delivery of a file, each of which takes in the earlier ones, the longest counts."""
    if not _tables(zone, "erased__file"):
        return
    current = {
        (row["delivery_date"], row["file_name"]): row["file_id"]
        for row in read_arrow(zone.table("manifest__file"), ["delivery_date", "file_name", "file_id"]).to_pylist()
    }
    for row in read_arrow(zone.table("erased__file")).to_pylist():
        key = row["delivery_date"], row["file_name"]
        if current.get(key) == row["file_id"]:
            counts[key].erased = max(counts[key].erased, len(row["record_nos"]))


def _add(counts: Counts, files: pa.Table, numbers: dict[str, pa.ChunkedArray], rows_as: str) -> None:
    """Add the number of rows of each file to ``rows_as``, and each of ``numbers`` to its own field."""
    for row in _by_file(files, numbers):
        count = counts[row["_delivery_date"], row["_file_name"]]
        setattr(count, rows_as, getattr(count, rows_as) + row["count_all"])
        for name in numbers:
            setattr(count, name, getattr(count, name) + (row[f"{name}_sum"] or 0))


def _by_file(files: pa.Table, numbers: dict[str, pa.ChunkedArray]) -> list[dict]:
    for name, column in numbers.items():
        files = files.append_column(name, column.cast(pa.int64()))
    sums = [(name, "sum") for name in numbers]
    return files.group_by(_FILE).aggregate([([], "count_all"), *sums]).to_pylist()
