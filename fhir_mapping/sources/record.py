"""What every reader yields: one record, or a block of records as Arrow columns, and the names of reader errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

BAD_ENCODING = "bad_encoding"
"""The record holds bytes that are not text in the file's encoding (NUL included)."""
UNCLOSED_QUOTE = "unclosed_quote"
"""A quoted field never closes within reach; the record is cut at the end of its first physical line."""
STRAY_QUOTE = "stray_quote"
"""A closing quote is followed by text on the same line (an unescaped quote inside a quoted field)."""
COLUMN_COUNT = "column_count"
"""The record has more or fewer fields than the header (or, headerless, than the declared columns)."""
BAD_JSON = "bad_json"
"""The line is not one JSON object of plain values (syntax, NaN, a lone surrogate, nested beyond reason)."""

RECORD_ERRORS = (BAD_ENCODING, UNCLOSED_QUOTE, STRAY_QUOTE, COLUMN_COUNT, BAD_JSON)


@dataclass(frozen=True)
class RawRecord:
    """One record of a file.

    Attributes:
        record_no: from 0, file order.
        raw: exact text without its line end; escaped (see ``encoding``) when ``error`` is ``bad_encoding``.
        error: one of ``RECORD_ERRORS``; None when the record could be read.
        values: text of each declared column as written, untrimmed; None where absent. All None beside an error.
    """

    record_no: int
    raw: str
    error: str | None
    values: dict[str, str | None]


@dataclass(frozen=True)
class Block:
    """Consecutive records of a file as Arrow string arrays of equal length.

    Attributes:
        raw, error, values: as in ``RawRecord``.
        lines: physical lines this block covers, blank lines among them.
        blank_lines: lines without a character that belong to no record.
    """

    raw: pa.StringArray
    error: pa.StringArray
    values: dict[str, pa.StringArray]
    lines: int
    blank_lines: int

    def __len__(self) -> int:
        return len(self.raw)

    def records(self, first: int) -> Iterator[RawRecord]:
        """The block's records one by one, numbered from ``first``."""
        names = list(self.values)
        columns = [array.to_pylist() for array in self.values.values()]
        rows = zip(*columns, strict=True) if columns else iter([()] * len(self))
        for number, (raw, error, row) in enumerate(
            zip(self.raw.to_pylist(), self.error.to_pylist(), rows, strict=True), start=first
        ):
            yield RawRecord(number, raw, error, dict(zip(names, row, strict=True)))
