"""Any supported file as records: what it is in (encoding, lines, header), or why it is refused, then its blocks."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from contracts.errors import SourceContractError
from contracts.region import Source
from fhir_mapping.sources import cda_rows, csv_reader, hl7v2_rows, limits, ndjson, xlsx
from fhir_mapping.sources.carried import carry_forward
from fhir_mapping.sources.encoding import UTF_8, Encoding, as_utf8, decode, detect
from fhir_mapping.sources.limits import FILE_TOO_LARGE, RECORD_TOO_LARGE
from fhir_mapping.sources.lines import Lines, find_newline
from fhir_mapping.sources.record import Block, RawRecord, RecordFile, Refusal
from fhir_mapping.sources.utf16 import UTF_16
from fhir_mapping.sources.utf16 import as_utf8 as stream_as_utf8

__all__ = ["RecordFile", "Refusal", "SourceFile", "inspect", "read_records"]

SAMPLE_BYTES = 16 << 20
"""Bytes on which a file's encoding is judged; files up to this size are judged whole."""

BLOCK_BYTES = 4 << 20
"""Bytes read at a time: bounds memory (a block and its Arrow columns) whatever the size of the file.

Twice as many take a tenth more CPU seconds, most of it the system's for fresh memory.
"""

_HEAD_BYTES = 1 << 20
_SOMETHING = re.compile(rb"[^\r\n]")

EMPTY_FILE = "empty_file"
UNKNOWN_ENCODING = "unknown_encoding"

_ADVICE = {
    EMPTY_FILE: "expected at least one line that is not blank. Ask the source for the file again.",
    UNKNOWN_ENCODING: "expected text in the declared encoding, UTF-8 or GB18030. Correct the source's export, or its "
    "'encoding' setting.",
    FILE_TOO_LARGE: f"expected at most {limits.MAX_PIECE >> 20} MiB. Let the source send it in several files (HL7 v2 "
    "also without batch headers, or in UTF-8: then it is read by parts).",
    RECORD_TOO_LARGE: f"expected at most {limits.MAX_PIECE >> 20} MiB a line or message. Check the export's line ends.",
    "bad_workbook": "expected an xlsx workbook. Save the file as .xlsx again, or correct the source's 'format'.",
    "missing_sheet": "the workbook has no such sheet. Correct the export, or the source's 'sheet'.",
    "missing_column": "a required column is not in the header. Correct the export, or name the new header under "
    "'aliases' of that column.",
}


@dataclass(frozen=True)
class SourceFile:
    """A text file that can be read as records of a source: CSV, TSV, JSON Lines.

    Attributes:
        header: where the columns stand; None for JSON Lines.
    """

    source: Source
    encoding: Encoding
    newline: str
    header: csv_reader.Header | None

    @property
    def header_lines(self) -> int:
        return self.header.lines if self.header else 0

    def blocks(self, stream: BinaryIO, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """All records, from the start of ``stream``; never raises for what the bytes are."""
        stream, codec = _body(stream, self.encoding)
        if self.header is None:
            return ndjson.read_blocks(self.source, stream, codec, self.newline, block_bytes)
        blocks = csv_reader.read_blocks(self.source, self.header, stream, codec, self.newline, block_bytes)
        return carry_forward(self.source, blocks)


_OTHER_FORMATS = {"xlsx": xlsx.inspect, "hl7v2": hl7v2_rows.inspect, "cda": cda_rows.inspect}


def inspect(source: Source, stream: BinaryIO) -> RecordFile | Refusal:
    """Look at the start of a file (``stream`` is seekable) and decide how, or that it cannot, be read."""
    if source.format in _OTHER_FORMATS:
        return _OTHER_FORMATS[source.format](source, stream)
    sample = _sample(stream)
    encoding = detect(sample, source.encoding)
    if not _SOMETHING.search(sample):
        return Refusal(EMPTY_FILE)
    if encoding is None:
        return Refusal(UNKNOWN_ENCODING)
    body, codec = as_utf8(sample[len(encoding.bom) :], encoding.codec)
    if not _SOMETHING.search(body):
        return Refusal(EMPTY_FILE, encoding)
    newline = find_newline(body)
    # A line of UTF-16 has up to half as many bytes more in UTF-8.
    if 2 * limits.size_of(stream) > limits.MAX_PIECE and limits.has_large_line(_body(stream, encoding)[0], newline):
        return Refusal(RECORD_TOO_LARGE, encoding)
    if source.format in ("ndjson", "postgres"):
        return SourceFile(source, encoding, newline, None)
    header = csv_reader.read_header(source, _first_lines(body, codec, newline))
    if isinstance(header, str):
        return Refusal(header, encoding)
    return SourceFile(source, encoding, newline, header)


def read_records(source: Source, data: bytes) -> Iterator[RawRecord]:
    """The records of one file of a source, in file order, a bad record with its error among them.

    Raises:
        SourceContractError: the file cannot be read as records of this source; says why and what to do.
    """
    stream = io.BytesIO(data)
    file = inspect(source, stream)
    if isinstance(file, Refusal):
        raise SourceContractError(f"source '{source.name}': {file.reason}: {_ADVICE[file.reason.partition(':')[0]]}")
    return _records(file, stream)


def _records(file: RecordFile, stream: BinaryIO) -> Iterator[RawRecord]:
    first = 0
    for block in file.blocks(stream):
        yield from block.records(first)
        first += len(block)


def _first_lines(body: bytes, codec: str, newline: str) -> Lines:
    """Lines among which the header stands: those of the first MiB, or all when these are blank."""
    head = body[: body.find(newline.encode(), _HEAD_BYTES) + 1] or body
    lines = Lines.of(decode(head, codec, newline)[0], newline)
    return lines if not lines.is_blank.all() else Lines.of(decode(body, codec, newline)[0], newline)


def _body(stream: BinaryIO, encoding: Encoding) -> tuple[BinaryIO, str]:
    """A stream behind its byte-order mark, UTF-16 as UTF-8, and the codec that it is in then."""
    stream.seek(len(encoding.bom))
    if encoding.codec in UTF_16:
        return stream_as_utf8(stream, encoding.codec), UTF_8
    return stream, encoding.codec


def _sample(stream: BinaryIO) -> bytes:
    """The file, or its first ``SAMPLE_BYTES`` cut after the last whole line."""
    stream.seek(0)
    sample = stream.read(SAMPLE_BYTES)
    if len(sample) < SAMPLE_BYTES:
        return sample
    cut = max(sample.rfind(b"\n"), sample.rfind(b"\r")) + 1
    return sample[:cut] if cut else sample
