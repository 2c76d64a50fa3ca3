"""``erased__file``: which records of which delivered file were erased, and the file's digest before and after.

The manifest keeps saying what was delivered; this table explains why landing holds other bytes now. Records keep the
numbers they had when the file came, so that erasing one changes no row of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from contracts.zone import SiteZone
from fhir_mapping.landing import Delivered
from fhir_mapping.manifest import ACCEPTED
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, exists, write_arrow

NAME = "erased__file"

_TYPES = {"bytes_before": LongType(), "erased": LongType(), "record_nos": ArrayType(LongType())}
_COLUMNS = ("delivery_date", "file_name", "source", "file_id", "sha256_before", "bytes_before", "sha256_after")


@dataclass(frozen=True)
class Erasure:
    """What was taken out of one file, since it came.

    Attributes:
        file_id: as in the manifest: of the bytes as delivered.
        sha256_before, bytes_before: of the file as delivered.
        sha256_after: of the file as it lies in landing since; None: landing has it no longer, only the tables had it.
        record_nos: numbers, ascending, of the erased records in the file as delivered.
    """

    delivery_date: str
    file_name: str
    source: str | None
    file_id: str
    sha256_before: str
    bytes_before: int
    sha256_after: str | None
    record_nos: tuple[int, ...]

    @property
    def erased(self) -> int:
        """How many records."""
        return len(self.record_nos)


@dataclass(frozen=True)
class Erasures:
    """All erasures of a site, those that a later one of the same file takes in among them."""

    entries: tuple[Erasure, ...] = ()

    def of_landing(self, day: str, file_name: str, sha256: str) -> Erasure | None:
        """What was taken out of a file that lies in landing with this digest."""
        return next(
            (e for e in self.entries if (e.delivery_date, e.file_name, e.sha256_after) == (day, file_name, sha256)),
            None,
        )

    def of_file(self, day: str, file_name: str, file_id: str) -> Erasure | None:
        """All that was taken out of a delivered file."""
        found = [e for e in self.entries if (e.delivery_date, e.file_name, e.file_id) == (day, file_name, file_id)]
        return max(found, key=lambda entry: entry.erased, default=None)

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Erased records by day, file name and file id."""
        found: dict[tuple[str, str, str], int] = {}
        for entry in self.entries:
            key = (entry.delivery_date, entry.file_name, entry.file_id)
            found[key] = max(found.get(key, 0), entry.erased)
        return found


def table(zone: SiteZone) -> Table:
    """``erased__file``."""
    names = (*_COLUMNS, "record_nos", "erased")
    schema = StructType([StructField(name, _TYPES.get(name, StringType())) for name in names])
    return Table(zone.table(NAME), schema)


def read_erasures(zone: SiteZone) -> Erasures:
    """All of them; none where nobody was ever erased."""
    if not exists(table(zone)):
        return Erasures()
    rows = read_arrow(table(zone).path).select([*_COLUMNS, "record_nos"]).to_pylist()
    found = [Erasure(**{**row, "record_nos": tuple(row["record_nos"])}) for row in rows]
    return Erasures(tuple(sorted(found, key=_order)))


def record_erasures(zone: SiteZone, new: Iterable[Erasure]) -> Erasures:
    """Add entries, each in the place of one with the same file and the same digest after; gives all."""
    before = read_erasures(zone)
    entries: dict[tuple[str, ...], Erasure] = {_order(entry): entry for entry in before.entries}
    entries.update((_order(entry), entry) for entry in new)
    after = Erasures(tuple(entries[key] for key in sorted(entries)))
    if after != before:
        target = table(zone)
        rows = [{**asdict(e), "record_nos": list(e.record_nos), "erased": e.erased} for e in after.entries]
        write_arrow(pa.Table.from_pylist(rows, schema=arrow_schema(target)), target)
    return after


def as_delivered(delivered: Delivered, erasures: Erasures) -> Delivered:
    """A file in landing with the identity it had when it came, and the numbers of what was taken out since."""
    entry = delivered.entry
    erasure = erasures.of_landing(entry.delivery_date, entry.file_name, entry.sha256)
    if erasure is None:
        return delivered
    # Rows go to the table of the source that reads them: another one, maybe, since the person was erased.
    source = erasure.source if delivered.file is None else entry.source
    entry = entry._replace(
        sha256=erasure.sha256_before, file_id=erasure.file_id, bytes=erasure.bytes_before, source=source
    )
    if delivered.entry.bytes == 0 and erasure.record_nos:
        # Nothing but that person's records was in it: the file counts as read, with no record left.
        entry = entry._replace(status=ACCEPTED, reason=None, detected_encoding=entry.declared_encoding, line_end="LF")
        return Delivered(delivered.path, entry, None, erasure.record_nos)
    return replace(delivered, entry=entry, erased=erasure.record_nos)


def numbers_as_delivered(erased: Sequence[int], first: int, count: int) -> np.ndarray:
    """The numbers, in the file as delivered, of ``count`` of the records that are left, from the ``first`` on.

    >>> numbers_as_delivered((1, 2, 5), 0, 4).tolist()
    [0, 3, 4, 6]
    """
    kept = np.arange(first, first + count, dtype=np.int64)
    if not len(erased):
        return kept
    gone = np.asarray(erased, dtype=np.int64)
    return kept + np.searchsorted(gone - np.arange(len(gone)), kept, side="right")


def _order(entry: Erasure) -> tuple[str, ...]:
    return (entry.delivery_date, entry.file_name, entry.file_id, entry.sha256_after or "")
