"""Texts by where they stand in UTF-8 buffers; no Python object is made a text.

A span becomes an Arrow view of 16 bytes, and Arrow copies the texts together. A view is the length, then a text of up
to 12 bytes itself, or of a longer one its first 4 bytes, the number of its buffer and its place in there.
Source: Arrow columnar format, variable-size binary view layout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.sources.coded import Coded

_INLINE = 12
_LONG = np.dtype([("length", "<i4"), ("head", "<u4"), ("buffer", "<i4"), ("place", "<i4")])
_SHORT = np.dtype([("length", "<i4"), ("first", "<u8"), ("last", "<u4")])
_BYTES = np.array([(1 << 8 * length) - 1 for length in range(9)], dtype=np.uint64)
"""By a number of bytes, a mask of so many."""


def cut(
    buffers: Sequence[bytes], start: np.ndarray, stop: np.ndarray, which: np.ndarray | None = None
) -> pa.StringArray:
    """The texts ``buffers[which[i]][start[i]:stop[i]]``; ``which`` None: of the only buffer."""
    views = np.empty(len(start), dtype=_LONG)
    number = np.zeros(len(start), dtype=np.int32) if which is None else which
    length = stop - start
    views["length"], views["buffer"], views["place"] = length, number, start
    for one, buffer in enumerate(buffers):
        own = np.flatnonzero(number == one)
        views["head"][own] = _load(buffer, start[own])
        short = own[length[own] <= _INLINE]
        views[short] = _short(buffer, start[short], length[short]).view(_LONG)
    return _texts(views, buffers)


def coded(buffer: bytes, start: np.ndarray, stop: np.ndarray) -> Coded:
    """The texts ``buffer[start[i]:stop[i]]``, each once."""
    length = stop - start
    if length.max(initial=0) > _INLINE:
        return Coded.of(cut([buffer], start, stop))
    views = _short(buffer, start, length)
    found = pc.dictionary_encode(pa.Array.from_buffers(pa.binary(views.itemsize), len(views), _buffers(views)))
    once = np.frombuffer(found.dictionary.buffers()[1], dtype=views.dtype, count=len(found.dictionary))
    return Coded(_texts(once, []), found.indices.to_numpy())


def _short(buffer: bytes, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Views of texts that are short."""
    views = np.zeros(len(start), dtype=_SHORT)
    views["length"] = length
    views["first"] = _load(buffer, start) & _BYTES[np.minimum(length, 8)]
    if length.max(initial=0) > 8:
        views["last"] = _load(buffer, start + 8) & _BYTES[np.maximum(length - 8, 0)]
    return views


def _load(buffer: bytes, place: np.ndarray) -> np.ndarray:
    """The eight bytes at each place as a number, the first one lowest; zeros behind the buffer's end."""
    buffer = buffer.ljust(8, b"\0")
    last = len(buffer) - 8
    numbers = np.ndarray((last + 1,), "<u8", buffer, strides=(1,))
    if place.max(initial=0) <= last:
        return numbers[place]
    behind = np.maximum(place - last, 0)
    return numbers[place - behind] >> np.minimum(8 * behind, 63).astype(np.uint64)


def _texts(views: np.ndarray, buffers: Sequence[bytes]) -> pa.StringArray:
    data = [pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(pa.string_view(), len(views), [*_buffers(views), *data]).cast(pa.string())


def _buffers(views: np.ndarray) -> list[pa.Buffer | None]:
    return [None, pa.py_buffer(views)]
