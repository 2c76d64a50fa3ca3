"""CDA documents as flat typed rows: one an element that the source calls ``rows``, with its document's header.

One file is one document. Without such an element, or where the source names none, a document gives one row. The first
row's ``_raw`` is the whole document, the others' is empty. What cannot be read safely is a record with an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import SpecError
from contracts.region import Source
from fhir_mapping.cda.safe_xml import parse_document
from fhir_mapping.document import RecordError
from fhir_mapping.sources.cda_path import Place, Value, parse_rows, parse_value
from fhir_mapping.sources.cda_sheet import Sheet
from fhir_mapping.sources.encoding import GB18030, UTF_8, Encoding, decode
from fhir_mapping.sources.hl7v2_path import iso_time
from fhir_mapping.sources.record import Block, Refusal
from fhir_mapping.sources.texts import each_text
from fhir_mapping.sources.utf16 import BOMS

_MAX_BYTES = 256 << 20
"""A document is one tree in memory; no clinical document is larger."""


@dataclass(frozen=True)
class Plan:
    """What to take of each document.

    Attributes:
        sheet: reads the places.
        header, own: how many places are read from the document, and from each row; slots are numbered in this order.
        columns: for each column a pseudo column's name, or its places: slots, and texts that stand for themselves.
        times: columns whose values are times.
    """

    sheet: Sheet
    header: int
    own: int
    columns: dict[str, str | tuple[int | str, ...]]
    times: frozenset[str]

    @classmethod
    def of(cls, source: Source) -> Plan:
        """Raises SpecError: a path is none."""
        values = {column.name: _parsed(source, column.name, column.path) for column in source.column}
        try:
            rows = parse_rows(source.rows) if source.rows else ()
        except ValueError as error:
            raise SpecError(f"source '{source.name}': rows: {error}") from error
        places = [p for v in values.values() if isinstance(v, Value) for p in v.places if isinstance(p, Place)]
        header = list(dict.fromkeys(place for place in places if place.is_absolute))
        own = list(dict.fromkeys(place for place in places if not place.is_absolute))
        slot: dict[Place | str, int | str] = {place: number for number, place in enumerate([*header, *own])}
        columns = {
            name: value if isinstance(value, str) else tuple(slot.get(place, str(place)) for place in value.places)
            for name, value in values.items()
        }
        times = frozenset(name for name, value in values.items() if isinstance(value, Value) and value.is_time)
        return cls(Sheet(rows, header, own), len(header), len(own), columns, times)


def _parsed(source: Source, name: str, path: str | None) -> Value | str:
    try:
        return parse_value(path or name)
    except ValueError as error:
        raise SpecError(f"source '{source.name}': column '{name}': {error}") from error


@dataclass(frozen=True)
class DocumentFile:
    """A CDA document that can be read as records of a source."""

    source: Source
    encoding: Encoding | None = None
    newline: str | None = None
    header_lines: int = 0

    @cached_property
    def plan(self) -> Plan:
        return Plan.of(self.source)

    def blocks(self, stream: BinaryIO, block_bytes: int = _MAX_BYTES) -> Iterator[Block]:
        """All records of the document."""
        stream.seek(0)
        yield extract(self.plan, [(0, stream.read())])[0]


def inspect(source: Source, stream: BinaryIO) -> DocumentFile | Refusal:
    """Only an empty file is refused: what is no document is a record with an error."""
    stream.seek(0)
    return DocumentFile(source) if stream.read(1 << 16).strip() else Refusal("empty_file")


def extract(plan: Plan, files: Sequence[tuple[int, bytes]]) -> tuple[Block, np.ndarray]:
    """The rows of documents, and for each row the number of its file. Never raises."""
    rows = _Rows(plan)
    for number, data in files:
        rows.add(number, data)
    return rows.block(), np.array(rows.file, dtype=np.int64)


class _Rows:
    """Rows of documents on their way to a block; headers are kept once a document."""

    def __init__(self, plan: Plan) -> None:
        self.file: list[int] = []
        self._plan = plan
        self._header: list[list[str]] = []
        self._own: list[list[str]] = []
        self._raw: list[str] = []
        self._error: list[str | None] = []
        self._first: list[int] = []

    def add(self, number: int, data: bytes) -> None:
        text, error = document_text(data)
        header, own = [""] * self._plan.header, [[""] * self._plan.own]
        if error is None:
            try:
                header, found = self._plan.sheet.read(parse_document(data))
                own = found or own
            except RecordError as caught:
                error = caught.rule
        self._first.append(len(self.file))
        self.file += [number] * len(own)
        self._raw += [text, *[""] * (len(own) - 1)]
        self._error += [error] * len(own)
        self._header.append(header)
        self._own += own

    def block(self) -> Block:
        count = len(self.file)
        lengths = np.diff(np.append(np.array(self._first, dtype=np.int64), count))
        document = pa.array(np.repeat(np.arange(len(lengths)), lengths))
        slots = [column.take(document) for column in _columns(self._header, self._plan.header)]
        slots += _columns(self._own, self._plan.own)
        error = pa.array(self._error, pa.string())
        values = {name: self._value(name, places, slots) for name, places in self._plan.columns.items()}
        if error.null_count < count:
            none, is_good = pa.scalar(None, pa.string()), pc.is_null(error)
            values = {name: pc.if_else(is_good, column, none) for name, column in values.items()}
        return Block(pa.array(self._raw, pa.string()), error, values, count, 0)

    def _value(self, name: str, places: str | tuple[int | str, ...], slots: list[pa.StringArray]) -> pa.StringArray:
        if isinstance(places, str):
            return self._pseudo(places)
        parts = [pa.repeat(place, len(self.file)) if isinstance(place, str) else slots[place] for place in places]
        found = pc.coalesce(*parts) if len(parts) > 1 else parts[0]
        return each_text(found, iso_time) if name in self._plan.times else found

    def _pseudo(self, name: str) -> pa.StringArray:
        starts = np.array(self._first, dtype=np.int64)
        lengths = np.diff(np.append(starts, len(self.file)))
        number = np.arange(len(self.file)) - np.repeat(starts, lengths) + 1
        if name == "row_no":
            return pa.array(number).cast(pa.string())
        return pc.if_else(pa.array(number == 1), "true", "false")


def _columns(rows: list[list[str]], width: int) -> list[pa.StringArray]:
    """Rows of texts as columns; an empty text is no value."""
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)] or [
        pa.array([], pa.string())
    ] * width
    return [pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column) for column in columns]


def document_text(data: bytes) -> tuple[str, str | None]:
    """A document as text that gives its bytes back, and ``bad_encoding`` where some of them are no text."""
    for codec, bom in BOMS.items():
        if data.startswith(bom):
            try:
                return data.decode(codec), None
            except UnicodeDecodeError:
                break
    for codec in (UTF_8, GB18030):
        try:
            return data.decode(codec), None
        except UnicodeDecodeError:
            continue
    text, bad = decode(data, "latin-1", "\n")
    return text.decode(), "bad_encoding" if bad else None
