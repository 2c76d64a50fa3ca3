"""What every reader yields: one record, or a block of records as Arrow columns, and the names of reader errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

import pyarrow as pa

from contracts.region import Source
from fhir_mapping.sources.encoding import Encoding
from fhir_mapping.sources.limits import RECORD_TOO_LARGE

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
BAD_WORKBOOK = "bad_workbook"
"""The rest of the sheet cannot be read: damaged XML or archive. One record stands for all of it."""
MISSING_MSH = "missing_msh"
"""Text of an HL7 v2 file that no header opens."""
BAD_DELIMITERS = "bad_delimiters"
"""The header of an HL7 v2 message states delimiters that cannot be: letters, or one for two."""
OTHER_MESSAGE = "other_message_type"
"""The HL7 v2 message is of a type that its source does not take."""
BATCH_COUNT = "batch_count"
"""The trailer of an HL7 v2 batch or file counts other than what stood before it: messages were lost, or too many."""
BAD_XML = "bad_xml"
"""The document is not well-formed XML."""
UNSAFE_XML = "unsafe_xml"
"""The document holds what safe reading forbids: a document type, entities, nesting beyond reason."""
NOT_A_DOCUMENT = "not_a_clinical_document"
"""There is no XML at all, or its outermost element is no ClinicalDocument."""

RECORD_ERRORS = (
    *(BAD_ENCODING, UNCLOSED_QUOTE, STRAY_QUOTE, COLUMN_COUNT, BAD_JSON, BAD_WORKBOOK),
    *(MISSING_MSH, BAD_DELIMITERS, OTHER_MESSAGE, BATCH_COUNT, BAD_XML, UNSAFE_XML, NOT_A_DOCUMENT, RECORD_TOO_LARGE),
)


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
    """Consecutive records of a file as Arrow arrays of equal length.

    Attributes:
        raw, error: as in ``RawRecord``; strings.
        values: as in ``RawRecord``; strings, or coded: dictionaries of strings (``coded.CODED``).
        lines: physical lines this block covers, blank lines among them.
        blank_lines: lines without a character that belong to no record.
    """

    raw: pa.StringArray
    error: pa.StringArray
    values: dict[str, pa.Array]
    lines: int
    blank_lines: int

    def __len__(self) -> int:
        return len(self.raw)

    def plain(self) -> Block:
        """The same with values that are strings."""
        values = {name: column.cast(pa.string()) for name, column in self.values.items()}
        return replace(self, values=values)

    def records(self, first: int) -> Iterator[RawRecord]:
        """The block's records one by one, numbered from ``first``."""
        names = list(self.values)
        columns = [array.to_pylist() for array in self.values.values()]
        rows = zip(*columns, strict=True) if columns else iter([()] * len(self))
        for number, (raw, error, row) in enumerate(
            zip(self.raw.to_pylist(), self.error.to_pylist(), rows, strict=True), start=first
        ):
            yield RawRecord(number, raw, error, dict(zip(names, row, strict=True)))


class RecordFile(Protocol):
    """A file that can be read as records of a source, whatever its format.

    Attributes:
        encoding: how its text is written; None where the format says so itself, record by record (xlsx, CDA).
        newline: what ends a line; None where records are not lines (xlsx, HL7 v2, CDA). Then each row of a sheet, each
            record of the others, counts as one line.
    """

    @property
    def source(self) -> Source: ...

    @property
    def encoding(self) -> Encoding | None: ...

    @property
    def newline(self) -> str | None: ...

    @property
    def header_lines(self) -> int:
        """Lines before the first record that are its header (and titles above it)."""
        ...

    def blocks(self, stream: BinaryIO, block_bytes: int = ...) -> Iterator[Block]:
        """All records, from the start of ``stream``; never raises for what the bytes are."""
        ...


@dataclass(frozen=True)
class Refusal:
    """Why a file cannot be read at all: ``empty_file``, ``unknown_encoding``, ``missing_column:<name>``,
    ``bad_workbook``, ``missing_sheet``, ``file_too_large``, ``record_too_large``."""

    reason: str
    encoding: Encoding | None = None
