"""Columns of the rows of many messages: each place is read once, of each distinct text.

What stands around the rows is mostly the same for many of them: it is read once for each run of rows that have the same
segments around them. NTE: those that follow the row directly, a line each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.sources.coded import CODED, Coded, combine
from fhir_mapping.sources.hl7v2_around import Place, Rows
from fhir_mapping.sources.hl7v2_parts import clean, take_part
from fhir_mapping.sources.hl7v2_path import FieldPath, Value, system_uri, unit_text
from fhir_mapping.sources.hl7v2_segments import Fields, code_of
from fhir_mapping.sources.hl7v2_times import iso_times, order_times
from fhir_mapping.sources.spans import coded
from fhir_mapping.sources.texts import each_text

_HEADER, _NOTE = "MSH", "NTE"
_OF_TEXT: dict[str, Callable[[pa.StringArray], pa.StringArray]] = {
    "time": iso_times,
    "system": partial(each_text, function=system_uri),
    "unit": partial(each_text, function=unit_text),
}
"""Forms that are a function of one text."""
_FEW_KEYS = 8
"""Numbers up to so many times their count are counted faster than sorted."""


def read_columns(rows: Rows, values: Mapping[str, Value | str]) -> dict[str, pa.DictionaryArray]:
    """What each row holds, by name; a text is the name of a fact about the row (``hl7v2_path.PSEUDO``)."""
    asked = [value for value in values.values() if isinstance(value, Value)]
    around = {place for value in asked for place in _places(value) if not _is_own(rows, place)}
    own = _Columns(rows)
    if not around or not rows.names:
        return {name: _column(own, value) for name, value in values.items()}
    runs, run = rows.runs({segment for segment, _ in around})
    outer = _Columns(runs)
    own = _Columns(rows, (outer, run))
    found = {}
    for name, value in values.items():
        if isinstance(value, Value) and value.form != "nth" and _places(value) <= around:
            found[name] = outer.value(value).at(run).to_arrow()
        else:
            found[name] = _column(own, value)
    return found


class _Columns:
    """Reads values of rows; each field and place once.

    Args:
        around: the same of runs of the rows, and each row's run.
    """

    def __init__(self, rows: Rows, around: tuple[_Columns, np.ndarray] | None = None) -> None:
        self.rows = rows
        self._around = around
        self._read: dict[FieldPath, Coded] = {}
        self._fields: dict[tuple[Place, int], Coded] = {}
        self._segments: dict[Place, tuple[Fields, np.ndarray | None]] = {}

    def value(self, value: Value) -> Coded:
        """What each row holds there."""
        parts = [self._first_of(paths) for paths in value.parts]
        if value.form == "text":
            return parts[0]
        if value.form in _OF_TEXT:
            return parts[0].each(_OF_TEXT[value.form])
        if value.form == "join":
            texts = [part for part in parts if part.texts.null_count < len(part.texts)] or parts[:1]
            return combine(_join, texts) if len(texts) > 1 else texts[0].each(clean)
        if value.form == "nth":
            return self._nth_alike(parts)
        return combine(_order, parts)

    def fact(self, name: str) -> Coded:
        """A fact about the row itself (``hl7v2_path.PSEUDO``), ``message_no`` excepted."""
        rows = self.rows
        if name == "first_in_message":
            return _flags(rows.is_first)
        if name == "first_in_group":
            return _flags(rows.is_first_in_order)
        if name == "group_no":
            segments = rows.segments
            first = np.full(len(segments.headers), np.iinfo(np.int64).max)
            inside = segments.order > 0
            np.minimum.at(first, segments.message[inside], segments.order[inside])
            return _numbers(rows.order - first[rows.message] + 1, mask=rows.order == 0)
        if name == "row_no":
            starts = np.flatnonzero(rows.is_first)
            lengths = np.diff(np.append(starts, len(rows)))
            return _numbers(np.arange(len(rows)) - np.repeat(starts, lengths) + 1)
        names = coded(rows.segments.data, rows.segments.start[rows.at], rows.segments.start[rows.at] + 3)
        if name == "segment":
            return names
        # MSH counts its own separator: its first field is none.
        header = pa.scalar(_HEADER if _HEADER in rows.names else None, pa.string())
        own = Fields(rows.segments, rows.at).part(1).each(lambda texts: clean(take_part(texts, FieldPath(_HEADER, 1))))
        return combine(lambda texts, of: pc.if_else(pc.equal(of, _HEADER), header, texts), [own, names])

    def _nth_alike(self, parts: list[Coded]) -> Coded:
        """Number of each row among the rows of its order (or message) that hold the same texts."""
        alike = combine(_lines, [part.each(_filled).distinct() for part in parts])
        rows = self.rows
        # Numbers of orders and of messages, side by side.
        group = np.where(rows.order > 0, rows.order + len(rows.segments.headers), rows.message)
        key = group * len(alike.texts) + alike.of_row
        if _differ(key):
            return Coded.same("1", len(key))
        place = np.argsort(key, kind="stable")
        begins = np.concatenate([[True], np.diff(key[place]) != 0])
        starts = np.flatnonzero(begins)
        number = np.empty(len(place), dtype=np.int64)
        number[place] = np.arange(len(place)) - np.repeat(starts, np.diff(np.append(starts, len(place)))) + 1
        return _numbers(number)

    def _first_of(self, paths: tuple[FieldPath | str, ...]) -> Coded:
        found = self._place(paths[0])
        for path in paths[1:]:
            # Most rows have what the first place says, and then the others are not read.
            if found.is_full:
                break
            if isinstance(path, str):
                return found.each(partial(pc.fill_null, fill_value=path))
            found = combine(pc.coalesce, [found, self._place(path)])
        return found

    def _place(self, path: FieldPath | str) -> Coded:
        if isinstance(path, str):
            return Coded.same(path, len(self.rows))
        if path not in self._read:
            self._read[path] = self._path(path)
        return self._read[path]

    def _path(self, path: FieldPath) -> Coded:
        place = (path.segment, path.occurrence)
        if self._around is not None and not _is_own(self.rows, place):
            outer, run = self._around
            return outer._place(path).at(run)
        if _is_note(self.rows, place) and not len(self.rows.segments.positions(_NOTE)):
            return Coded(pa.nulls(min(len(self.rows), 1), pa.string()), np.zeros(len(self.rows), dtype=np.int32))
        values = self._field(place, path.field).each(lambda texts: clean(take_part(texts, path)))
        return Coded.of(self._notes(values)) if _is_note(self.rows, place) else values

    def _field(self, place: Place, number: int) -> Coded:
        """A field of each row's segment, delimiters as they stand; of notes, one each."""
        key = (place, number)
        if key not in self._fields:
            if place not in self._segments:
                needed, row = self._needed(place)
                self._segments[place] = Fields(self.rows.segments, needed), row
            fields, row = self._segments[place]
            # MSH counts its own separator.
            found = fields.part(number - (place[0] == _HEADER))
            self._fields[key] = found if row is None else found.at(row)
        return self._fields[key]

    def _needed(self, place: Place) -> tuple[np.ndarray, np.ndarray | None]:
        """Positions of the segments to read, and for each row which of them; None: one a row, in order."""
        if _is_note(self.rows, place):
            return self.rows.segments.positions(_NOTE), None
        return _distinct(self.rows.position(place))

    def _notes(self, values: Coded) -> pa.StringArray:
        """The notes that follow each row directly, a line each."""
        rows = self.rows
        is_note = rows.segments.codes == code_of(_NOTE)
        owner = np.maximum.accumulate(np.where(is_note, -1, np.arange(len(is_note))))[is_note]
        row = np.searchsorted(rows.at, owner)
        has_text = values.texts.is_valid().to_numpy(zero_copy_only=False)[values.of_row]
        kept = np.flatnonzero((rows.at[np.minimum(row, len(rows) - 1)] == owner) & has_text)
        counts = np.bincount(row[kept], minlength=len(rows))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        lines = pa.ListArray.from_arrays(pa.array(offsets), values.texts.take(pa.array(values.of_row[kept])))
        return pc.if_else(pa.array(counts > 0), pc.binary_join(lines, "\n"), pa.scalar(None, pa.string()))


def _column(columns: _Columns, value: Value | str) -> pa.DictionaryArray:
    return (columns.fact(value) if isinstance(value, str) else columns.value(value)).to_arrow()


def numbers_column(numbers: np.ndarray, mask: np.ndarray) -> pa.DictionaryArray:
    """Numbers as texts, null where masked."""
    return _numbers(numbers, mask).to_arrow() if len(numbers) else pa.nulls(0, CODED)


def _is_own(rows: Rows, place: Place) -> bool:
    """Whether a place may be another one for each row."""
    return place[0] in rows.names or _is_note(rows, place)


def _is_note(rows: Rows, place: Place) -> bool:
    return place == (_NOTE, None) and _NOTE not in rows.names


def _places(value: Value) -> set[Place]:
    """The segments that a value reads."""
    return {(path.segment, path.occurrence) for part in value.parts for path in part if isinstance(path, FieldPath)}


def _distinct(at: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Positions that rows have, ascending, and for each row which of them, -1 for none; None: one a row, in order."""
    if len(at) and at[0] >= 0 and (at[1:] > at[:-1]).all():
        return at, None
    needed, inverse = np.unique(at[at >= 0], return_inverse=True)
    row = np.full(len(at), -1, dtype=np.int64)
    row[at >= 0] = inverse
    return needed, row


def _join(*parts: pa.StringArray) -> pa.StringArray:
    return clean(pc.binary_join_element_wise(*map(_filled, parts), ""))


def _lines(*parts: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise(*parts, "\x1f")


def _order(*parts: pa.StringArray) -> pa.StringArray:
    found = [order_times(part) for part in parts]
    return pc.binary_join_element_wise(*found, "/") if len(found) > 1 else found[0]


def _filled(texts: pa.StringArray) -> pa.StringArray:
    return pc.fill_null(texts, "")


def _differ(keys: np.ndarray) -> bool:
    """Whether no number, none of them negative, stands twice."""
    if keys.max(initial=0) < _FEW_KEYS * len(keys):
        return int(np.bincount(keys).max(initial=0)) <= 1
    ordered = np.sort(keys)
    return bool((ordered[1:] != ordered[:-1]).all())


def _flags(values: np.ndarray) -> Coded:
    if values.all():
        return Coded.same("true", len(values))
    return Coded(pa.array(["false", "true"]), values.astype(np.int32))


def _numbers(numbers: np.ndarray, mask: np.ndarray | None = None) -> Coded:
    found = pc.dictionary_encode(pa.array(numbers, mask=mask), null_encoding="encode")
    return Coded(found.dictionary.cast(pa.string()), found.indices.to_numpy())
