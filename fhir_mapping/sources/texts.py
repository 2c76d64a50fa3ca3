"""Small helpers on Arrow arrays of text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def each_text(values: pa.StringArray, function: Callable[[str], str | None]) -> pa.StringArray:
    """``function`` of every text, called once a distinct one; null stays null."""
    coded = pc.dictionary_encode(values)
    texts = [None if text is None else function(text) for text in coded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(coded.indices)


def may_hold(values: pa.StringArray, character: str) -> bool:
    """Whether a character stands in any text; for a slice of an array maybe only in the rest of it.

    Looks at the bytes at once: Arrow's own search is forty times slower on short texts.
    """
    data = values.buffers()[2]
    return data is not None and character.encode() in data.to_pybytes()


def without_empty(values: pa.StringArray) -> pa.StringArray:
    """The same with null for empty texts; no text is copied."""
    _, offsets, data = values.buffers()
    if offsets is None:
        return values
    ends = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    has_text = ends[1:] > ends[:-1]
    if has_text.all():
        return values
    if values.null_count:
        has_text &= values.is_valid().to_numpy(zero_copy_only=False)
    valid = pa.py_buffer(np.packbits(has_text, bitorder="little"))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), data, valid)
