"""xlsx: one sheet's rows as records, each cell as exact text.

A cell's text: shared and inline strings as they are; numbers as the file writes them, but whole numbers without ``.0``
or exponent, and numbers of more than 15 digits (how Excel stores 36.6 as 36.600000000000001) by the shortest text of
the same double; cells with a date format as ISO date or date and time, times of day as ``HH:MM:SS``; booleans
``true``/``false``; formulas by their last value; error values (``#N/A``) as they are. Merged cells are not unfolded:
all but the first are empty (see ``carry_forward``). ``_raw`` is the row as a JSON array.
Rows of empty cells, and rows the file leaves out, are blank lines.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from math import isfinite
from typing import BinaryIO

import orjson
import pyarrow as pa
from lxml import etree
from openpyxl.utils.datetime import from_excel

from contracts.region import Source
from fhir_mapping.sources import limits
from fhir_mapping.sources.carried import carry_forward
from fhir_mapping.sources.csv_reader import find_columns
from fhir_mapping.sources.encoding import Encoding
from fhir_mapping.sources.record import BAD_WORKBOOK, Block, Refusal
from fhir_mapping.sources.workbook import (
    BROKEN,
    BadWorkbookError,
    MissingSheetError,
    Workbook,
    local,
    open_workbook,
    text_of,
)

BLOCK_BYTES = 8 << 20
_MAX_COLUMNS = 16_384
_DIGITS = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"(-?[0-9]+)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_REFERENCE = re.compile("([A-Z]{1,3})([0-9]+)?")
_EXACT_DIGITS = 15
_LARGEST_DAY = 2_958_466

Row = list[str | None]


@dataclass(frozen=True)
class Sheet:
    """A workbook that can be read as records of a source.

    Attributes:
        positions: cell of each column by name; None: the sheet has no such column.
        header_lines: rows up to and with the header.
    """

    source: Source
    book: Workbook
    positions: dict[str, int | None]
    header_lines: int
    encoding: Encoding | None = None
    newline: str | None = None

    def blocks(self, stream: BinaryIO, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """All records of the sheet; memory is bounded by ``block_bytes`` of text (and the shared texts)."""
        return carry_forward(self.source, self._blocks(stream, block_bytes))

    def places(self, stream: BinaryIO) -> list[int]:
        """For each record the place, from 0, of its row among all row elements of the sheet."""
        rows = enumerate(_rows(stream, self.book))
        return [place for place, (number, row) in rows if number > self.header_lines and any(row)]

    def _blocks(self, stream: BinaryIO, block_bytes: int) -> Iterator[Block]:
        collected = _Rows(self.positions)
        number = self.header_lines
        try:
            for row_number, row in _rows(stream, self.book):
                if row_number <= self.header_lines:
                    continue
                collected.skip(row_number - number - 1)
                collected.add(row)
                number = row_number
                if collected.size > block_bytes:
                    yield collected.block()
                    collected = _Rows(self.positions)
        except BROKEN:
            collected.add_damage(number)
        yield collected.block()


def inspect(source: Source, stream: BinaryIO) -> Sheet | Refusal:
    """Open a workbook and find the header of its sheet, or say why it is refused."""
    stream.seek(0)
    if not stream.read(1):
        return Refusal("empty_file")
    try:
        book = open_workbook(stream, source.sheet)
        return _find_header(source, book, stream)
    except MissingSheetError:
        return Refusal("missing_sheet")
    except (BadWorkbookError, *BROKEN):
        return Refusal(BAD_WORKBOOK)


def _find_header(source: Source, book: Workbook, stream: BinaryIO) -> Sheet | Refusal:
    for number, row in _rows(stream, book):
        if number <= source.skip_rows or not any(row):
            continue
        if not source.header:
            names = [column.name for column in source.column]
            return Sheet(source, book, {name: position for position, name in enumerate(names)}, source.skip_rows)
        positions = find_columns(source, [cell or "" for cell in row])
        return Refusal(positions) if isinstance(positions, str) else Sheet(source, book, positions, number)
    return Refusal("empty_file")


class _Rows:
    """Rows on their way to a block."""

    def __init__(self, positions: dict[str, int | None]) -> None:
        self.size = 0
        self._positions = positions
        self._raw: list[str] = []
        self._error: list[str | None] = []
        self._columns: dict[str, Row] = {name: [] for name in positions}
        self._blank = 0

    def skip(self, rows: int) -> None:
        """Rows that the file leaves out; none where its row numbers do not rise."""
        self._blank += max(rows, 0)

    def add(self, row: Row) -> None:
        if not any(row):
            self._blank += 1
            return
        if sum(len(cell) for cell in row if cell) > limits.MAX_PIECE:  # a shared text may stand in each of its cells
            raise ValueError("a row is too large")
        raw = orjson.dumps(row).decode()
        self.size += len(raw)
        self._raw.append(raw)
        self._error.append(None)
        width = len(row)
        for name, position in self._positions.items():
            self._columns[name].append(row[position] if position is not None and position < width else None)

    def add_damage(self, number: int) -> None:
        """What follows row ``number`` cannot be read."""
        self._raw.append(orjson.dumps({"unreadable_after_row": number}).decode())
        self._error.append(BAD_WORKBOOK)
        for column in self._columns.values():
            column.append(None)

    def block(self) -> Block:
        values = {name: pa.array(column, pa.string()) for name, column in self._columns.items()}
        lines = len(self._raw) + self._blank
        return Block(pa.array(self._raw, pa.string()), pa.array(self._error, pa.string()), values, lines, self._blank)


def _rows(stream: BinaryIO, book: Workbook) -> Iterator[tuple[int, Row]]:
    """Each row that the sheet holds, with its number from 1; trailing empty cells are left out."""
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive, archive.open(book.sheet) as part:
        number = 0
        options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
        for _, element in etree.iterparse(part, events=("end",), tag="{*}row", **options):
            stated = element.get("r") or ""
            number = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 9 else number + 1
            yield number, _cells(element, book)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _cells(element: etree._Element, book: Workbook) -> Row:
    row: Row = []
    for cell in element:
        if local(cell.tag) != "c":
            continue
        position = _column(cell.get("r"), len(row))
        if position >= _MAX_COLUMNS:
            continue
        if position > len(row):
            row.extend([None] * (position - len(row)))
        text = _text(cell, book)
        if position < len(row):
            row[position] = text
        else:
            row.append(text)
    while row and not row[-1]:
        row.pop()
    return row


def _column(reference: str | None, following: int) -> int:
    """Number from 0 of a cell from its reference (``AB12`` is 27); the next one when it has none."""
    match = _REFERENCE.match(reference or "")
    if match is None:
        return following
    number = 0
    for letter in match[1]:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _text(cell: etree._Element, book: Workbook) -> str | None:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = next((part for part in cell if local(part.tag) == "is"), None)
        return None if inline is None else text_of(inline)
    value = next((part.text for part in cell if local(part.tag) == "v"), None)
    if value is None:
        return None
    if kind == "s":
        number = int(value) if _DIGITS.fullmatch(value) else -1
        return book.texts[number] if 0 <= number < len(book.texts) else value
    if kind == "b":
        return {"1": "true", "0": "false"}.get(value, value)
    if kind != "n":
        return value
    style = cell.get("s", "0")
    meaning = book.kinds[int(style)] if style.isdigit() and int(style) < len(book.kinds) else None
    return _number(value) if meaning is None else _moment(value, book.epoch, meaning)


def _number(text: str) -> str:
    """A number's text, see the top of the module; what is no number stays as it is."""
    if _DIGITS.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    whole, fraction, exponent = match.groups()
    if exponent is None and len((whole + (fraction or "")).lstrip("-0.")) - 1 <= _EXACT_DIGITS:
        return whole if fraction is not None and not fraction.strip(".0") else text
    number = float(text)
    if not isfinite(number):
        return text
    plain = format(Decimal(repr(number)), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _moment(text: str, epoch: datetime, meaning: str) -> str:
    """A day number as ISO date, date and time, or time of day; a length of time, or what is no day, stays a number."""
    number = float(text) if _NUMBER.fullmatch(text) else -1.0
    if meaning == "duration" or not 0 <= number < _LARGEST_DAY:
        return _number(text)
    found = from_excel(number, epoch)
    if isinstance(found, time):
        return found.isoformat(timespec="seconds")
    if not isinstance(found, datetime):
        return _number(text)
    if meaning == "date" and found.time() == time():
        return found.date().isoformat()
    return found.isoformat(timespec="milliseconds" if found.microsecond else "seconds")
