"""CSV files: the header's contract, and records as Arrow columns at the speed the file allows.

Lines without a quote are split by Arrow, without a Python object a cell; only records that begin on a line with a
quote pass the csv module (``csv_scanner``). Both give the same records; a property test holds them equal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.region import Column, Source
from fhir_mapping.sources.csv_scanner import QuotedRecord, Scan, parse_record, scan_quoted
from fhir_mapping.sources.encoding import decode, double_backslashes
from fhir_mapping.sources.lines import Lines, read_whole_lines
from fhir_mapping.sources.record import BAD_ENCODING, COLUMN_COUNT, RECORD_ERRORS, Block

_CODE = {name: code for code, name in enumerate(RECORD_ERRORS)}


@dataclass(frozen=True)
class Header:
    """Where each declared column stands.

    Attributes:
        positions: field number of each column by name; None: the file has no such column.
        width: fields a record must have.
        lines: physical lines of the header itself (0 for a headerless file).
    """

    positions: dict[str, int | None]
    width: int
    lines: int


def read_header(source: Source, lines: Lines) -> Header | str:
    """The header of a file from its first lines, or the reason to refuse it (``missing_column:<name>``).

    Headers are compared after trimming and NFKC (a full-width bracket is a bracket); of two equal ones the first counts.
    Fields that no column declares are allowed: they stay in the record's text.
    """
    if not source.header:
        return Header({column.name: number for number, column in enumerate(source.column)}, len(source.column), 0)
    number = int(np.argmin(lines.is_blank))
    record = parse_record(lines, number, source.delimiter, None)
    fields = record.fields or lines.text(number, number + 1).split(source.delimiter)
    found: dict[str, int] = {}
    for position, field in enumerate(fields):
        found.setdefault(_plain(field), position)
    positions = {column.name: _position(column, found) for column in source.column}
    for column in source.column:
        if column.required and positions[column.name] is None:
            return f"missing_column:{column.name}"
    return Header(positions, len(fields), record.lines)


def read_blocks(source: Source, header: Header, stream: BinaryIO, codec: str, newline: str) -> Iterator[Block]:
    """The records of a file, block by block; ``stream`` stands after the byte-order mark."""
    carry = b""
    needs_header = source.header
    for chunk, is_last in read_whole_lines(stream, newline):
        data = carry + chunk
        text, bad = decode(data, codec, newline)
        lines = Lines.of(text, newline)
        head = range(0)
        if needs_header and not lines.is_blank.all():
            first = int(np.argmin(lines.is_blank))
            head, needs_header = range(first, first + header.lines), False
        raw = lines.to_arrow()
        scan = scan_quoted(lines, raw, source.delimiter, header.width, first=head.stop, is_last=is_last)
        carry = _from_line(data, scan.consumed, newline) if scan.consumed < len(lines) else b""
        yield _Assembly(source, header, lines, raw, scan, bad, head).block()


@dataclass(frozen=True)
class _Assembly:
    """One block's lines and the records with quotes found among them, on the way to Arrow columns."""

    source: Source
    header: Header
    lines: Lines
    raw: pa.StringArray
    scan: Scan
    bad: frozenset[int]
    head: range

    def block(self) -> Block:
        consumed = self.scan.consumed
        is_plain = np.ones(consumed, dtype=bool)
        is_plain[self.head.start : self.head.stop] = False
        for record in self.scan.records:
            is_plain[record.line : record.line + record.lines] = False
        is_blank = is_plain & self.lines.is_blank[:consumed]
        is_plain &= ~is_blank
        plain = self._plain(np.flatnonzero(is_plain))
        columns = plain if not self.scan.records else self._merge(plain, np.flatnonzero(is_plain))
        values = dict(zip(self.header.positions, columns[2:], strict=True))
        return Block(columns[0], columns[1], values, consumed, int(is_blank.sum()))

    def _plain(self, numbers: np.ndarray) -> list[pa.StringArray]:
        """Raw, error and columns of lines that are one record each and hold no quote."""
        raw = self.raw if len(numbers) == len(self.raw) else self.raw.take(pa.array(numbers))
        fields = pc.split_pattern(raw, self.source.delimiter)
        codes = np.where(pc.list_value_length(fields).to_numpy() == self.header.width, -1, _CODE[COLUMN_COUNT])
        if self.bad:
            codes[np.isin(numbers, list(self.bad))] = _CODE[BAD_ENCODING]
        is_good = codes == -1
        row = None
        if not is_good.all():
            fields = fields.filter(pa.array(is_good))
            row = pa.array(np.cumsum(is_good) - 1, mask=~is_good)
        columns = []
        for position in self.header.positions.values():
            column = pa.nulls(len(fields), pa.string()) if position is None else pc.list_element(fields, position)
            columns.append(column if row is None else column.take(row))
        errors = pa.DictionaryArray.from_arrays(pa.array(codes, mask=is_good), pa.array(RECORD_ERRORS))
        return [raw, errors.cast(pa.string()), *columns]

    def _merge(self, plain: list[pa.StringArray], numbers: np.ndarray) -> list[pa.StringArray]:
        """Lay the records with quotes between the plain ones, in file order."""
        quoted = self._quoted()
        order = np.argsort(np.concatenate([numbers, [record.line for record in self.scan.records]]), kind="stable")
        index = pa.array(order)
        return [pa.concat_arrays(pair).take(index) for pair in zip(plain, quoted, strict=True)]

    def _quoted(self) -> list[pa.StringArray]:
        """Raw, error and columns of the records with quotes."""
        nothing: list[str | None] = [None] * self.header.width
        raw, errors, rows = [], [], []
        for record in self.scan.records:
            is_bad = not self.bad.isdisjoint(range(record.line, record.line + record.lines))
            raw.append(self._text(record, is_bad))
            errors.append(BAD_ENCODING if is_bad else record.error)
            rows.append(nothing if is_bad or record.fields is None else record.fields)
        columns = list(zip(*rows, strict=True))
        absent = [None] * len(rows)
        picked = [absent if p is None else columns[p] for p in self.header.positions.values()]
        return [pa.array(column, pa.string()) for column in (raw, errors, *picked)]

    def _text(self, record: QuotedRecord, is_bad: bool) -> str:
        """Exact text of a record; where one of its lines holds bad bytes, all are escaped alike."""
        end = record.line + record.lines
        if not is_bad or record.lines == 1:
            return self.lines.text(record.line, end)
        parts = []
        for number in range(record.line, end):
            line = self.lines.text(number, number + 1)
            parts += [line if number in self.bad else double_backslashes(line), self.lines.line_end(number)]
        return "".join(parts[:-1])


def _from_line(data: bytes, number: int, newline: str) -> bytes:
    """The bytes from a line on; no supported encoding has a line end inside a character."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord(newline))
    return data[ends[number - 1] + 1 :] if number else data


def _position(column: Column, found: dict[str, int]) -> int | None:
    for name in (column.header or column.name, *column.aliases):
        if (position := found.get(_plain(name))) is not None:
            return position
    return None


def _plain(header: str) -> str:
    return unicodedata.normalize("NFKC", header).strip()
