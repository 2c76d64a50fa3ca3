"""HL7 v2 files as flat typed rows: one a segment of the names that the source calls ``rows``, with its context.

A message without such a segment gives one row, and so does every message where the source names none. The first row's
``_raw`` is the whole message, each further one's its own segment. What is no message is a record with an error:
``missing_msh``, ``bad_delimiters``, ``batch_count``, ``bad_encoding``; so is a message of a type that the source does
not take: ``other_message_type``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import SpecError
from contracts.region import Source
from fhir_mapping.hl7v2.charset import decode
from fhir_mapping.sources import limits
from fhir_mapping.sources.coded import CODED
from fhir_mapping.sources.encoding import UTF_8, Encoding, detect
from fhir_mapping.sources.hl7v2_around import Rows
from fhir_mapping.sources.hl7v2_columns import numbers_column, read_columns
from fhir_mapping.sources.hl7v2_feed import Feed, Stretch, read_feed
from fhir_mapping.sources.hl7v2_path import Value, parse_rows, parse_value
from fhir_mapping.sources.hl7v2_segments import CONTINUED, Segments
from fhir_mapping.sources.limits import FILE_TOO_LARGE, RECORD_TOO_LARGE, TooLargeError
from fhir_mapping.sources.parallel import in_threads
from fhir_mapping.sources.record import OTHER_MESSAGE, Block, Refusal
from fhir_mapping.sources.spans import cut
from fhir_mapping.sources.utf16 import BOMS

BLOCK_BYTES = 4 << 20
_SAMPLE = 1 << 20
_TAIL = 1 << 16
_NUMBER = "message_no"
_FRAME = b"\xef\xbb\xbf\x84\x31\x95\x33\r\n\x0b\x1c \t"
_AFTER_NAME = re.compile(rb"[^\w\s\x1c-\x1f\x80-\xff]")
_CODE = parse_value("MSH-9.1")
_BATCH = (b"FHS", b"BHS", b"BTS", b"FTS")


@dataclass(frozen=True)
class Plan:
    """What to take of each message: the names of the rows' segments, each column's place by name, and whose message
    codes (none: all messages)."""

    rows: tuple[str, ...]
    values: dict[str, Value | str]
    messages: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source) -> Plan:
        """Raises SpecError: a column's path is none."""
        values: dict[str, Value | str] = {}
        for column in source.column:
            try:
                values[column.name] = parse_value(column.path or column.name)
            except ValueError as error:
                raise SpecError(f"source '{source.name}': column '{column.name}': {error}") from error
        try:
            return cls(parse_rows(source.rows) if source.rows else (), values, source.messages)
        except ValueError as error:
            raise SpecError(f"source '{source.name}': rows: {error}") from error


@dataclass(frozen=True)
class Extract:
    """The rows of a stretch of a feed.

    Attributes:
        block: the rows, their values coded; a column ``message_no`` is empty still, since a stretch does not know what
            came before it.
        file: for each row the number of its file.
        message: for each row its message's number in its file, from 1, counted from the start of the stretch; 0: none.
    """

    block: Block
    file: np.ndarray
    message: np.ndarray


def extract(plan: Plan, files: Sequence[Stretch]) -> Extract:
    """The rows of whole files, or of a stretch of one. Never raises."""
    feed = read_feed(files)
    if feed.segments is None:
        return _with_bad(feed, plan, _nothing(plan))
    rows, is_other = _taken(Rows.of(feed.segments, plan.rows), plan.messages)
    asked = {name: value for name, value in plan.values.items() if value != _NUMBER}
    read = read_columns(rows, asked)
    values = {name: read[name] if name in read else pa.nulls(len(rows), CODED) for name in plan.values}
    error = pa.nulls(len(rows), pa.string())
    if is_other.any():
        own = pa.array(np.arange(len(rows)), mask=is_other)
        values = {name: column.take(own) for name, column in values.items()}
        error = pc.if_else(pa.array(is_other), OTHER_MESSAGE, error)
    block = Block(_raw(feed, feed.segments, rows), error, values, len(rows), 0)
    first = np.searchsorted(feed.file, feed.file)
    number = np.arange(len(feed.file)) - first + 1
    return _with_bad(feed, plan, Extract(block, feed.file[rows.message], number[rows.message]), rows.message)


@dataclass(frozen=True)
class MessageFile:
    """An HL7 v2 file that can be read as records of a source.

    Attributes:
        encoding: what its beginning is in; a message that says otherwise, or is not readable so, is read as it says.
    """

    source: Source
    encoding: Encoding
    newline: str | None = None
    header_lines: int = 0

    @cached_property
    def plan(self) -> Plan:
        return Plan.of(self.source)

    def blocks(self, stream: BinaryIO, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """All records; memory is bounded by ``block_bytes``, but a batch (FHS, BHS) is read whole."""
        yield from (block.plain() for block in self.coded_blocks(stream, block_bytes))

    def coded_blocks(self, stream: BinaryIO, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """The same with coded values."""
        before = 0
        codec = self.encoding.codec
        parts = stretches(stream, codec, block_bytes)
        for found in in_threads(lambda part: extract(self.plan, [(0, part, codec)]), parts):
            yield numbered(self.plan, found, before)
            before += int(found.message.max(initial=0))


def inspect(source: Source, stream: BinaryIO) -> MessageFile | Refusal:
    """How a file is written; refused is an empty one, and what is too large; rubbish is a record with an error."""
    stream.seek(0)
    sample = stream.read(_SAMPLE)
    if not sample.strip(_FRAME):
        return Refusal("empty_file")
    if len(sample) == _SAMPLE:
        sample = sample[: max(sample.rfind(b"\n"), sample.rfind(b"\r")) + 1] or sample
    found = detect(sample, source.encoding) if source.encoding != UTF_8 else None
    codec = found.codec if found else decode(sample)[1]
    bom = next((mark for mark in (b"\xef\xbb\xbf", *BOMS.values()) if sample.startswith(mark)), b"")
    encoding = Encoding(codec, bom)
    if limits.size_of(stream) > limits.MAX_PIECE:
        if _is_whole(stream, codec):
            return Refusal(FILE_TOO_LARGE, encoding)
        try:
            for _ in stretches(stream, codec, BLOCK_BYTES):
                pass
        except TooLargeError:
            return Refusal(RECORD_TOO_LARGE, encoding)
    return MessageFile(source, encoding)


def stretches(stream: BinaryIO, codec: str, size: int) -> Iterator[bytes]:
    """A file in parts of about ``size`` bytes that end before a header; whole where it is a batch or UTF-16.

    Raises:
        TooLargeError: a message is larger than can be held; ``inspect`` refuses such files.
    """
    if _is_whole(stream, codec):
        yield stream.read()
        return
    parts: list[bytes] = []
    while chunk := stream.read(min(size, limits.MAX_PIECE)):
        # A header at the very start of a chunk follows a line end in the one before.
        overlap = parts[-1][-4:] if parts else b""
        joined = overlap + chunk
        cut = _last_header(joined)
        whole = b"".join([*parts, chunk[: cut - len(overlap)]]) if cut > len(overlap) else b""
        # Frame marks alone belong to the message behind them.
        if whole.strip(_FRAME):
            yield whole
            parts = [chunk[cut - len(overlap) :]]
        else:
            parts.append(chunk)
        if sum(map(len, parts)) > limits.MAX_PIECE:
            raise TooLargeError
    if any(parts):
        yield b"".join(parts)


def _last_header(data: bytes) -> int:
    """Where the last header begins that follows a line end or frame mark; 0 where there is none."""
    end = len(data)
    while (found := data.rfind(b"MSH", 1, end)) > 0:
        if data[found - 1] in b"\r\n\x0b" and _AFTER_NAME.match(data, found + 3):
            return found
        end = found + 2
    return 0


def numbered(plan: Plan, found: Extract, before: int) -> Block:
    """The rows with their ``message_no``, ``before`` messages of the file standing before the stretch."""
    names = [name for name, value in plan.values.items() if value == _NUMBER]
    if not names:
        return found.block
    number = numbers_column(found.message + before, found.message == 0)
    return replace(found.block, values={**found.block.values, **dict.fromkeys(names, number)})


def _is_whole(stream: BinaryIO, codec: str) -> bool:
    """Whether a file cannot be cut; it is left where it starts."""
    stream.seek(0)
    return codec.startswith("utf-16") or _is_batch(stream)


def _is_batch(stream: BinaryIO) -> bool:
    """Whether batch headers or trailers stand at the start or end of a file, which is left where it starts."""
    head = stream.read(64).lstrip(_FRAME)
    size = stream.seek(0, 2)
    stream.seek(max(size - _TAIL, 0))
    tail = stream.read()
    stream.seek(0)
    ends = (end + name for end in (b"\r", b"\n", b"\x0b", b"\x1c") for name in _BATCH)
    return head.startswith(_BATCH) or any(mark in tail for mark in ends)


def _taken(rows: Rows, messages: Sequence[str]) -> tuple[Rows, np.ndarray]:
    """The rows, of a message of a type that is not taken the first alone, and which ones are such. A message that does
    not say its type is taken."""
    nothing = np.zeros(len(rows), dtype=bool)
    if not messages:
        return rows, nothing
    headers = Rows(rows.segments, (), rows.segments.headers)
    codes = read_columns(headers, {"code": _CODE})["code"]
    is_taken = pc.is_in(pc.utf8_slice_codeunits(pc.utf8_upper(codes.dictionary), 0, 3), value_set=pa.array(messages))
    is_other = pc.fill_null(pc.invert(is_taken).take(codes.indices), False).to_numpy(zero_copy_only=False)
    if not is_other.any():
        return rows, nothing
    is_other = is_other[rows.message]
    kept = ~is_other | rows.is_first
    return Rows(rows.segments, rows.names, rows.at[kept]), is_other[kept]


def _raw(feed: Feed, segments: Segments, rows: Rows) -> pa.StringArray:
    """The whole message for the first row of each, the row's own segment for the others."""
    message, is_first = rows.message, rows.is_first
    start = np.where(is_first, feed.start[message], segments.start[rows.at])
    stop = np.where(is_first, feed.stop[message], segments.stop[rows.at])
    raw = cut((feed.data, segments.data), start, stop, np.where(is_first, 0, 1))
    if CONTINUED.encode() in segments.data:
        return pc.if_else(pa.array(is_first), raw, pc.replace_substring_regex(raw, f"{CONTINUED}+", "\n"))
    return raw


def _nothing(plan: Plan) -> Extract:
    empty = pa.array([], pa.string())
    block = Block(empty, empty, dict.fromkeys(plan.values, pa.nulls(0, CODED)), 0, 0)
    return Extract(block, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def _with_bad(feed: Feed, plan: Plan, good: Extract, message: np.ndarray | None = None) -> Extract:
    """The good rows and what is no message, in file order."""
    if not feed.bad:
        return good
    count = len(feed.bad)
    files, before, texts, errors = zip(*feed.bad, strict=True)
    behind = np.searchsorted(np.zeros(0) if message is None else message, before)
    place = np.concatenate([np.arange(len(good.file)), np.asarray(behind) - 0.5])
    order = np.argsort(place, kind="stable")
    is_bad = order >= len(good.file)
    own = pa.array(np.where(is_bad, 0, order), mask=is_bad)

    def laid(rows: pa.StringArray, extra: Sequence[str]) -> pa.StringArray:
        return pa.concat_arrays([rows, pa.array(extra, pa.string())]).take(pa.array(order))

    values = {name: column.take(own) for name, column in good.block.values.items()}
    block = Block(laid(good.block.raw, texts), laid(good.block.error, errors), values, len(order), 0)
    file = np.concatenate([good.file, np.array(files, dtype=np.int64)])[order]
    number = np.concatenate([good.message, np.zeros(count, dtype=np.int64)])[order]
    return Extract(block, file, number)
