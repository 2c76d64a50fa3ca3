"""Columns of the rows of many messages: each asked path is read once over all of them, by Arrow's own kernels.

Which segment of a name belongs to a row: the row's own; else the last one before it in its order, or the first behind
it there (a specimen after its results); else the last one before it, or the first behind it, among what belongs to its
patient or its message as a whole. Where the message itself is the row, the first one in it. NTE: those that follow the
row directly, a line each.

What stands around the rows is mostly the same for many of them: it is read once for each run of rows that have the same
segments around them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.sources.hl7v2_parts import clean, take_part
from fhir_mapping.sources.hl7v2_path import FieldPath, Value, iso_time, order_time, system_uri, unit_text
from fhir_mapping.sources.hl7v2_segments import Segments, code_of
from fhir_mapping.sources.texts import each_text

_NOTE = "NTE"
_OF_TEXT: dict[str, Callable[[str], str | None]] = {"time": iso_time, "system": system_uri, "unit": unit_text}
"""Forms that are a function of one text."""

Place = tuple[str, int | None]
"""A segment's name, and which of its message; None: the one that belongs to the row."""


@dataclass(frozen=True)
class Fields:
    """The segments of one name that rows need.

    Attributes:
        values: all their fields laid end to end; those of segment i are ``offsets[i]:offsets[i + 1]``.
        row: for each row its segment, -1 where it has none; None: there is one a row, in order.
        shift: what to take from a field's number: MSH counts its own separator.
    """

    values: pa.StringArray
    offsets: np.ndarray
    row: np.ndarray | None
    shift: int

    def field(self, number: int) -> pa.StringArray:
        """One field of each segment (not of each row); null where the segment ends before it."""
        at = self.offsets[:-1] + (number - self.shift)
        return self.values.take(pa.array(at, mask=at >= self.offsets[1:]))


@dataclass(frozen=True)
class Rows:
    """Rows of messages.

    Attributes:
        names: of the segments that make a row; none: the message itself does. A row sees its own segment and those of
            the first name; of the other names no segment but by its number in the message.
        at: position of each row's segment: its MSH where the message has no segment of the name.
    """

    segments: Segments
    names: tuple[str, ...]
    at: np.ndarray
    _fields: dict[Place, Fields] = field(default_factory=dict)
    _read: dict[FieldPath, pa.StringArray] = field(default_factory=dict)

    @classmethod
    def of(cls, segments: Segments, names: tuple[str, ...]) -> Rows:
        """One row for each segment of the names, and for each message that has none of them."""
        real = segments.positions(*names) if names else segments.headers
        has_row = np.zeros(len(segments.headers), dtype=bool)
        has_row[segments.message[real]] = True
        return cls(segments, names, real if has_row.all() else np.union1d(real, segments.headers[~has_row]))

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def is_real(self) -> np.ndarray:
        """Rows that have a segment of the names."""
        if not self.names:
            return np.zeros(len(self), dtype=bool)
        return np.isin(self.segments.codes[self.at], [code_of(name) for name in self.names])

    @cached_property
    def message(self) -> np.ndarray:
        """For each row the number of its message."""
        return self.segments.message[self.at]

    @cached_property
    def is_first(self) -> np.ndarray:
        """Rows that are the first of their message."""
        return np.concatenate([[True], self.message[1:] != self.message[:-1]])[: len(self)]

    def values(self, values: Mapping[str, Value]) -> dict[str, pa.StringArray]:
        """What each row holds, by name."""
        around = {name for name, value in values.items() if self._is_around(value)}
        places = {place for name in around for place in _places(values[name])}
        if not places:
            return {name: self.value(value) for name, value in values.items()}
        at = [self._position(place) for place in sorted(places, key=str)]
        begins = self.is_first | np.any(
            [np.concatenate([[True], one[1:] != one[:-1]])[: len(self)] for one in at], axis=0
        )
        runs = Rows(self.segments, self.names, self.at[begins])
        run = pa.array(np.cumsum(begins) - 1)
        return {
            name: runs.value(value).take(run) if name in around else self.value(value) for name, value in values.items()
        }

    def _is_around(self, value: Value) -> bool:
        """Whether a value is that of all rows with the same segments around them."""
        own = (segment in self.names or self._is_note(segment, occurrence) for segment, occurrence in _places(value))
        return bool(self.names) and value.form != "nth" and not any(own)

    def _is_note(self, segment: str, occurrence: int | None) -> bool:
        return segment == _NOTE and _NOTE not in self.names and occurrence is None

    def value(self, value: Value) -> pa.StringArray:
        """What each row holds there."""
        parts = [self._first_of(paths) for paths in value.parts]
        if value.form == "text":
            return parts[0]
        if value.form in _OF_TEXT:
            return each_text(parts[0], _OF_TEXT[value.form])
        if value.form == "join":
            texts = [pc.fill_null(part, "") for part in parts]
            return clean(pc.binary_join_element_wise(*texts, ""))
        if value.form == "nth":
            return self._nth_alike(parts)
        sortable = [pc.fill_null(each_text(part, order_time), order_time(None)) for part in parts]
        return pc.binary_join_element_wise(*sortable, "/") if len(sortable) > 1 else sortable[0]

    def pseudo(self, name: str) -> pa.StringArray:
        """A fact about the row itself (``hl7v2_path.PSEUDO``), ``message_no`` excepted."""
        if name == "first_in_message":
            return _flags(self.is_first)
        order = self.segments.order[self.at]
        if name == "first_in_group":
            changed = np.concatenate([[True], order[1:] != order[:-1]])[: len(self)]
            return _flags(self.is_first | (changed & (order > 0)))
        if name == "group_no":
            first = np.full(len(self.segments.headers), np.iinfo(np.int64).max)
            inside = self.segments.order > 0
            np.minimum.at(first, self.segments.message[inside], self.segments.order[inside])
            return pa.array(order - first[self.message] + 1, mask=order == 0).cast(pa.string())
        if name == "row_no":
            starts = np.flatnonzero(self.is_first)
            lengths = np.diff(np.append(starts, len(self)))
            return pa.array(np.arange(len(self)) - np.repeat(starts, lengths) + 1).cast(pa.string())
        if name == "segment":
            return pc.utf8_slice_codeunits(self.segments.texts.take(pa.array(self.at)), 0, 3)
        own = pa.nulls(len(self), pa.string())
        for name in self.names:
            is_own = pa.array(self.segments.codes[self.at] == code_of(name))
            own = pc.if_else(is_own, self._first_of((FieldPath(name, 1),)), own)
        return own

    def _nth_alike(self, parts: list[pa.StringArray]) -> pa.StringArray:
        """Number of each row among the rows of its order (or message) that hold the same texts."""
        alike = pc.binary_join_element_wise(*[pc.fill_null(part, "") for part in parts], "\x1f")
        code = pc.dictionary_encode(alike).indices.to_numpy()
        order = self.segments.order[self.at]
        place = np.lexsort((code, order, self.message))
        begins = np.ones(len(place), dtype=bool)
        if len(place) > 1:
            groups = np.stack([self.message, order, code])[:, place]
            begins[1:] = (groups[:, 1:] != groups[:, :-1]).any(axis=0)
        starts = np.flatnonzero(begins)
        number = np.empty(len(place), dtype=np.int64)
        number[place] = np.arange(len(place)) - np.repeat(starts, np.diff(np.append(starts, len(place)))) + 1
        return pa.array(number).cast(pa.string())

    def _first_of(self, paths: tuple[FieldPath | str, ...]) -> pa.StringArray:
        found = self._place(paths[0])
        for path in paths[1:]:
            # Most rows have what the first place says, and then the others are not read.
            if not found.null_count:
                break
            found = pc.coalesce(found, self._place(path))
        return found

    def _place(self, path: FieldPath | str) -> pa.StringArray:
        if isinstance(path, str):
            return pa.repeat(path, len(self))
        if path not in self._read:
            self._read[path] = self._path(path)
        return self._read[path]

    def _path(self, path: FieldPath) -> pa.StringArray:
        fields = self._fields_of(path.segment, path.occurrence)
        values = clean(take_part(fields.field(path.field), path))
        if self._is_note(path.segment, path.occurrence):
            return self._notes(values)
        if fields.row is None:
            return values
        return values.take(pa.array(fields.row, mask=fields.row < 0))

    def _fields_of(self, segment: str, occurrence: int | None) -> Fields:
        key = (segment, occurrence)
        if key not in self._fields:
            self._fields[key] = self._read_fields(segment, occurrence)
        return self._fields[key]

    def _read_fields(self, segment: str, occurrence: int | None) -> Fields:
        if self._is_note(segment, occurrence):
            needed, row = self._note_positions, None
        else:
            needed, row = _distinct(self._position((segment, occurrence)))
        lists = pc.split_pattern(self.segments.texts.take(pa.array(needed)), "|")
        shift = 1 if segment == "MSH" else 0
        return Fields(lists.values, lists.offsets.to_numpy().astype(np.int64), row, shift)

    def _position(self, place: Place) -> np.ndarray:
        """Position of each row's segment of a name, -1 where it has none."""
        segment, occurrence = place
        return self._occurrence(segment, occurrence) if occurrence else self._locate(segment)

    def _occurrence(self, segment: str, number: int) -> np.ndarray:
        """The n-th segment of the name in each row's message."""
        return self._nth_of_message(self.segments.positions(segment), number)

    def _nth_of_message(self, found: np.ndarray, number: int) -> np.ndarray:
        first = np.searchsorted(found, self.segments.headers[self.message])
        return self._checked(found, first + number - 1, self.segments.message, self.message)

    def _locate(self, segment: str) -> np.ndarray:
        """Position of the segment that belongs to each row, -1 where there is none."""
        if segment in self.names and (segment != self.names[0] or len(self.names) == 1):
            return np.where(self.segments.codes[self.at] == code_of(segment), self.at, -1)
        if segment == "MSH":
            return self.segments.headers[self.message]
        found = self.segments.positions(segment)
        if not self.is_real.all():
            return np.where(self.is_real, self._nearest(found), self._occurrence(segment, 1))
        return self._nearest(found)

    def _nearest(self, found: np.ndarray) -> np.ndarray:
        segments, order = self.segments, self.segments.order
        in_order = np.where(order > 0, order, -1)
        row_order = np.where(order[self.at] > 0, order[self.at], -2)
        result = self._around(found, in_order, row_order)
        if (result >= 0).all():
            return result
        outside = found[order[found] == 0]
        whose = self._around(outside, segments.patient, segments.patient[self.at])
        # A segment of another patient in the same message is not this one's; one before the first PID is everybody's.
        is_shared = segments.patient[outside] == segments.patient[segments.headers[segments.message[outside]]]
        shared = self._around(outside[is_shared], segments.message, self.message)
        result = np.where(result >= 0, result, np.where(whose >= 0, whose, shared))
        # What stands before the first PID (SCH) has its patient behind it.
        is_above = segments.patient[self.at] == segments.patient[segments.headers[self.message]]
        return np.where((result < 0) & is_above, self._nth_of_message(found, 1), result)

    def _around(self, found: np.ndarray, group: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Of ``found`` the last one at or before each row, else the first behind it, in the row's own group."""
        behind = np.searchsorted(found, self.at, side="right")
        last = self._checked(found, behind - 1, group, wanted)
        return np.where(last >= 0, last, self._checked(found, behind, group, wanted))

    def _checked(self, found: np.ndarray, index: np.ndarray, group: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """``found[index]`` where there is one and it is of the wanted group; else -1."""
        if not len(found):
            return np.full(len(self), -1, dtype=np.int64)
        at = found[np.clip(index, 0, len(found) - 1)]
        return np.where((index >= 0) & (index < len(found)) & (group[at] == wanted), at, -1)

    @cached_property
    def _note_positions(self) -> np.ndarray:
        return self.segments.positions(_NOTE)

    def _notes(self, values: pa.StringArray) -> pa.StringArray:
        """The notes that follow each row directly, a line each."""
        if not len(self._note_positions):
            return pa.nulls(len(self), pa.string())
        is_note = self.segments.codes == code_of(_NOTE)
        owner = np.maximum.accumulate(np.where(is_note, -1, np.arange(len(is_note))))
        row_of = {position: row for row, position in enumerate(self.at.tolist())}
        texts: list[list[str]] = [[] for _ in range(len(self))]
        for position, text in zip(owner[self._note_positions].tolist(), values.to_pylist(), strict=True):
            row = row_of.get(position)
            if row is not None and text is not None:
                texts[row].append(text)
        return pa.array(["\n".join(lines) if lines else None for lines in texts], pa.string())


def _distinct(at: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Positions that rows have, ascending, and for each row which of them, -1 for none; None: one a row, in order."""
    if len(at) and at[0] >= 0 and (at[1:] > at[:-1]).all():
        return at, None
    needed, inverse = np.unique(at[at >= 0], return_inverse=True)
    row = np.full(len(at), -1, dtype=np.int64)
    row[at >= 0] = inverse
    return needed, row


def _places(value: Value) -> set[Place]:
    """The segments that a value reads."""
    return {(path.segment, path.occurrence) for part in value.parts for path in part if isinstance(path, FieldPath)}


def _flags(values: np.ndarray) -> pa.StringArray:
    return pc.if_else(pa.array(values), "true", "false")
