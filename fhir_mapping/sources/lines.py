"""Physical lines: a stream cut into blocks of whole lines, and the lines of one block as positions in its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
import pyarrow as pa

_LF, _CR = 10, 13


def find_newline(sample: bytes) -> str:
    """What ends a line in this file: LF (a CR before it belongs to the line end), or CR where there is no LF."""
    return "\r" if b"\n" not in sample and b"\r" in sample else "\n"


def read_whole_lines(stream: BinaryIO, newline: str, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield ``(bytes, is last)``: about ``size`` bytes each, cut after a line end; one empty last block at least.

    A line longer than ``size`` makes a longer block.
    """
    end = newline.encode()
    parts: list[bytes | memoryview] = []
    while chunk := stream.read(size):
        cut = chunk.rfind(end) + 1
        if cut:
            yield b"".join([*parts, memoryview(chunk)[:cut]]), False
            parts = []
        parts.append(chunk[cut:])
    yield b"".join(parts), True


@dataclass(frozen=True)
class Lines:
    """The lines of UTF-8 text as positions: line i is ``data[start[i]:stop[i]]``, its line end up to ``after[i]``."""

    data: bytes
    newline: str
    start: np.ndarray
    stop: np.ndarray
    after: np.ndarray

    @classmethod
    def of(cls, data: bytes, newline: str) -> Lines:
        """Find the lines of ``data``; the last may lack its line end."""
        buffer = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(buffer == ord(newline))
        after, stop = ends + 1, ends
        if newline == "\n" and len(ends):
            has_cr = (ends > 0) & (buffer[ends - 1] == _CR)
            stop = ends - has_cr
        if len(data) and (not len(ends) or after[-1] != len(data)):
            after, stop = np.append(after, len(data)), np.append(stop, len(data))
        start = np.concatenate([np.zeros(1, dtype=after.dtype), after[:-1]]) if len(after) else after
        return cls(data, newline, start, stop, after)

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def is_blank(self) -> np.ndarray:
        """True for each line without a character."""
        return self.stop == self.start

    @cached_property
    def with_stray_break(self) -> frozenset[int]:
        """Numbers of the lines that hold a CR or LF which ends no line here."""
        in_content = np.zeros(len(self), dtype=np.int64)
        buffer = np.frombuffer(self.data, dtype=np.uint8)
        found = np.flatnonzero((buffer == _CR) | (buffer == _LF))
        line = np.searchsorted(self.start, found, side="right") - 1
        np.add.at(in_content, line, found < self.stop[line])
        return frozenset(np.flatnonzero(in_content).tolist())

    def text(self, first: int, end: int) -> str:
        """Lines ``first`` to ``end`` (excluded) with the line ends between them, without the last one's."""
        return self.data[self.start[first] : self.stop[end - 1]].decode()

    def line_end(self, number: int) -> str:
        """What ends a line: LF, CR LF, CR, or nothing at the end of the file."""
        return self.data[self.stop[number] : self.after[number]].decode()

    def keep(self, is_kept: np.ndarray) -> bytes:
        """The bytes of some lines, with their line ends."""
        buffer = np.frombuffer(self.data, dtype=np.uint8)
        return buffer[np.repeat(is_kept, self.after - self.start)].tobytes()

    def to_arrow(self) -> pa.StringArray:
        """All lines, without their line ends, as one Arrow array; no Python object is made a line."""
        ends = np.empty(2 * len(self) + 1, dtype=np.int32)
        ends[:-1:2], ends[1::2], ends[-1] = self.start, self.stop, len(self.data)
        parts = pa.StringArray.from_buffers(2 * len(self), pa.py_buffer(ends), pa.py_buffer(self.data))
        return parts.take(pa.array(np.arange(0, 2 * len(self), 2)))

    def with_byte(self, byte: int) -> np.ndarray:
        """Numbers of the lines that hold a byte (ASCII), ascending."""
        found = np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == byte)
        has_byte = np.zeros(len(self), dtype=bool)
        has_byte[np.searchsorted(self.start, found, side="right") - 1] = True
        return np.flatnonzero(has_byte)
