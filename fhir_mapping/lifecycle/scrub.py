"""Cutting records out of a delivered file: what is left is byte for byte what it was.

A file that has been cut is read again before it takes the place of the old one: its records must be those that were to
stay, in their order, each as it was. So a format whose cutting went wrong stops the erasure instead of losing records.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import BinaryIO

from contracts.errors import DataError
from contracts.region import Source
from fhir_mapping.lifecycle.scrub_hl7v2 import cut_messages, whole_messages
from fhir_mapping.lifecycle.scrub_xlsx import cut_sheet
from fhir_mapping.sources.encoding import UTF_8, restore
from fhir_mapping.sources.hl7v2_rows import MessageFile
from fhir_mapping.sources.reader import SourceFile, inspect
from fhir_mapping.sources.record import BAD_ENCODING, RecordFile, Refusal
from fhir_mapping.sources.utf16 import UTF_16, to_utf8, to_utf16
from fhir_mapping.sources.xlsx import Sheet


def cut_records(source: Source, content: bytes, numbers: Iterable[int]) -> tuple[bytes, list[int]]:
    """A file of a source without the records of these numbers (from 0, in the file as it is).

    Returns:
        What is left, and the numbers that went: a message or document goes with all its rows.

    Raises:
        DataError: the other records would not stay as they are.
    """
    file = _inspected(source, content)
    raws, errors = _records(file, content)
    gone = frozenset(numbers)
    if isinstance(file, SourceFile):
        left = _cut_text(file, content, gone)
    elif isinstance(file, Sheet):
        left = cut_sheet(file, content, gone)
    elif isinstance(file, MessageFile):
        gone = whole_messages(raws, errors, gone)
        left = cut_messages(content, file.encoding.codec, raws, errors, gone)
    else:
        gone, left = frozenset(range(len(raws))), b""
    stay = [raw for number, raw in enumerate(raws) if number not in gone]
    if not stay and not file.header_lines:
        return b"", sorted(gone)
    again = inspect(source, io.BytesIO(left))
    found = [] if isinstance(again, Refusal) else _records(again, left)[0]
    if found != stay:
        raise DataError(
            f"a file of source '{source.name}' cannot be cut without changing its other records (of {len(stay)} that "
            f"stay, {len(found)} were found again). Mend it or take it out of landing, then erase again."
        )
    return left, sorted(gone)


def _inspected(source: Source, content: bytes) -> RecordFile:
    file = inspect(source, io.BytesIO(content))
    if isinstance(file, Refusal):
        raise DataError(
            f"a file of source '{source.name}' cannot be read any more: {file.reason}. Run the ingest again."
        )
    return file


def _records(file: RecordFile, content: bytes) -> tuple[list[str], list[str | None]]:
    """Text and error of each record."""
    raws, errors = list[str](), list[str | None]()
    for block in file.blocks(io.BytesIO(content)):
        raws += block.raw.to_pylist()
        errors += block.error.to_pylist()
    return raws, errors


def _cut_text(file: SourceFile, content: bytes, gone: frozenset[int]) -> bytes:
    """CSV, TSV, JSON Lines: a record goes with the line end after it."""
    encoding = file.encoding
    bom, body, codec = content[: len(encoding.bom)], content[len(encoding.bom) :], encoding.codec
    if codec in UTF_16:
        return bom + to_utf16(_cut_lines(file, to_utf8(body, codec)[0], UTF_8, gone), codec)
    return bom + _cut_lines(file, body, codec, gone)


def _cut_lines(file: SourceFile, body: bytes, codec: str, gone: frozenset[int]) -> bytes:
    newline = file.newline.encode()
    ends = (b"\r\n", b"\n") if newline == b"\n" else (b"\r",)
    position = _after_lines(body, _after_blank(body, 0, ends), file.header_lines, newline)
    kept, start, number = [], 0, 0
    for block in file.blocks(_whole(file, body)):
        for raw, error in zip(block.raw.to_pylist(), block.error.to_pylist(), strict=True):
            text = restore(raw, codec, is_escaped=error == BAD_ENCODING)
            begin = body.index(text, _after_blank(body, position, ends))
            position = _after_line_end(body, begin + len(text), ends)
            if number in gone:
                kept.append(body[start:begin])
                start = position
            number += 1
    return b"".join([*kept, body[start:]])


def _whole(file: SourceFile, body: bytes) -> BinaryIO:
    """The body as the file's own reader wants it: after its byte-order mark, in its own encoding."""
    codec = file.encoding.codec
    return io.BytesIO(file.encoding.bom + (to_utf16(body, codec) if codec in UTF_16 else body))


def _after_blank(body: bytes, position: int, ends: tuple[bytes, ...]) -> int:
    while length := next((len(end) for end in ends if body.startswith(end, position)), 0):
        position += length
    return position


def _after_line_end(body: bytes, position: int, ends: tuple[bytes, ...]) -> int:
    return position + next((len(end) for end in ends if body.startswith(end, position)), 0)


def _after_lines(body: bytes, position: int, lines: int, newline: bytes) -> int:
    for _ in range(lines):
        found = body.find(newline, position)
        if found < 0:
            return len(body)
        position = found + 1
    return position
