"""HL7 times in other forms, many at once: as arrays of digits where they are digits alone, of a usual length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.sources.hl7v2_path import iso_time, order_time
from fhir_mapping.sources.texts import each_text

_ZERO, _NINE = b"09"
_ISO = {8: b"0000-00-00", 12: b"0000-00-00T00:00:00", 14: b"0000-00-00T00:00:00"}
"""By the number of digits (a day, a minute, a second) the form in whose zeros they are put."""
_ORDER = dict.fromkeys(_ISO, b"00000000000000")


def iso_times(values: pa.StringArray) -> pa.StringArray:
    """Times in FHIR's form (``iso_time``); null stays null."""
    return _formed(values, _ISO, iso_time)


def order_times(values: pa.StringArray) -> pa.StringArray:
    """Times as texts that sort like them (``order_time``); null sorts first."""
    return pc.fill_null(_formed(values, _ORDER, order_time), order_time(None))


def _formed(values: pa.StringArray, forms: dict[int, bytes], of_text: Callable[[str], str]) -> pa.StringArray:
    """Texts of so many digits put into their forms, a function of the others."""
    texts: list[pa.StringArray] = []
    places: list[np.ndarray] = []
    is_other = np.ones(len(values), dtype=bool)
    for length, form in forms.items():
        at, digits = _digits(values, length)
        if len(at):
            texts.append(_put_into(form, digits))
            places.append(at)
            is_other[at] = False
    others = np.flatnonzero(is_other)
    if len(others):
        texts.append(each_text(values.take(pa.array(others)), of_text))
        places.append(others)
    if len(texts) == 1:
        return texts[0]
    return pa.concat_arrays(texts).take(pa.array(np.argsort(np.concatenate(places)))) if texts else values


def _digits(values: pa.StringArray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Which texts are so many digits, and these digits, a row each."""
    _, offsets, data = values.buffers()
    if data is None:
        return np.zeros(0, dtype=np.int64), np.zeros((0, length), dtype=np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int32)[values.offset :][: len(values) + 1]
    fits = np.diff(ends) == length
    if values.null_count:
        fits &= values.is_valid().to_numpy(zero_copy_only=False)
    at = np.flatnonzero(fits)
    digits = np.frombuffer(data, dtype=np.uint8)[ends[at][:, None] + np.arange(length)]
    is_digit = ((digits >= _ZERO) & (digits <= _NINE)).all(axis=1)
    return at[is_digit], digits[is_digit]


def _put_into(form: bytes, digits: np.ndarray) -> pa.StringArray:
    letters = np.frombuffer(form, dtype=np.uint8)
    rows = np.tile(letters, (len(digits), 1))
    rows[:, np.flatnonzero(letters == _ZERO)[: digits.shape[1]]] = digits
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(len(form))
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(rows))
