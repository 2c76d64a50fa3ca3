"""CDA documents as flat typed rows: one an element that the source calls ``rows``, with its document's header.

One file is one document. Without such an element, or where the source names none, a document gives one row. The first
row's ``_raw`` is the whole document, the others' is empty. What cannot be read safely is a record with an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import SpecError
from contracts.region import Source
from fhir_mapping.cda.coded import system_uri
from fhir_mapping.cda.safe_xml import parse_document
from fhir_mapping.document import RecordError
from fhir_mapping.sources import limits
from fhir_mapping.sources.cda_path import Place, Value, parse_rows, parse_value
from fhir_mapping.sources.cda_sheet import Sheet
from fhir_mapping.sources.encoding import GB18030, UTF_8, Encoding, decode
from fhir_mapping.sources.hl7v2_path import iso_time
from fhir_mapping.sources.record import NOT_A_DOCUMENT, Block, Refusal
from fhir_mapping.sources.texts import each_text
from fhir_mapping.sources.utf16 import BOMS

_OF_TEXT: dict[str, Callable[[str], str | None]] = {"time": iso_time, "system": system_uri}


@dataclass(frozen=True)
class Plan:
    """What to take of each document.

    Attributes:
        sheet: reads the places.
        header, own: how many places are read from the document, and from each row; slots are numbered in this order.
        columns: for each column a pseudo column's name, or its places: slots, and texts that stand for themselves.
        forms: columns whose values are read as a time or a system's URI: the function of their text.
    """

    sheet: Sheet
    header: int
    own: int
    columns: dict[str, str | tuple[int | str, ...]]
    forms: dict[str, Callable[[str], str | None]]

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
        forms = {
            name: _OF_TEXT[value.form]
            for name, value in values.items()
            if isinstance(value, Value) and value.form in _OF_TEXT
        }
        return cls(Sheet(rows, header, own), len(header), len(own), columns, forms)


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

    def blocks(self, stream: BinaryIO, block_bytes: int = limits.MAX_PIECE) -> Iterator[Block]:
        """All records of the document."""
        stream.seek(0)
        yield extract(self.plan, [stream.read()])[0]


def inspect(source: Source, stream: BinaryIO) -> DocumentFile | Refusal:
    """Refused is an empty file, and one too large to be a tree in memory; no document is a record with an error."""
    if limits.size_of(stream) > limits.MAX_PIECE:
        return Refusal(limits.FILE_TOO_LARGE)
    return DocumentFile(source) if stream.read(1 << 16).strip() else Refusal("empty_file")


def extract(plan: Plan, documents: Sequence[bytes]) -> tuple[Block, np.ndarray]:
    """The rows of documents, and how many of them are each's (at least one). Never raises."""
    raw, errors, is_utf8 = _texts(documents)
    read = [
        _read(plan, data, is_utf8=is_utf8) if error is None else error
        for data, error in zip(documents, errors, strict=True)
    ]
    nothing = b"\t" * (plan.header + 1 + plan.own)
    rows = _Rows(plan, [found if isinstance(found, bytes) else nothing for found in read])
    error = pa.array([None if isinstance(found, bytes) else found for found in read], pa.string())
    return rows.block(raw, error.take(rows.document)), rows.counts


def _read(plan: Plan, data: bytes, *, is_utf8: bool) -> bytes | str:
    """What the sheet reads of a document, with a row at least; or the error."""
    try:
        root = parse_document(data, is_utf8=is_utf8)
        if root.tag.rpartition("}")[2] != "ClinicalDocument":
            return NOT_A_DOCUMENT
        found = plan.sheet.read(root)
    except RecordError as caught:
        return caught.rule
    rows = (found.count(b"\t") - plan.header) // (1 + plan.own)
    # Each row repeats the header's values.
    if len(found) * max(rows, 1) > limits.MAX_PIECE and _size(plan, found, rows) > limits.MAX_PIECE:
        return limits.RECORD_TOO_LARGE
    return found if rows else found + b"\t" * (1 + plan.own)


def _size(plan: Plan, found: bytes, rows: int) -> int:
    """Bytes of the values of all rows."""
    own = len(found.split(b"\t", plan.header)[-1])
    return own + (len(found) - own) * max(rows, 1)


def _texts(documents: Sequence[bytes]) -> tuple[pa.StringArray, list[str | None], bool]:
    """Documents as text, the error of each, and whether all are UTF-8: then no Python object is made of a text."""
    try:
        texts = pa.array(documents, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        decoded = [document_text(data) for data in documents]
        return pa.array([text for text, _ in decoded], pa.string()), [error for _, error in decoded], False
    return texts, [None] * len(documents), True


class _Rows:
    """What the sheet read of documents, as columns.

    Attributes:
        counts: rows of each document.
        document: the number of each row's document.
    """

    def __init__(self, plan: Plan, read: Sequence[bytes]) -> None:
        self._plan = plan
        width = 1 + plan.own
        tabs = np.array([found.count(b"\t") for found in read], dtype=np.int64)
        self.counts = (tabs - plan.header) // width
        number = np.repeat(np.arange(len(read)), self.counts)
        self.document = pa.array(number)
        self._row_no = np.arange(len(number)) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        # Where the header's values, and the row's, begin among all values.
        self._header = (np.cumsum(tabs) - tabs)[number]
        self._own = self._header + plan.header + 1 + self._row_no * width
        self._values = _split(b"".join(read))

    def block(self, raw: pa.StringArray, error: pa.StringArray) -> Block:
        """The rows, with their documents' text (the first row's) and error."""
        count = len(self.document)
        slots = [self._values.take(pa.array(self._header + slot)) for slot in range(self._plan.header)]
        slots += [self._values.take(pa.array(self._own + slot)) for slot in range(self._plan.own)]
        values = {name: self._value(name, places, slots) for name, places in self._plan.columns.items()}
        if error.null_count < count:
            none, is_good = pa.scalar(None, pa.string()), pc.is_null(error)
            values = {name: pc.if_else(is_good, column, none) for name, column in values.items()}
        return Block(_first_only(raw, self.counts), error, values, count, 0)

    def _value(self, name: str, places: str | tuple[int | str, ...], slots: list[pa.StringArray]) -> pa.StringArray:
        if isinstance(places, str):
            return self._pseudo(places)
        parts = [pa.repeat(place, len(self.document)) if isinstance(place, str) else slots[place] for place in places]
        found = pc.coalesce(*parts) if len(parts) > 1 else parts[0]
        return each_text(found, self._plan.forms[name]) if name in self._plan.forms else found

    def _pseudo(self, name: str) -> pa.StringArray:
        if name == "row_no":
            return pa.array(self._row_no + 1).cast(pa.string())
        return pc.if_else(pa.array(self._row_no == 0), "true", "false")


def _split(text: bytes) -> pa.StringArray:
    """Values that each end with a tab; an empty one is null."""
    offsets = pa.py_buffer(np.array([0, len(text)], dtype=np.int32))
    whole = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(text))
    values = pc.split_pattern(whole, "\t").flatten()
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def _first_only(texts: pa.StringArray, counts: np.ndarray) -> pa.StringArray:
    """Each text ``counts`` times, but empty after the first time; shares the texts' bytes."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[texts.offset :][: len(texts) + 1]
    of_rows = np.concatenate([ends[:1], np.repeat(ends[1:], counts)])
    return pa.StringArray.from_buffers(len(of_rows) - 1, pa.py_buffer(of_rows), data)


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
