"""Records of CSV text that holds quotes: which lines each takes, its fields, and what an unclosed quote costs.

A quote opens a quoted field only at the start of a field (RFC 4180, Python's csv module in strict mode); elsewhere it
is a character like any other. A quoted field may hold line breaks and doubled quotes.

Resynchronisation. A record that starts at line i is believed when its last quote closes and a delimiter or line end
follows. It ends at the end of line i, whatever stands there, with an error, when
    * a closing quote on line i is followed by other text: ``stray_quote``;
    * the field is still open after ``MAX_RECORD_LINES`` lines or at the end of the file: ``unclosed_quote``;
    * the quote that closes it, on a later line, is followed by other text (it opened another record's field):
      ``unclosed_quote``;
    * it closes on a later line, but the record then has not the expected number of fields: ``unclosed_quote``.
Reading goes on at line i + 1. So an unclosed quote costs its own first line; lines after it are read for themselves.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from fhir_mapping.sources.lines import Lines
from fhir_mapping.sources.record import COLUMN_COUNT, STRAY_QUOTE, UNCLOSED_QUOTE

MAX_RECORD_LINES = 1000
"""Physical lines one record may take. Long discharge summaries have a few hundred; it bounds memory and rescanning."""

_QUOTE = ord('"')

# The csv module refuses fields beyond 128 kB (embedded documents); this is its only switch, and it is process-wide.
csv.field_size_limit(sys.maxsize)

# A CR or LF inside a line is a character here and a line end for the csv module: hidden behind surrogates, which no
# decoded text holds, while it reads.
_HIDE = str.maketrans("\r\n", "\udc0d\udc0a")
_SHOW = str.maketrans("\udc0d\udc0a", "\r\n")

_FEWEST, _MOST = 8, 4096
"""Lines tried at once as one-line records; fewer after a failure, so that what is read in vain stays small."""


class QuotedRecord(NamedTuple):
    """A record that begins on a line with a quote: ``lines`` lines from ``line`` on. Fields are None beside an error."""

    line: int
    lines: int
    fields: list[str] | None
    error: str | None


class Scan(NamedTuple):
    """The records with quotes of a block, in order, and how many of its lines belong to whole records."""

    records: list[QuotedRecord]
    consumed: int


class _NeedsMoreLinesError(Exception):
    """The record runs past the end of a block that is not the last."""


def scan_quoted(
    lines: Lines, raw: pa.StringArray, delimiter: str, expected: int, *, first: int = 0, is_last: bool = True
) -> Scan:
    """Find the records from line ``first`` on that begin on a line with a quote.

    Every other line outside of them is one record (or blank). When the block is not the last of its file, a record that
    may run on is left for the next block: ``consumed`` is then its first line.

    Args:
        raw: the text of each of ``lines`` (``lines.to_arrow()``).
        expected: fields a record has.
    """
    quoted = lines.with_byte(_QUOTE)
    records: list[QuotedRecord] = []
    index, size = int(np.searchsorted(quoted, first)), _FEWEST
    while index < len(quoted):
        some = quoted[index : index + size]
        simple = _one_line_records(lines, raw, some, delimiter, expected)
        records.extend(simple)
        if len(simple) == len(some):
            index, size = index + len(some), min(size * 2, _MOST)
            continue
        number = int(some[len(simple)])
        try:
            records.append(parse_record(lines, number, delimiter, expected, is_last=is_last))
        except _NeedsMoreLinesError:
            return Scan(records, number)
        index, size = int(np.searchsorted(quoted, number + records[-1].lines)), _FEWEST
    return Scan(records, len(lines))


def parse_record(
    lines: Lines, number: int, delimiter: str, expected: int | None, *, is_last: bool = True
) -> QuotedRecord:
    """Read the one record that starts at a line, by the rules above; ``expected`` None accepts any field count."""
    taken = 0
    ran_out = False

    def feed() -> Iterator[str]:
        nonlocal taken, ran_out
        while taken < MAX_RECORD_LINES and number + taken < len(lines):
            line = number + taken
            taken += 1
            yield lines.text(line, line + 1).translate(_HIDE) + lines.line_end(line)
        if taken < MAX_RECORD_LINES and not is_last:
            raise _NeedsMoreLinesError
        ran_out = True

    try:
        fields = next(csv.reader(feed(), delimiter=delimiter, strict=True))
    except csv.Error:
        is_stray = taken == 1 and not ran_out
        return QuotedRecord(number, 1, None, STRAY_QUOTE if is_stray else UNCLOSED_QUOTE)
    if expected is not None and len(fields) != expected:
        return QuotedRecord(number, 1, None, UNCLOSED_QUOTE if taken > 1 else COLUMN_COUNT)
    return QuotedRecord(number, taken, [field.translate(_SHOW) for field in fields], None)


def _one_line_records(
    lines: Lines, raw: pa.StringArray, numbers: np.ndarray, delimiter: str, expected: int
) -> list[QuotedRecord]:
    """Records of lines that each are one whole record, up to the first line that is not; the fast path.

    In strict mode a line read by itself succeeds only if its quotes close on it, so its neighbours do not matter.
    """
    texts = raw.take(pa.array(numbers)).to_pylist()
    records: list[QuotedRecord] = []
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    try:
        for number, fields in zip(numbers.tolist(), reader, strict=False):
            if reader.line_num != len(records) + 1 or number in lines.with_stray_break:
                break
            if len(fields) == expected:
                records.append(QuotedRecord(number, 1, fields, None))
            else:
                records.append(QuotedRecord(number, 1, None, COLUMN_COUNT))
    except csv.Error:
        pass
    return records
