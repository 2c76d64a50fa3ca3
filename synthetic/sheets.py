"""How a hospital's export is written to bytes: CSV or NDJSON files, one a source and day, and what each row becomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from synthetic.city import Hospital

Row = dict[str, Any]
Resource = tuple[str, str]
"""A FHIR resource a row stands for: (type, key within the hospital)."""


@dataclass(frozen=True)
class Layout:
    """One source of a hospital: how its files are named and written.

    Attributes:
        source: ``system__entity``.
        file_name: with ``{day}`` for the day as ``YYYYMMDD``.
        key: the column (or top-level field) that identifies a record.
        columns: CSV headers in order; empty for NDJSON.
        resources: the resources a good row is mapped to.
    """

    source: str
    file_name: str
    key: str
    resources: Callable[[Row], Iterable[Resource]]
    columns: tuple[str, ...] = ()
    encoding: Literal["utf-8", "utf-8-sig", "gb18030"] = "utf-8"
    newline: str = "\r\n"

    def header(self) -> bytes:
        """First bytes of a file: byte-order mark and header line, as this source has them."""
        mark = b"\xef\xbb\xbf" if self.encoding == "utf-8-sig" else b""
        return mark + (self._line([str(column) for column in self.columns]) if self.columns else b"")

    def record(self, row: Row) -> bytes:
        """One record with its line end."""
        if self.columns:
            return self._line([row[column] for column in self.columns])
        return (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode()

    def _line(self, cells: list[str]) -> bytes:
        text = ",".join(_quoted(cell) for cell in cells) + self.newline
        return text.encode("gb18030" if self.encoding == "gb18030" else "utf-8")


def _quoted(cell: str) -> str:
    if any(character in cell for character in ',"\n\r'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@dataclass(frozen=True)
class Entry:
    """One record of a delivery: its row, and what becomes of it.

    Attributes:
        damage: changes the written bytes (a bad byte, a lost quote).
        outcome: the disposition the ledger must give it.
        rule: the quarantine or skip rule that must be named.
        pending: it refers to a patient or visit that never arrives.
        planted: made for a defect, not a normal record.
    """

    day: date
    row: Row
    outcome: Literal["mapped", "quarantined", "superseded", "skipped"] = "mapped"
    rule: str | None = None
    pending: bool = False
    damage: Callable[[bytes], bytes] | None = None
    planted: bool = False


@dataclass(frozen=True)
class Habit:
    """How one kind of hospital exports.

    Attributes:
        marker: a source name that only this habit has; a site is recognised by it.
        rows: every source's normal rows with their day of delivery.
        strangers: rows of people without a visit, for defects on patient records, by source.
        defects: what is wrong in this hospital's exports.
    """

    name: str
    marker: str
    layouts: tuple[Layout, ...]
    rows: Callable[[Hospital], dict[str, list[tuple[date, Row]]]]
    strangers: Callable[[Hospital], dict[str, list[tuple[date, Row]]]]
    defects: tuple[Defect, ...] = field(default=())

    def layout(self, source: str) -> Layout:
        return next(layout for layout in self.layouts if layout.source == source)


@dataclass(frozen=True)
class Defect:
    """One kind of defect and how often it occurs in one source.

    Attributes:
        kind: ``edit`` a new record that is wrong; ``repeat`` the same record twice in one file; ``update`` the same key
            again on the next day with a later update time, which supersedes the first.
        edit: changes the row in place (``edit``: what is wrong; ``update``: what is new).
        rate: share of the source's rows; at least two occur.
    """

    name: str
    source: str
    kind: Literal["edit", "repeat", "update"] = "edit"
    edit: Callable[[Row], None] | None = None
    damage: Callable[[bytes], bytes] | None = None
    outcome: Literal["mapped", "quarantined", "skipped"] = "quarantined"
    rule: str | None = None
    pending: bool = False
    rate: float = 0.003


def put(column: str, value: str) -> Callable[[Row], None]:
    """An edit that writes a value into one column."""

    def edit(row: Row) -> None:
        row[column] = value

    return edit


def change(column: str, make: Callable[[str], str]) -> Callable[[Row], None]:
    """An edit that derives a column's new value from its old one."""

    def edit(row: Row) -> None:
        row[column] = make(row[column])

    return edit


def is_value(cell: str | None) -> bool:
    """Whether a cell says anything: the city's hospitals write ``无`` or nothing for no value."""
    return cell is not None and cell.strip() not in ("", "无")


def full_width(text: str) -> str:
    """Digits and the point as full-width characters: ``３８．６``."""
    return "".join(chr(ord(c) + 0xFEE0) if c in "0123456789." else c for c in text)
