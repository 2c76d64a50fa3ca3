"""CSV files: the header's contract, and the records block by block."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

import numpy as np

from contracts.region import Column, Source
from fhir_mapping.sources import limits
from fhir_mapping.sources.csv_columns import Assembly
from fhir_mapping.sources.csv_scanner import parse_record, scan_quotes
from fhir_mapping.sources.encoding import decode
from fhir_mapping.sources.lines import Lines, read_whole_lines
from fhir_mapping.sources.parallel import in_threads
from fhir_mapping.sources.record import Block

_FIRST_RECORDS = 100
"""Lines of a file without a header that tell which of its last columns it has."""


@dataclass(frozen=True)
class Header:
    """Where each declared column stands.

    Attributes:
        positions: field number of each column by name; None: the file has no such column.
        width: fields a record must have.
        lines: physical lines of the header itself and, from the first line with text on, of the titles above it (0 for
            a headerless file without titles).
    """

    positions: dict[str, int | None]
    width: int
    lines: int


def read_header(source: Source, lines: Lines) -> Header | str:
    """The header of a file from its first lines, or why it is refused (``missing_column:<name>``, ``empty_file``).

    Headers are compared after trimming and NFKC (a full-width bracket is a bracket); of two equal ones the first
    counts. Fields that no column declares are allowed: they stay in the record's text. A file without a header may
    lack the last columns where they are not required, in all its records alike.
    """
    first = _first_with_text(lines, 0)
    number = _first_with_text(lines, source.skip_rows)
    if number >= len(lines):
        return "empty_file"
    if not source.header:
        width = _headerless_width(source, lines, number)
        names = enumerate(column.name for column in source.column)
        first_ones = {name: position if position < width else None for position, name in names}
        return Header(first_ones, width, max(number - first, 0))
    record = parse_record(lines, number, source.delimiter, None)
    fields = record.fields or lines.text(number, number + 1).split(source.delimiter)
    positions = find_columns(source, fields)
    if isinstance(positions, str):
        return positions
    return Header(positions, len(fields), number - first + record.lines)


def find_columns(source: Source, headers: Sequence[str]) -> dict[str, int | None] | str:
    """Where each declared column stands among a file's headers, or why the file is refused (as ``read_header``)."""
    found: dict[str, int] = {}
    for position, header in enumerate(headers):
        found.setdefault(_plain(header), position)
    positions = {column.name: _position(column, found) for column in source.column}
    for column in source.column:
        if column.required and positions[column.name] is None:
            return f"missing_column:{column.name}"
    return positions


def _first_with_text(lines: Lines, start: int) -> int:
    """Number of the first line from ``start`` on that is not blank; ``start`` where there is none."""
    found = np.flatnonzero(~lines.is_blank[start:])
    return start + (int(found[0]) if len(found) else 0)


def read_blocks(
    source: Source, header: Header, stream: BinaryIO, codec: str, newline: str, block_bytes: int
) -> Iterator[Block]:
    """The records of a file, block by block; ``stream`` stands after the byte-order mark. Large files use all cores."""
    found = _assemblies(source, header, stream, codec, newline, block_bytes)
    first = list(islice(found, 2))
    if len(first) < 2:
        return map(Assembly.block, first)
    return in_threads(Assembly.block, chain(first, found))


def _assemblies(
    source: Source, header: Header, stream: BinaryIO, codec: str, newline: str, block_bytes: int
) -> Iterator[Assembly]:
    """Blocks of lines whose quotes are understood: what must go from one block to the next."""
    carry = b""
    needs_header = header.lines > 0
    for chunk, is_end in read_whole_lines(stream, newline, block_bytes):
        data = carry + chunk
        # A record of up to a thousand long lines is not waited for beyond what can be held.
        is_last = is_end or 2 * len(data) > limits.MAX_PIECE
        text, bad = decode(data, codec, newline)
        lines = Lines.of(text, newline)
        head = range(0)
        if needs_header and not lines.is_blank.all():
            first = int(np.argmin(lines.is_blank))
            head = range(first, first + header.lines)
            if head.stop > len(lines) and not is_last:
                carry = data
                continue
            needs_header = False
        raw = lines.to_arrow()
        scan = scan_quotes(lines, raw, source.delimiter, header.width, first=head.stop, is_last=is_last)
        carry = _from_line(data, scan.consumed, newline) if scan.consumed < len(lines) else b""
        yield Assembly(lines, raw, scan, bad, head, source.delimiter, header.width, header.positions)


def _headerless_width(source: Source, lines: Lines, start: int) -> int:
    """Fields a record has: all columns, unless every one of the first records lacks last ones that may be absent."""
    full = least = len(source.column)
    while least > 1 and not source.column[least - 1].required:
        least -= 1
    if least == full:
        return full
    first = start + np.flatnonzero(~lines.is_blank[start:])[:_FIRST_RECORDS]
    records = (parse_record(lines, int(number), source.delimiter, None) for number in first)
    return max((n for r in records if r.fields and least <= (n := len(r.fields)) <= full), default=full)


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
