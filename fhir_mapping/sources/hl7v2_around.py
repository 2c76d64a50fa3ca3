"""The rows of many messages, and which segment of a name belongs to each.

The row's own; else the last one before it in its order, or the first behind it there (a specimen after its results);
else the last one before it, or the first behind it, among what belongs to its patient or its message as a whole. Where
the message itself is the row, the first one in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fhir_mapping.sources.hl7v2_segments import ORDER_DETAIL, Segments, code_of

Place = tuple[str, int | None]
"""A segment's name, and which of its message; None: the one that belongs to the row."""

_TURNS = ("MSH", "PID", "ORC", *ORDER_DETAIL)
"""Segments at which message, patient or order change."""


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
    def order(self) -> np.ndarray:
        """For each row the number of its order; 0 outside orders."""
        return self.segments.order[self.at]

    @cached_property
    def is_first(self) -> np.ndarray:
        """Rows that are the first of their message."""
        return _changes(self.message)

    @cached_property
    def is_first_in_order(self) -> np.ndarray:
        """Rows that are the first of their message, or of an order."""
        return self.is_first | (_changes(self.order) & (self.order > 0))

    def runs(self, names: Iterable[str]) -> tuple[Rows, np.ndarray]:
        """The first row of each run of rows to which the same segments of other names belong, and each row's run.

        Args:
            names: of these segments, none of the rows' own names.
        """
        turns = np.zeros(len(self.segments), dtype=bool)
        for name in {*names, *_TURNS}:
            turns |= self.segments.codes == code_of(name)
        begins = _changes(np.cumsum(turns)[self.at])
        return Rows(self.segments, self.names, self.at[begins]), np.cumsum(begins) - 1

    def position(self, place: Place) -> np.ndarray:
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
        row_order = np.where(self.order > 0, self.order, -2)
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


def _changes(values: np.ndarray) -> np.ndarray:
    """Where a value stands that is not the one before it."""
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
