"""Records of CSV text that holds quotes: which lines each takes, its fields, and what an unclosed quote costs.

A quote opens a quoted field only at the start of a field (RFC 4180); elsewhere it is a character like any other. A
quoted field may hold line breaks and doubled quotes.

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

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.sources.lines import Lines
from fhir_mapping.sources.record import COLUMN_COUNT, STRAY_QUOTE, UNCLOSED_QUOTE

MAX_RECORD_LINES = 1000
"""Physical lines one record may take. Long discharge summaries have a few hundred; it bounds memory and rescanning."""

_QUOTE = ord('"')
_QUOTED = '"(?:[^"]|"")*"'

_INSIDE_QUOTES = re.compile('[^"]*(?:""[^"]*)*')


class Record(NamedTuple):
    """A record of ``lines`` lines from ``line`` on. Fields are None beside an error."""

    line: int
    lines: int
    fields: list[str] | None
    error: str | None


class Scan(NamedTuple):
    """What the quotes of a block's lines mean.

    Attributes:
        simple: for each line, True: its quotes pair up on it, so it is one record unless an earlier record spans it.
        records: the records that begin on any other line with a quote, in order.
        consumed: lines that belong to whole records; the rest waits for the next block.
    """

    simple: np.ndarray
    records: list[Record]
    consumed: int


class _NeedsMoreLinesError(Exception):
    """The record runs past the end of a block that is not the last."""


def scan_quotes(
    lines: Lines, raw: pa.StringArray, delimiter: str, expected: int, *, first: int = 0, is_last: bool = True
) -> Scan:
    """Find the records, from line ``first`` on, whose quotes do not simply pair up on one line.

    When the block is not the last of its file, a record that may run on is left for the next one.

    Args:
        raw: the text of each of ``lines`` (``lines.to_arrow()``).
        expected: fields a record has.
    """
    has_quote = lines.with_byte(_QUOTE)
    simple = np.zeros(len(lines), dtype=bool)
    simple[has_quote] = _pairs_up(lines, raw, has_quote, delimiter)
    records: list[Record] = []
    position = first
    for number in has_quote[~simple[has_quote]].tolist():
        if number < position:
            continue
        try:
            records.append(parse_record(lines, number, delimiter, expected, is_last=is_last))
        except _NeedsMoreLinesError:
            return Scan(simple, records, number)
        position = number + records[-1].lines
    return Scan(simple, records, len(lines))


def parse_record(lines: Lines, number: int, delimiter: str, expected: int | None, *, is_last: bool = True) -> Record:
    """Read the one record that starts at a line, by the rules above; ``expected`` None accepts any field count."""
    parser = _Parser(delimiter)
    for taken in range(1, MAX_RECORD_LINES + 1):
        line = number + taken - 1
        # A record with too many fields is not believed, wherever it closes; reading on would make a hostile file,
        # whose every line closes one quote and opens the next, cost MAX_RECORD_LINES a line.
        if taken > 1 and expected is not None and len(parser.fields) >= expected:
            break
        if line == len(lines):
            if not is_last:
                raise _NeedsMoreLinesError
            break
        if not parser.feed(lines.text(line, line + 1)):
            return Record(number, 1, None, STRAY_QUOTE if taken == 1 else UNCLOSED_QUOTE)
        if parser.open is None:
            if expected is not None and len(parser.fields) != expected:
                return Record(number, 1, None, UNCLOSED_QUOTE if taken > 1 else COLUMN_COUNT)
            return Record(number, taken, parser.fields, None)
        parser.open.append(lines.line_end(line))
    return Record(number, 1, None, UNCLOSED_QUOTE)


class _Parser:
    """Fields of one record, line by line. ``open``: what a quoted field holds so far that is not closed yet."""

    def __init__(self, delimiter: str) -> None:
        self.fields: list[str] = []
        self.open: list[str] | None = None
        self._delimiter = delimiter

    def feed(self, line: str) -> bool:
        """Read one line, given without its line end. False: text follows a closing quote."""
        position = 0
        while True:
            if self.open is None and not line.startswith('"', position):
                stop = line.find(self._delimiter, position)
                self.fields.append(line[position:stop] if stop >= 0 else line[position:])
                if stop < 0:
                    return True
                position = stop + 1
                continue
            if self.open is None:
                self.open, position = [], position + 1
            end = _end_of_quoted(line, position)
            self.open.append(line[position:end])
            after = end + 1
            if after > len(line):
                return True
            self.fields.append("".join(self.open).replace('""', '"'))
            self.open = None
            if after == len(line):
                return True
            if line[after] != self._delimiter:
                return False
            position = after + 1


def _end_of_quoted(line: str, position: int) -> int:
    """Where a quoted field's text ends: at the quote that closes it, or at the end of the line."""
    match = _INSIDE_QUOTES.match(line, position)
    return match.end() if match else position


def count_fields(texts: pa.StringArray, delimiter: str) -> np.ndarray:
    """Fields of each text whose quotes pair up (``Scan.simple``)."""
    bare = pc.replace_substring_regex(texts, pattern=_QUOTED, replacement="")
    return pc.count_substring(bare, delimiter).to_numpy() + 1


def _pairs_up(lines: Lines, raw: pa.StringArray, numbers: np.ndarray, delimiter: str) -> np.ndarray:
    """Which lines are, read by themselves, fields that are quoted whole or hold no quote.

    One pass of Arrow's regular expressions instead of ours: a file with every field quoted stays fast.
    """
    if not delimiter.isascii():
        return np.zeros(len(numbers), dtype=bool)
    field = f'(?:[^"{re.escape(delimiter)}]*|{_QUOTED})'
    texts = raw if len(numbers) == len(raw) else raw.take(pa.array(numbers))
    matches = pc.match_substring_regex(texts, f"^{field}(?:{re.escape(delimiter)}{field})*$").to_numpy(False)
    if lines.with_stray_break:
        matches &= ~np.isin(numbers, list(lines.with_stray_break))
    return matches
