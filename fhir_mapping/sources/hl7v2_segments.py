"""The segments of many messages as arrays: where each stands, which message, patient and order it belongs to.

Built from one buffer of messages in the usual delimiters (``|^~\\&``); nothing here runs once a segment.

What belongs together
    A patient begins at PID. An order begins at ORC, and at a segment of ``ORDER_DETAIL`` that its order already has, or
    that no ORC opened. What stands before the first order of a patient is the patient's (PV1, DG1, AL1, ...), before
    the first PID the message's (MSH, EVN, SCH, ...).
Source: HL7 v2.8 chapters 3, 4 and 7 (ADT, orders, ORU message structures).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fhir_mapping.sources.coded import Coded
from fhir_mapping.sources.lines import Lines
from fhir_mapping.sources.spans import coded

ORDER_DETAIL = ("OBR", "RXA", "RXE", "RXO", "RXD", "RXG", "RQD")
CONTINUED = "\x1e"
"""Stands for the line break before a line that opens no segment: it continues the field before it."""

_FRAMES = (b"\x0b", b"\x1c")
_BREAKS = bytes.maketrans(b"\n\x0b\x1c", b"\r\r\r")
_BATCH = ("FHS", "BHS", "BTS", "FTS")
_MARKS = frozenset(name.encode() for name in ("MSH", *_BATCH))
_HEADER = np.frombuffer(b"MSH|^~\\&", dtype=np.uint8)
_SLICE = 1 << 17
"""Bytes in which separators are looked for at a time: what is found stays in the processor's cache."""


def opens_with_message(data: bytes) -> bool:
    """Whether text (UTF-8, or any encoding that keeps ASCII) opens with a header, maybe in a frame."""
    return data[:64].lstrip(b"\r\n\x0b\x1c \t").startswith(b"MSH|")


def code_of(name: str) -> int:
    """A segment's name as the number that ``Segments.codes`` holds."""
    first, second, third = name.encode()
    return first << 16 | second << 8 | third


@dataclass(frozen=True)
class Segments:
    """Segments in file order.

    Attributes:
        data: the buffer, UTF-8.
        codes: each segment's name (``code_of``).
        start, stop: where it stands in the buffer (int32, as in an Arrow array of strings).
        message: number of its message, from 0.
    """

    data: bytes
    codes: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    message: np.ndarray

    @classmethod
    def of(cls, text: bytes, *, is_split: bool = False) -> Segments | None:
        """Cut messages (UTF-8) into segments; None: batches, rubbish or other delimiters are in it.

        Positions are those in ``text``, whatever ends its lines.

        Args:
            is_split: the messages are known to be whole and in the usual delimiters: a line that opens with other
                ones is a part of its message.
        """
        if b"\0" in text or not opens_with_message(text):
            return None
        has_frames = any(mark in text for mark in _FRAMES)
        # A run of messages mostly has one kind of line end, and is not copied then.
        newline = "\n" if b"\r" not in text else "\r"
        if has_frames or (newline == "\r" and b"\n" in text):
            newline, plain = "\r", text.translate(_BREAKS)
        else:
            plain = text
        lines = Lines.of(plain, newline)
        opens = _opens_segment(lines)
        if has_frames and not _are_between(_frames(text), lines):
            return None
        text = plain
        if not (opens | lines.is_blank).all():
            others = np.flatnonzero(~opens & ~lines.is_blank)
            if not is_split and any(_may_be_header(lines, number) for number in others.tolist()):
                return None
            text = _joined(text.translate(_BREAKS), lines, others)
            lines = Lines.of(text, "\r")
            opens = _opens_segment(lines)
        numbers = np.flatnonzero(opens)
        start, stop = lines.start[numbers].astype(np.int32), lines.stop[numbers].astype(np.int32)
        buffer = np.frombuffer(text, dtype=np.uint8)
        codes = _codes(buffer, start)
        codes[(codes == code_of("MSH")) & (stop - start == 3)] = 0
        is_header = codes == code_of("MSH")
        is_batch = np.isin(codes, [code_of(name) for name in _BATCH]).any()
        if is_batch or not is_header[0] or not _usual(buffer, start[is_header], stop[is_header]):
            return None
        return cls(text, codes, start, stop, np.cumsum(is_header) - 1)

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def headers(self) -> np.ndarray:
        """Positions of the MSH segments, one a message."""
        return self.positions("MSH")

    @cached_property
    def patient(self) -> np.ndarray:
        """For each segment a number of its patient; those before a message's first PID have one of their own."""
        begins = np.zeros(len(self), dtype=np.int64)
        begins[self.headers] = 1
        begins[self.positions("PID")] = 1
        return np.cumsum(begins)

    @cached_property
    def order(self) -> np.ndarray:
        """For each segment the number of its order, from 1; 0 outside orders."""
        codes = self.codes
        is_mark = np.zeros(len(self), dtype=bool)
        for name in ("MSH", "PID", "ORC", *ORDER_DETAIL):
            is_mark |= codes == code_of(name)
        marks = np.flatnonzero(is_mark)
        opens, is_open = _orders(codes[marks])
        number = np.where(is_open, np.cumsum(opens), 0)
        return np.repeat(number, np.diff(np.append(marks, len(self))))

    @cached_property
    def bars(self) -> np.ndarray:
        """Where separators of fields stand in the buffer, ascending, and its end."""
        buffer, bar = np.frombuffer(self.data, dtype=np.uint8), ord("|")
        starts = range(0, len(buffer), _SLICE)
        count = sum(np.count_nonzero(buffer[start : start + _SLICE] == bar) for start in starts)
        bars = np.empty(count + 1, dtype=np.int32)
        first = 0
        for start in starts:
            found = np.flatnonzero(buffer[start : start + _SLICE] == bar)
            np.add(found, start, out=bars[first : first + len(found)], casting="same_kind")
            first += len(found)
        bars[-1] = len(self.data)
        return bars

    @cached_property
    def first_bar(self) -> np.ndarray:
        """For each segment how many separators stand before it."""
        return np.searchsorted(self.bars, self.start)

    def positions(self, *names: str) -> np.ndarray:
        """Where segments of a name, or of several, stand, ascending."""
        if len(names) == 1:
            return np.flatnonzero(self.codes == code_of(names[0]))
        return np.flatnonzero(np.isin(self.codes, [code_of(name) for name in names]))


class Fields:
    """The fields of some segments; where each ends is looked up once.

    Args:
        at: positions of the segments, ascending.
    """

    def __init__(self, segments: Segments, at: np.ndarray) -> None:
        self._segments = segments
        self._bar = segments.first_bar[at]
        self._stop = segments.stop[at]
        self._ends = {-1: segments.start[at] - 1}

    def part(self, number: int) -> Coded:
        """The text behind the ``number``-th separator, up to the next; empty where there are fewer.

        What stands before the first, number 0, is the name.
        """
        stop = self._end(number)
        return coded(self._segments.data, np.minimum(self._end(number - 1) + 1, stop), stop)

    def _end(self, number: int) -> np.ndarray:
        if number not in self._ends:
            bar = self._segments.bars.take(self._bar + number, mode="clip")
            self._ends[number] = np.minimum(bar, self._stop)
        return self._ends[number]


def _codes(buffer: np.ndarray, start: np.ndarray) -> np.ndarray:
    first, second, third = (buffer[start + i].astype(np.int32) for i in range(3))
    return first << 16 | second << 8 | third


def _orders(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the segments that begin or end patients and orders: which begin an order, and which stand in one."""
    outside = np.isin(codes, (code_of("MSH"), code_of("PID")))
    is_orc = codes == code_of("ORC")
    before = np.concatenate([[0], codes[:-1]])
    is_detail = ~outside & ~is_orc
    after_detail = is_detail & np.concatenate([[False], is_detail[:-1]])
    if not (after_detail & (codes != before)).any():
        opens = is_orc | (is_detail & (np.concatenate([[True], outside[:-1]]) | after_detail))
        return opens, ~outside
    opens = np.zeros(len(codes), dtype=bool)
    is_open = False
    seen: set[int] = set()
    for number, (code, leaves, starts) in enumerate(
        zip(codes.tolist(), outside.tolist(), is_orc.tolist(), strict=True)
    ):
        if leaves or starts or code in seen or not is_open:
            seen.clear()
            is_open = not leaves
            opens[number] = is_open
        if is_open and not starts:
            seen.add(code)
    return opens, ~outside


def _frames(text: bytes) -> np.ndarray:
    """Where frame marks stand, ascending."""
    data = np.frombuffer(text, dtype=np.uint8)
    return np.flatnonzero((data == 0x0B) | (data == 0x1C))


def _opens_segment(lines: Lines) -> np.ndarray:
    """Lines of the form ``PID|...``: a capital, two capitals or digits, the separator or nothing more."""
    buffer = np.frombuffer(lines.data, dtype=np.uint8)
    length = lines.stop - lines.start
    opens = length >= 3
    last = max(len(buffer) - 1, 0)
    if not len(buffer):
        return opens
    for place in range(3):
        byte = buffer[np.minimum(lines.start + place, last)]
        is_capital = (byte >= 65) & (byte <= 90)
        opens &= is_capital if place == 0 else is_capital | ((byte >= 48) & (byte <= 57))
    return opens & ((length == 3) | (buffer[np.minimum(lines.start + 3, last)] == 124))


def _are_between(frames: np.ndarray, lines: Lines) -> bool:
    """Whether every frame mark has a header, or nothing more, behind it: one inside a message ends it."""
    starts = lines.start[~lines.is_blank]
    behind = starts[np.searchsorted(starts, frames[frames < (starts[-1] if len(starts) else 0)])]
    return all(lines.data.startswith(b"MSH|", start) for start in np.unique(behind).tolist())


def _may_be_header(lines: Lines, number: int) -> bool:
    """A header in delimiters of its own, or a trailer behind blanks."""
    return lines.data[lines.start[number] : lines.stop[number]].lstrip(b" \t\xef\xbb\xbf")[:3] in _MARKS


def _joined(text: bytes, lines: Lines, numbers: np.ndarray) -> bytes:
    """The buffer with lines that open no segment joined to the one before; blanks before a segment become line ends."""
    changed = bytearray(text)
    for number in numbers.tolist():
        start, stop = int(lines.start[number]), int(lines.stop[number])
        line = text[start:stop]
        content = line.lstrip(b" \t")
        if not content.strip():
            changed[start:stop] = b"\r" * (stop - start)
        elif len(content) < len(line) and _opens_segment(Lines.of(content, "\r"))[0]:
            changed[start : stop - len(content)] = b"\r" * (len(line) - len(content))
        else:
            before = start
            while before > 0 and changed[before - 1] == 13:
                before -= 1
            changed[before:start] = CONTINUED.encode() * (start - before)
    return bytes(changed)


def _usual(buffer: np.ndarray, start: np.ndarray, stop: np.ndarray) -> bool:
    """Whether every header is ``MSH|^~\\&`` and then a separator (a truncation character may stand between)."""
    if (stop - start < 9).any():
        return False
    found = np.stack([buffer[start + place] for place in range(8)])
    after = buffer[start + 8]
    is_short = (after == ord("#")) & (buffer[np.minimum(start + 9, len(buffer) - 1)] == ord("|"))
    return bool((found == _HEADER[:, None]).all() and ((after == ord("|")) | is_short).all())
