"""Texts by where they stand in UTF-8 buffers; no Python object is made a text.

Texts of up to 8 bytes are told apart as numbers. Spans that stand one behind the other are cut out of an Arrow array in
which they and what stands between them take turns. Any other becomes an Arrow view of 16 bytes, and Arrow copies the
texts together. A view is the length, then a text of up to 12 bytes itself, or of a longer one its first 4 bytes, the
number of its buffer and its place in there.
Source: Arrow columnar format, variable-size binary view layout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.sources.coded import Coded

_INLINE = 12
_WORD = 8
_LONG = np.dtype([("length", "<i4"), ("head", "<u4"), ("buffer", "<i4"), ("place", "<i4")])
_SHORT = np.dtype([("length", "<i4"), ("first", "<u8"), ("last", "<u4")])
_BYTES = np.array([(1 << 8 * length) - 1 for length in range(_WORD + 1)], dtype=np.uint64)
"""By a number of bytes, a mask of so many."""


def cut(buffers: Sequence[bytes], start: np.ndarray, stop: np.ndarray, which: np.ndarray) -> pa.StringArray:
    """The texts ``buffers[which[i]][start[i]:stop[i]]``."""
    views = np.empty(len(start), dtype=_LONG)
    length = stop - start
    views["length"], views["buffer"], views["place"] = length, which, start
    for one, buffer in enumerate(buffers):
        own = np.flatnonzero(which == one)
        views["head"][own] = _load(buffer, start[own])
        short = own[length[own] <= _INLINE]
        views[short] = _short(buffer, start[short], length[short]).view(_LONG)
    data = [pa.py_buffer(buffer) for buffer in buffers]
    found = pa.Array.from_buffers(pa.string_view(), len(views), [None, pa.py_buffer(views), *data])
    return found.cast(pa.string())


def coded(buffer: bytes, start: np.ndarray, stop: np.ndarray) -> Coded:
    """The texts ``buffer[start[i]:stop[i]]``, each once.

    Args:
        buffer: without NUL.
        start, stop: of spans that stand one behind the other.
    """
    length = stop - start
    longest = length.max(initial=0)
    if longest > _WORD:
        return Coded.of(_in_order(buffer, start, stop))
    if not longest:
        return Coded.same("", len(start))
    words = _load(buffer, start) & _BYTES.take(length)
    if (words == words[0]).all():
        return Coded(_words(words[:1]), np.zeros(len(words), dtype=np.int32), is_once=True)
    found = pc.dictionary_encode(pa.array(words))
    return Coded(_words(found.dictionary.to_numpy()), found.indices.to_numpy(), is_once=True)


def _in_order(buffer: bytes, start: np.ndarray, stop: np.ndarray) -> pa.StringArray:
    """The texts of spans that stand one behind the other."""
    count = 2 * len(start)
    ends = np.empty(count + 1, dtype=np.int32)
    ends[:-1:2], ends[1::2], ends[-1] = start, stop, len(buffer)
    both = pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(buffer))
    return both.take(pa.array(np.arange(0, count, 2, dtype=np.int32)))


def _words(words: np.ndarray) -> pa.StringArray:
    """Texts of numbers that hold their bytes, the first one lowest."""
    letters = words.astype("<u8").view(np.uint8)
    is_text = letters != 0
    ends = np.zeros(len(words) + 1, dtype=np.int32)
    np.cumsum(is_text.reshape(-1, _WORD).sum(axis=1), out=ends[1:])
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(ends), pa.py_buffer(letters[is_text]))


def _short(buffer: bytes, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Views of texts that are short."""
    views = np.zeros(len(start), dtype=_SHORT)
    views["length"] = length
    views["first"] = _load(buffer, start) & _BYTES[np.minimum(length, _WORD)]
    if length.max(initial=0) > _WORD:
        views["last"] = _load(buffer, start + _WORD) & _BYTES[np.maximum(length - _WORD, 0)]
    return views


def _load(buffer: bytes, place: np.ndarray) -> np.ndarray:
    """The eight bytes at each place as a number, the first one lowest; zeros behind the buffer's end."""
    buffer = buffer.ljust(_WORD, b"\0")
    last = len(buffer) - _WORD
    numbers = np.ndarray((last + 1,), "<u8", buffer, strides=(1,))
    if place.max(initial=0) <= last:
        return numbers[place]
    behind = np.maximum(place - last, 0)
    return numbers[place - behind] >> np.minimum(8 * behind, 63).astype(np.uint64)
